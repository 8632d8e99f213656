"""True results of rows in pairs of float64, each with a bound that is derived: stage 1 of `parity.sweep.row_truth`.

Rows lie along the last axis and are finite, but that softmax and log_softmax take entries of -inf, whose exponentials
are nothing. Exponents are kept beside the pairs, so that nothing underflows that could matter.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.sweep import pairs

__all__ = ["DOUBT", "LOG_DOUBT", "RULES", "Wide", "glu", "ldexp", "log_softmax", "softmax"]

Floats = NDArray[np.float64]

#: Doubt of softmax and glu, relative to the result. Two exponentials of 2^-86, one of them in a sum, then operations of
#: pairs: at most 15 sums of 4 u^2 (rows are shorter than 2^14) and a quotient and a product of 24 u^2, below 2^-98.
DOUBT = 2.0**-84

#: Doubt of the logarithm in log_softmax, relative to it (see `_log1p`).
LOG_DOUBT = 2.0**-80

#: What is smaller beside 1 than this is not looked at in pairs: only on which side of them the value lies.
_SLIGHT = 2.0**-60

#: A logarithm below 2 to this power is left out of a difference, and only its sign is kept.
_LEAST = -900


@dataclasses.dataclass(frozen=True)
class Wide:
    """Values ``(high + middle + low) * 2**scale`` to within ``doubt * 2**scale``.

    Where ``side`` is not 0, the true value lies on that side of the sum, however near.
    """

    parts: tuple[Floats, Floats, Floats]
    scale: NDArray[np.int64]
    doubt: Floats
    side: Floats


def ldexp(x: Any, power: Any) -> Any:
    """Return x * 2**power; powers may be of any size."""
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(x, np.clip(power, -5000, 5000).astype(np.int32))


@dataclasses.dataclass(frozen=True)
class _Terms:
    """What softmax and log_softmax are made of: gaps to the highest entry, exponentials, and their sum but for one 1.

    Gaps are ``gap * 2**scale``, exponentials ``power * 2**exponent``, the rest ``rest * 2**level``.
    """

    gap: pairs.Pair
    scale: NDArray[np.int64]
    power: pairs.Pair
    exponent: NDArray[np.int64]
    rest: pairs.Pair
    level: NDArray[np.int64]


def _terms(x: Floats) -> _Terms:
    highest, first = x.max(axis=-1, keepdims=True), x.argmax(axis=-1, keepdims=True)
    there = np.isfinite(x)
    x = np.where(there, x, highest)
    scale = np.where(np.abs(x).max(axis=-1, keepdims=True) > 2.0**1000, 2, 0)  # a difference must not overflow
    gap = pairs.two_sum(ldexp(x, -scale), -ldexp(highest, -scale))
    deep = np.maximum(ldexp(gap[0], scale), pairs.DEEPEST)  # exp of what is deeper is nothing in every format too
    power, exponent = pairs.exponential((deep, np.where(deep > pairs.DEEPEST, ldexp(gap[1], scale), 0.0)))
    others = there.copy()
    np.put_along_axis(others, first, False, axis=-1)
    level = np.where(others, exponent, np.iinfo(np.int32).min).max(axis=-1, keepdims=True)
    high, low = (np.where(others, ldexp(part, exponent - level), 0.0) for part in power)
    return _Terms(gap, scale, power, exponent, pairs.total((high, low)), level)


def softmax(x: Floats) -> Wide:
    """Return quotients of an exponential and the sum of all."""
    found = _terms(x)
    rest = ldexp(found.rest[0], found.level), ldexp(found.rest[1], found.level)
    share = pairs.divide(found.power, pairs.add((np.ones_like(rest[0]), np.zeros_like(rest[0])), rest))
    alone = (found.gap[0] == 0) & (found.rest[0] == 0)
    # Beside next to nothing the highest is next to 1, and below it.
    below = (found.gap[0] == 0) & ~alone & (rest[0] < _SLIGHT)
    doubt = np.where(alone, 0.0, DOUBT * share[0])
    return Wide((*share, np.zeros_like(share[0])), found.exponent, doubt, np.where(below, -1.0, 0.0))


def log_softmax(x: Floats) -> Wide:
    """Return gaps less the logarithm of the sum: the gap is exact, and where it is 0 the logarithm stands alone."""
    found = _terms(x)
    logarithm, level = _log1p(found.rest, found.level)
    left_out = (level < _LEAST) & (logarithm[0] > 0)
    beside = tuple(np.where(left_out, 0.0, ldexp(part, level - found.scale)) for part in logarithm)
    high, rest = pairs.two_sum(found.gap[0], -beside[0])
    middle, low = pairs.two_sum(found.gap[1], -beside[1])
    middle, lower = pairs.two_sum(rest, middle)
    high, middle = pairs.two_sum(high, middle)
    middle, low = pairs.two_sum(middle, lower + low)
    doubt = LOG_DOUBT * beside[0] + 2.0**-52 * np.abs(low) + np.where(left_out, 2.0**_LEAST, 0.0)
    top = found.gap[0] == 0
    parts = (
        np.where(top, -logarithm[0], high),
        np.where(top, -logarithm[1], middle),
        np.where(top, 0.0, low),
    )
    doubt = np.where(top, LOG_DOUBT * logarithm[0], doubt)
    return Wide(parts, np.where(top, level, found.scale), doubt, np.where(~top & left_out, -1.0, 0.0))


@functools.cache
def _odd() -> list[pairs.Pair]:
    return [pairs.of(Fraction(1, 2 * power + 1)) for power in range(10)]


def _log1p(rest: pairs.Pair, level: NDArray[np.int64]) -> tuple[pairs.Pair, NDArray[np.int64]]:
    """Return log(1 + r) of r = rest * 2**level, positive or 0, as a pair times a power of two, to within `LOG_DOUBT`.

    Below 1/16 it is twice the series of atanh in s = r / (2 + r) < 2^-5: ten terms, as the next is 2^-104 beside the
    first; each step costs 12 u^2 and r brings 2^-85.9. From there on a logarithm y in float64 is corrected once:
    log(1 + r) = y + log(1 + z), z = (1 + r) exp(-y) - 1, where z is at most 2^-45, known to 2^-85.8, and log(1 + z)
    = z - z^2 / 2 to 2^-136. With what r brings that is 2^-84.8, beside a logarithm of 0.06 and more 2^-80.7.
    """
    zero, one = np.zeros_like(rest[0]), np.ones_like(rest[0])
    r = ldexp(rest[0], level), ldexp(rest[1], level)
    s = pairs.divide(rest, pairs.add((2.0 * one, zero), r))
    square = pairs.multiply(s, s)
    square = ldexp(square[0], 2 * level), ldexp(square[1], 2 * level)
    series: pairs.Pair = (zero, zero)
    for coefficient in reversed(_odd()):
        series = pairs.add(pairs.multiply(series, square), (coefficient[0] * one, coefficient[1] * one))
    small = pairs.multiply((2.0 * s[0], 2.0 * s[1]), series)
    y = np.log1p(r[0])
    (high, low), power = pairs.exponential((-y, zero))
    product = pairs.multiply(pairs.add((one, zero), r), (ldexp(high, power), ldexp(low, power)))
    z = pairs.add(product, (-one, zero))
    large = pairs.add((y, zero), pairs.add(z, (-0.5 * z[0] * z[0], zero)))
    little = r[0] < 1 / 16
    return (np.where(little, small[0], large[0]), np.where(little, small[1], large[1])), np.where(little, level, 0)


def glu(x: Floats) -> Wide:
    """Return a sigmoid(b): a quotient of exponentials, and next to b = 0 half of a, on b's side of it."""
    half = x.shape[-1] // 2
    a, exponent = np.frexp(x[..., :half])
    b = x[..., half:]
    power, level = pairs.exponential((np.maximum(-np.abs(b), pairs.DEEPEST), np.zeros_like(b)))
    below = ldexp(power[0], level), ldexp(power[1], level)
    one = np.ones_like(b), np.zeros_like(b)
    closing = b < 0
    upper = np.where(closing, power[0], 1.0), np.where(closing, power[1], 0.0)
    gate = pairs.multiply(pairs.divide(upper, pairs.add(one, below)), (a, one[1]))
    middle = np.abs(b) < 2.0**-100
    high, low = np.where(middle, a / 2, gate[0]), np.where(middle, 0.0, gate[1])
    side = np.where(middle, np.sign(a) * np.sign(b), np.where(~closing & (below[0] < _SLIGHT), -np.sign(a), 0.0))
    doubt = np.where(middle, np.abs(b), DOUBT * np.abs(high))
    scale = exponent + np.where(closing & ~middle, level, 0)
    return Wide((high, low, one[1]), scale, doubt, side)


#: What is known of an activation's true values, by its name.
RULES: dict[str, Callable[[Floats], Wide]] = {rule.__name__: rule for rule in (softmax, log_softmax, glu)}
