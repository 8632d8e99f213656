"""The compiled reading of the words of ``refnet/elementary.py``, for results of float32 and fewer digits.

A formula runs in float64, and its result is rounded once more: an error of 2^-52 or so in a word is far below what
that can show. Kernels whose result is float64 read the words in pairs (``pair_words.py``).

Each word takes Numbers, or floats beside at least one Number, and is a fixed sequence of IEEE 754 operations, so its
bits are the same on every CPU and in every lane of a vector. Nothing branches but `seldom`, which jumps over code that
no lane needs. The polynomials come from ``python -m parity.fit``, which prints them with their errors.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

from refnet import elementary
from refnet.elementary import MODERATE
from refnet.engine import float32_pairs, trace
from refnet.engine.bits import ROUNDER, bits_of, exponent_and_fraction, from_bits, looked_up
from refnet.engine.coefficients import (
    COTH,
    EXP,
    EXP_36,
    EXP_45,
    EXPM1,
    LN2_HI,
    LN2_LO,
    LOG,
    LOG_UNIT,
    LOG_UNIT_36,
    ROOTS,
    ROOTS_LOW,
    TAIL,
)
from refnet.engine.quotient import Quotient, chosen, over_sum
from refnet.engine.shortcut import unless_in_doubt
from refnet.engine.trace import Condition, Number, from_float32, in_float32, in_float64, polynomial, select, sqrt

__all__ = ["FEWER_DIGITS", "TO_FLOAT32", "exp", "exp_coarse", "expm1", "numbers"]

LOG2_E_16 = 23.083120654223414  # 16 / ln 2
LN2_16 = 0.04332169878499658  # ln 2 / 16
LN2_16_HI = LN2_HI / 16
LN2_16_LO = LN2_LO[0] / 16


def numbers(*values: Number | float) -> tuple[Number, ...]:
    """Return all as Numbers; at least one of them must be one."""
    for value in values:
        if isinstance(value, Number):
            return tuple(value.lift(other) for other in values)
    raise TypeError("a formula calls a word on constants only")


def absolute(x: Any) -> Number:
    """Return |x|."""
    return trace.absolute(*numbers(x))


def copysign(x: Any, sign: Any) -> Number:
    """Return x with the sign of ``sign``."""
    return trace.copysign(*numbers(x, sign))


def fma(a: Any, b: Any, c: Any) -> Number:
    """Return a * b + c with one rounding."""
    return trace.fma(*numbers(a, b, c))


def where(condition: Any, a: Any, b: Any) -> Number:
    """Return a where the condition holds, else b; both are computed."""
    if not isinstance(condition, Condition):
        raise TypeError(f"a formula uses a {type(condition).__name__} as a condition")
    return chosen(condition, *_numbers_for(condition, a, b))


def _numbers_for(condition: Condition, *values: Number | float) -> tuple[Number, ...]:
    """Return all as Numbers with as many lanes as the condition."""
    one = condition.number(0.0)
    return tuple(one.lift(value) for value in values)


def seldom(condition: Any, rare: Callable[[], Number], usual: Any) -> Number:
    """Return ``rare()`` where the condition holds, else ``usual``."""
    return trace.seldom(condition, rare, *_numbers_for(condition, usual))


def shortcut(x: Any, least: Any, most: Any, short: Any, bits: int, usual: Callable[[Any], Number]) -> Number:
    """Return ``usual(x)``, which is right for all numbers and formats."""
    return usual(x)


def shortcut_to_float32(x: Any, least: Any, most: Any, short: Any, bits: int, usual: Callable[[Any], Number]) -> Number:
    """Return ``short(x)`` where its error cannot matter, else ``usual(x)``."""
    return unless_in_doubt(x, least, most, short(x), bits, usual)


def split(condition: Any, first: Any, second: Callable[[], Any]) -> Number:
    """Return ``first`` where the condition holds, else ``second()``; both are computed."""
    return where(condition, first, second())


def within(x: Any, least: Any, most: Any) -> Number:
    """Return x, known to be NaN or within these bounds where it counts."""
    (x,) = numbers(x)
    return x if isinstance(least, Number) else x.within(least, most)


def _choose(a: Any, b: Any, sign: str) -> Number:
    """Return a where it compares so with b, and NaN where either is."""
    constant = isinstance(b, (int, float)) and b == b
    a, y = numbers(a, b)
    if not constant:
        return select(a.compare(sign, y) | (a != a), a, y)
    chosen = select(y.compare(sign, a), y, a)  # a's NaN, too: one instruction does it
    limit = max if sign == ">" else min
    return chosen.within(limit(a.least, b), limit(a.most, b))


def maximum(a: Any, b: Any) -> Number:
    """Return the larger; NaN if either is."""
    return _choose(a, b, ">")


def minimum(a: Any, b: Any) -> Number:
    """Return the smaller; NaN if either is."""
    return _choose(a, b, "<")


def _reduced(x: Number, lowest: float, coarse: bool = False) -> tuple[Number, Number, Number]:
    """Return n + `ROUNDER`, which has n in its low bits, t = 2^(n/16) and r: exp(x) = t exp(r), |r| <= 0.0217.

    x counts as 700 where it is more, and as ``lowest`` where it is less. Where it is known to be -41 at least and 40 at
    most, or that is enough (``coarse``), r may be off by 2^-54 of x.
    """
    x = x if x.most <= 700.0 else select(x > 700.0, x.constant(700.0), x)
    x = x if x.least >= lowest else select(x < lowest, x.constant(lowest), x)
    shifted = fma(x, LOG2_E_16, ROUNDER)
    n = shifted - ROUNDER
    near = coarse or (max(lowest, x.least) >= -41.0 and x.most <= MODERATE)
    r = fma(n, -LN2_16, x) if near else fma(n, -LN2_16_LO, fma(n, -LN2_16_HI, x))
    return shifted, from_bits(looked_up(ROOTS, bits_of(shifted)) + (bits_of(shifted) << 48)), r


def _coth(r: Number) -> Number:
    """Return c = r coth(r/2), with which exp(r) = (c + r) / (c - r); it is even in r."""
    return fma(polynomial(COTH, r * r), r * r, 2.0)


def exp(x: Any) -> Number:
    """Return e^x; below exp(-700) and above exp(700) a float32 result is 0 and inf anyway."""
    return exp_sum(x, 0.0)


def exp_coarse(x: Any, coefficients: tuple[float, ...] = EXP_36) -> Number:
    """Return e^x as far as the polynomial is right; below -700 and above 700 as `exp`."""
    (x,) = numbers(x)
    _, t, r = _reduced(x, -700.0, coarse=True)
    return fma(t, fma(polynomial(coefficients, r), r * r, r), t)


def expm1_coarse(x: Any) -> Number:
    """Return e^x - 1 to some 2^-39 of it; below -700 and above 700 as `exp`."""
    (x,) = numbers(x)
    _, t, r = _reduced(x, -700.0, coarse=True)
    return fma(t, fma(polynomial(EXP_45, r), r * r, r), t - 1.0)


def elu_shortcut(x: Any, divisor: Any, above: Any, below: Any, usual: Callable[[Any], Number]) -> Number:
    """Return ``usual(x)``, which is right for all numbers and formats."""
    return usual(x)


def exp_sum(high: Any, low: Any) -> Quotient:
    """Return exp(high + low), where low is the part of an exponent that was rounded away from high."""
    (high,) = numbers(high)
    _, t, r = _reduced(high, -700.0)
    plain = isinstance(low, float) and low == 0.0
    c = _coth(r)
    numerator = t * (c + r)

    def undivided() -> Number:
        power = fma(t, fma(polynomial(EXP, r), r * r, r), t)
        return power if plain else fma(power, low, power)

    if plain:
        return Quotient(numerator, c - r, (high, exp), undivided)
    return Quotient(fma(numerator, low, numerator), c - r, (high, low, exp), undivided)


def exp_times(a: Any, high: Any, low: Any) -> Number:
    """Return a exp(high + low)."""
    return exp_sum(high, low) * a


def expm1(x: Any) -> Number:
    """Return e^x - 1, with all digits near 0, where t is 1 and so exp(r) - 1 or 2 r / (c - r) is left.

    Near there t - 1 is exact but for the rounding of t.
    """
    (x,) = numbers(x)
    shifted, t, r = _reduced(x, -41.0)
    c = _coth(r)
    less = (t - 1.0) + from_bits(looked_up(ROOTS_LOW, bits_of(shifted)))

    def undivided() -> Number:
        return copysign(fma(t, fma(polynomial(EXPM1, r), r * r, r), less), x)

    return Quotient(copysign(fma(less, c, (t + 1.0) * r), x), c - r, (x, expm1), undivided)


def log1p(x: Any) -> Number:
    """Return log(1 + x) = k ln 2 + log(1 + f) + c, where 1 + f is between sqrt(1/2) and sqrt(2)."""
    (x,) = numbers(x)
    u = 1.0 + x
    k, m, scale = exponent_and_fraction(u)
    f = select(k == 0.0, x, m - 1.0)
    s = f / (2.0 + f)
    error = select(k == 0.0, x.constant(0.0), x - (u - 1.0))
    # error / u: half of 1 / m = (1 - s) / (1 + s) to two terms is enough for a part in 2^53
    c = error * scale * polynomial((1.0, -1.0, 0.5), s)
    half_square = 0.5 * f * f
    tail = s * fma(polynomial(LOG, s * s), s * s, half_square) + fma(k, LN2_LO[0], c)
    y = fma(k, LN2_HI, f - (half_square - tail))
    if x.most == inf:
        y = select(x == inf, x, y)
    if x.least >= 0.0:
        return y
    y = select(absolute(x) < 2.0**-54, x, y)  # the sign of a zero
    return select(x > -1.0, y, select(x == -1.0, x.constant(-inf), x.constant(nan)))


def log1p_unit(x: Any) -> Number:
    """Return log(1 + x) = 2 artanh(x / (2 + x)) for 0 <= x <= 1: no exponent to take apart."""
    (x,) = numbers(x)
    s = over_sum(x, x.constant(2.0), x)
    return s * fma(polynomial(LOG_UNIT, s * s), s * s, 2.0)


def log1p_unit_coarse(x: Any) -> Number:
    """Return the same to 2^-36 of it, by a quotient of which nothing waits for the division but what comes after."""
    (x,) = numbers(x)
    above, below = (polynomial(part, x) for part in LOG_UNIT_36)
    return x * above / below


def normal_cdf(x: Any) -> Number:
    """Return the normal distribution function; where the tail is left, at 14.6, a float32 has long been 0."""
    (x,) = numbers(x)
    a = minimum(absolute(x), 14.6)
    square = 0.5 * a * a
    power = exp_sum((-square).within(-107.0, 0.0), -fma(0.5 * a, a, -square))
    above, below = (polynomial(part, a) for part in TAIL)
    numerator, denominator = power.numerator * above, power.denominator * below
    return select(x > 0.0, denominator - numerator, numerator) / denominator


def normal_cdf_times(a: Any, x: Any) -> Number:
    """Return a times the normal distribution function of x."""
    return a * normal_cdf(x)


def sum_odd(a: Any, b: Any) -> Number:
    """Return a + b rounded to odd, where |a| >= |b|; a and its sign where b is 0.

    The sum is first taken towards zero, where rounding went the other way; then its last bit is set if it is inexact.
    """
    a, b = numbers(a, b)
    s = a + b
    error = b - (s - a)
    inexact = (error < 0.0) | (error > 0.0)  # false where an infinity made it NaN
    bits = bits_of(s)
    past = (bits ^ bits_of(error)).filled_with_sign()  # -1 where rounding went away from zero
    odd = from_bits((bits + past) | 1)
    return select(b == 0.0, a, select(inexact, odd, s))


def sum_beyond(a: Any, b: Any) -> Number:
    """Return a + b, where a counts as a float64 number farther from 0 than it is: for results of fewer digits."""
    a, b = numbers(a, b)
    return fma(a, 1.0 + 2.0**-52, b)


def ratio(a: Any, b: Any, c: Any) -> Number:
    """Return a / (b + c): enough where the result is rounded to fewer digits."""
    return over_sum(*numbers(a, b, c))


def hyperbola_gap(x: Any, b: Any) -> Number:
    """Return (sqrt(x^2 + b) - |x|) / 2 = h, the positive root of h (h + |x|) = b / 4."""
    x, b = numbers(x, b)
    a = absolute(x)
    far = a > 1e150
    root = where(far, a, maximum(sqrt(fma(x, x, b)), 1e-300))
    h = ratio(0.25 * b, 0.5 * root, 0.5 * a)
    rest = fma(-h, a, 0.25 * b) - h * h  # b / 4a may lie halfway between two subnormal numbers; h is below it
    return where((h > 0.0) & ~far, sum_odd(h, rest / root), h)


def hyperbola_gap_coarse(x: Any, b: Any) -> Number:
    """Return the same to some 2^-44 of it, where x^2 and b are far from a float32's bounds.

    A guess in float32, of which a vector has twice as many and divides faster, is off by some 2^-22. What it leaves of
    the equation is nearly exact in float64, and one step of Newton's method takes that away.
    """
    x, b = numbers(x, b)
    a = absolute(x)
    a32, b32 = in_float32(a), in_float32(b)
    root = sqrt(a32 * a32 + b32)
    h, r = in_float64(0.5 * b32 / (root + a32)), in_float64(1.0 / root)
    return fma(-fma(h, h + a, -0.25 * b), r, h)


def scaled(x: Any, factor: Any, high: Any, low: Any) -> Number:
    """Return factor x."""
    x, factor = numbers(x, factor)
    return factor * x


def scaled_in_float32(x: Any, factor: Any, high: Any, low: Any) -> Number:
    """Return factor x, rounded to float32, as high x + low x."""
    if isinstance(high, Number):  # beside an `if` constants are numbers like all others
        return scaled(x, factor, high, low)
    narrow = in_float32(*numbers(x))
    rounded = trace.fma(narrow, high, low * narrow)
    return from_float32(rounded)


#: word of refnet.elementary -> its compiled reading for results of float32 and fewer digits
FEWER_DIGITS: dict[Callable[..., Any], Callable[..., Number]] = {
    elementary.absolute: absolute,
    elementary.copysign: copysign,
    elementary.exp: exp,
    elementary.exp_coarse: exp_coarse,
    elementary.exp_sum: exp_sum,
    elementary.exp_times: exp_times,
    elementary.expm1: expm1,
    elementary.expm1_coarse: expm1_coarse,
    elementary.elu_shortcut: elu_shortcut,
    elementary.fma: fma,
    elementary.hyperbola_gap: hyperbola_gap,
    elementary.hyperbola_gap_coarse: hyperbola_gap_coarse,
    elementary.log1p: log1p,
    elementary.log1p_unit: log1p_unit,
    elementary.log1p_unit_coarse: log1p_unit_coarse,
    elementary.maximum: maximum,
    elementary.minimum: minimum,
    elementary.normal_cdf: normal_cdf,
    elementary.normal_cdf_times: normal_cdf_times,
    elementary.polynomial: polynomial,
    elementary.ratio: ratio,
    elementary.scaled: scaled,
    elementary.seldom: seldom,
    elementary.shortcut: shortcut,
    elementary.split: split,
    elementary.sqrt: sqrt,
    elementary.sum_beyond: sum_beyond,
    elementary.sum_odd: sum_odd,
    elementary.where: where,
    elementary.within: within,
}

#: The words that have another reading where results are of float32 itself.
TO_FLOAT32: dict[Callable[..., Any], Callable[..., Number]] = {
    elementary.elu_shortcut: float32_pairs.elu_shortcut,
    elementary.scaled: scaled_in_float32,
    elementary.shortcut: shortcut_to_float32,
}
