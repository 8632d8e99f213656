"""Where a function lies a hair beside a straight line, too near for any polynomial to tell on which side."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np

from parity import truth
from parity.sweep.pieces import FEW, Piece, holds, lowest_place
from parity.sweep.series import COUNTS, coefficients_through, cosines, fixed, short
from parity.ulp import fraction

if TYPE_CHECKING:
    from parity.sweep.model import Model

__all__ = ["Side", "find_sides"]

#: Digits for the distance of a function from a line; half an ulp of that distance may be 2**-721 of it.
_LINE_BITS = 900

#: Parts of a piece tried for a side; a binade of subnormals needs one for each power of two.
_TRIES = 64


@dataclasses.dataclass(frozen=True)
class Side:
    """A run of inputs (magnitudes) on which the function lies a hair above (sign 1) or below (-1) an exact line.

    The hair is smaller than the line's lowest bit, so that between the line and the function there is neither a
    number of the format nor a midpoint: silu(x) = x/2 + x^2/4 - ... for subnormal x is the case in point.
    """

    start: int
    stop: int
    line: Piece
    sign: int


def find_sides(model: Model, piece: Piece) -> list[Side]:
    """Return the runs within a piece where the function keeps to one side of an exact line."""
    m, wide = truth.context(_LINE_BITS), model.wide
    ends = [Fraction(model.number(piece.negative, place)) for place in (piece.start, piece.stop - 1)]
    x = [m.mpf(end.numerator) / end.denominator for end in ends]
    y = [_value(model, each) for each in x]
    if x[0] == x[1] or any(mpmath.isnan(each) or mpmath.isinf(each) for each in y):
        return []
    b = short((y[1] - y[0]) / (x[1] - x[0]), m)
    a = short(y[0] - b * x[0], m)
    if abs(a) < abs(b * x[0]) * m.ldexp(1, -60):
        a = 0 * a
    exact = fraction(a), fraction(b)
    if not holds(*exact, ends, model.kind):
        return []
    coefficients = np.array([float(a), float(b)], wide)
    line = dataclasses.replace(piece, center=wide(0), scale=wide(1), coefficients=coefficients, error=wide(0))
    return _one_sided(model, line, a, b, m.ldexp(1, lowest_place(*exact, ends, model.kind) - 2))


def _one_sided(model: Model, line: Piece, a: Any, b: Any, limit: Any) -> list[Side]:
    """Cut the piece until each part's distance from the line has a sign for certain; leave out what has none."""
    found: list[Side] = []
    work = [(line.start, line.stop)]
    for _ in range(_TRIES):
        if not work:
            break
        start, stop = work.pop()
        if stop - start <= FEW:
            continue
        sign = _side(model, line.negative, start, stop, a, b, limit)
        if sign:
            found.append(Side(start, stop, line, sign))
        elif stop - start > 64 or start == line.start:
            middle = (start + stop) // 2
            work += [(start, middle), (middle, stop)]
    return found


def _side(model: Model, negative: bool, start: int, stop: int, a: Any, b: Any, limit: Any) -> int:
    """Return on which side of the line the function lies for certain: 1 above, -1 below, 0 if that is not sure."""
    m = truth.context(_LINE_BITS)
    first, last = m.mpf(model.number(negative, start)), m.mpf(model.number(negative, stop - 1))
    center, half = (first + last) / 2, (last - first) / 2
    gaps = []
    for cosine in cosines()[0][: COUNTS[-1] + 1 : 2]:
        x = center + half * cosine
        gaps.append(_value(model, x) - (a + b * x))
        if not gaps[-1] or abs(gaps[-1]) >= limit:
            return 0
    largest, smallest = max(abs(each) for each in gaps), min(abs(each) for each in gaps)
    top = int(mpmath.mag(largest))
    tail = max(abs(each) for each in coefficients_through([fixed(each, top) for each in gaps], 16)[-3:])
    return int(m.sign(gaps[0])) if 64 * tail <= fixed(smallest, top) else 0


def _value(model: Model, x: Any) -> Any:
    return truth.value(model.activation, x, model.parameters, model.kind, _LINE_BITS)
