"""A run of inputs, and the polynomial that stands for the function there."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.sweep.series import lowest_bit, significant_bits
from parity.ulp import Format

__all__ = ["FEW", "Piece", "evaluate", "holds", "lowest_place", "wide_type", "width"]

#: A piece of so few numbers is not worth a polynomial.
FEW = 4


def wide_type(kind: Format) -> type[np.floating[Any]]:
    """Return the type that pieces are evaluated in."""
    return np.float64 if kind.precision <= 24 else np.longdouble


def width(kind: Format) -> int:
    """Return the significant bits of that type."""
    return int(np.finfo(wide_type(kind)).nmant) + 1


@dataclasses.dataclass(frozen=True)
class Piece:
    """One run of inputs: magnitudes (bit patterns without sign) from ``start`` up to ``stop``, not included.

    Attributes
    ----------
    negative : bool
        The sign of the inputs.
    center, scale : wide floats
        The polynomial's variable is ``(x - center) * scale``.
    coefficients : ndarray
        Constant term first, in the wide type.
    divisor : float
        What the polynomial is divided by at the end; 1 but for exact rational pieces.
    error : wide float
        Bound on |polynomial - true value|; 0 where exact, inf where every number goes to mpmath.
    sign : int
        The sign of the function on all of the piece, if it is known to have one; else 0.
    """

    start: int
    stop: int
    negative: bool
    center: Any
    scale: Any
    coefficients: NDArray[Any]
    divisor: float
    error: Any
    sign: int = 0


def evaluate(piece: Piece, x: NDArray[Any]) -> NDArray[Any]:
    """Return the polynomial of the piece at the numbers ``x`` (already in the wide type)."""
    highest = len(piece.coefficients) - 1
    if highest == 0:
        return np.full_like(x, piece.coefficients[0])
    t = x - piece.center
    t *= piece.scale
    y: NDArray[Any] = t * piece.coefficients[highest]
    for power in range(highest - 1, 0, -1):
        y += piece.coefficients[power]
        y *= t
    y += piece.coefficients[0]
    if piece.divisor != 1.0:
        y /= piece.divisor
    return y


def lowest_place(a: Fraction, b: Fraction, x: Sequence[Fraction], kind: Format) -> int:
    """Return the exponent of the last place that a + b x can have, for numbers from one of these ``x`` to another."""
    unit = max(math.frexp(float(min(abs(each) for each in x)))[1] - kind.precision, kind.etiny)
    return min([lowest_bit(b) + unit] * bool(b) + [lowest_bit(a)] * bool(a), default=0)


def holds(a: Fraction, b: Fraction, x: Sequence[Fraction], kind: Format) -> bool:
    """Tell whether a + b x is exact in the wide type for every x of a piece, and far from its underflow."""
    if not a and not b:
        return True
    if any(significant_bits(part) > 53 for part in (a, b)):
        return False
    size = abs(a) + abs(b) * max(abs(each) for each in x)
    top = size.numerator.bit_length() - size.denominator.bit_length() + 1
    lowest = lowest_place(a, b, x, kind)
    return top - lowest < width(kind) and lowest > (-1000 if width(kind) <= 53 else -10000)
