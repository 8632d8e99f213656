"""Pairs of float64: unevaluated sums of some 106 bits, and the exponential in them, with bounds that are derived.

``u`` is 2^-53. The sums and products are those of Joldes, Muller and Popescu (ACM TOMS 44, 2017), whose bounds hold as
long as nothing overflows or underflows: callers keep exponents apart, as integers beside the pair.
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DEEPEST", "Pair", "add", "divide", "exponential", "multiply", "of", "quick_sum", "total", "two_sum"]

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]

#: `exponential` takes numbers from here to 0.
DEEPEST = -70_000.0

#: log(2) in three parts, the first two of 36 bits: their products with integers below 2^17 are exact.
_LN2 = tuple(map(float.fromhex, ("0x1.62e42fefap-1", "0x1.cf79abc9ep-40", "0x1.d9cc01f97b57ap-79")))

#: Degree of the polynomial, and the power from which on its coefficients are plain float64.
_DEGREE, _PLAIN = 21, 11


def two_sum(a: Any, b: Any) -> Pair:
    """Return a + b and what its rounding lost, exactly.

    Examples
    --------
    >>> two_sum(1.0, 2.0**-60) == (1.0, 2.0**-60)
    True
    """
    total = a + b
    kept = total - a
    return total, (a - (total - kept)) + (b - kept)


def quick_sum(a: Any, b: Any) -> Pair:
    """Return what `two_sum` does, where ``a`` is zero or has no smaller exponent than ``b``."""
    total = a + b
    return total, b - (total - a)


def _split(a: Any) -> Pair:
    """Return two halves of 26 bits (Veltkamp)."""
    scaled = 134217729.0 * a
    high = scaled - (scaled - a)
    return high, a - high


def two_product(a: Any, b: Any) -> Pair:
    """Return a * b and what its rounding lost, exactly (Dekker), for factors below 2^990."""
    product = a * b
    (a1, a0), (b1, b0) = _split(a), _split(b)
    return product, ((a1 * b1 - product) + a1 * b0 + a0 * b1) + a0 * b0


def add(x: Pair, y: Pair) -> Pair:
    """Return the sum of two pairs, to within 4 u^2 of it (their algorithm 6)."""
    high, rest = two_sum(x[0], y[0])
    low, lost = two_sum(x[1], y[1])
    high, rest = quick_sum(high, rest + low)
    return quick_sum(high, rest + lost)


def multiply(x: Pair, y: Pair) -> Pair:
    """Return the product of two pairs, to within 8 u^2 of it (their algorithm 11 has 7)."""
    high, low = two_product(x[0], y[0])
    return quick_sum(high, low + (x[0] * y[1] + x[1] * y[0]))


def divide(x: Pair, y: Pair) -> Pair:
    """Return the quotient of two pairs, to within 16 u^2 of it (their algorithm 17 has 15)."""
    first = x[0] / y[0]
    high, low = two_product(first, y[0])
    product = quick_sum(high, low + first * y[1])
    rest = (x[0] - product[0]) + (x[1] - product[1])
    return quick_sum(first, rest / y[0])


def total(x: Pair) -> Pair:
    """Return the sums along the last axis, which keeps length 1: of n numbers of one sign within 4 u^2 log2(2 n)."""
    high, low = x
    while high.shape[-1] > 1:
        if high.shape[-1] % 2:
            zero = np.zeros((*high.shape[:-1], 1))
            high, low = np.concatenate([high, zero], -1), np.concatenate([low, zero], -1)
        high, low = add((high[..., ::2], low[..., ::2]), (high[..., 1::2], low[..., 1::2]))
    return high, low


def of(number: Fraction) -> Pair:
    """Return the pair nearest to a fraction.

    Examples
    --------
    >>> float(of(Fraction(1, 3))[0])
    0.3333333333333333
    """
    high = float(number)
    return np.float64(high), np.float64(float(number - Fraction(high)))  # type: ignore[return-value]


@functools.cache
def _coefficients() -> list[Pair]:
    return [of(Fraction(1, math.factorial(power))) for power in range(_DEGREE + 1)]


def exponential(x: Pair) -> tuple[Pair, NDArray[np.int64]]:
    """Return exp of pairs from `DEEPEST` to 0 as pairs between 0.7 and 1.5 times a power of two, to within 2^-86.

    With k = x / log(2) to the nearest integer, exp(x) = exp(r) 2^k for r = x - k log(2), |r| < 0.35. What is lost,
    relative to exp(x): in r, three roundings of a sum whose largest part, the low half of x, is at most 2^-36.9, some
    2^-88; beyond the last power 0.35^22 / 22! < 2^-103; in the plain powers, from the 11th on, 21 roundings relative
    to at most 0.35^11 / 11! < 2^-41.9, and r without its low half there, some 2^-90; in the powers of pairs 11 sums
    and products of 12 u^2 each, some 2^-98.

    Examples
    --------
    >>> (high, low), power = exponential((np.float64([-1.0]), np.zeros(1)))
    >>> float(np.ldexp(high, power)[0])
    0.36787944117144233
    """
    k = np.rint(x[0] / math.log(2.0))
    high, low = two_sum(x[0], -k * _LN2[0])
    high, lower = two_sum(high, -k * _LN2[1])
    r = two_sum(high, ((low + lower) + x[1]) - k * _LN2[2])
    coefficients = _coefficients()
    plain = np.full_like(r[0], coefficients[_DEGREE][0])
    for power in range(_DEGREE - 1, _PLAIN - 1, -1):
        plain = plain * r[0] + coefficients[power][0]
    value: Pair = (plain, np.zeros_like(plain))
    for power in range(_PLAIN - 1, -1, -1):
        value = add(multiply(value, r), coefficients[power])
    return value, k.astype(np.int64)
