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
from refnet.engine import trace
from refnet.engine.quotient import Quotient, chosen, over_sum
from refnet.engine.shortcut import unless_in_doubt
from refnet.engine.trace import (
    Condition,
    Number,
    bits_of,
    from_bits,
    in_float32,
    in_float64,
    looked_up,
    polynomial,
    select,
    sqrt,
)

__all__ = ["EXP_45", "FEWER_DIGITS", "exp", "exp_coarse", "expm1", "shortcut_to_float32"]

# Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits.
ROUNDER = 6755399441055744.0
LN2_HI = 0.6931471803691238  # 33 bits: n * LN2_HI is exact for |n| < 2^20 (fdlibm)
LN2_LO = 1.9082149292705877e-10  # ln 2 - LN2_HI
LOG2_E_16 = 23.083120654223414  # 16 / ln 2
LN2_16 = 0.04332169878499658  # ln 2 / 16
LN2_16_HI = LN2_HI / 16
LN2_16_LO = LN2_LO / 16
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
ONE_BITS = 0x3FF0000000000000
MANTISSA = 0x000FFFFFFFFFFFFF

#: 2^(n/16) as bits, less n << 48: adding n << 48 for any n, also beyond 15, then gives 2^(n/16).
ROOTS = (
    0x3FF0000000000000,
    0x3FEFB5586CF9890F,
    0x3FEF72B83C7D517B,
    0x3FEF387A6E756238,
    0x3FEF06FE0A31B715,
    0x3FEEDEA64C123422,
    0x3FEEBFDAD5362A27,
    0x3FEEAB07DD485429,
    0x3FEEA09E667F3BCD,
    0x3FEEA11473EB0187,
    0x3FEEACE5422AA0DB,
    0x3FEEC49182A3F090,
    0x3FEEE89F995AD3AD,
    0x3FEF199BDD85529C,
    0x3FEF5818DCFBA487,
    0x3FEFA4AFA2A490DA,
)

#: What their rounding took away for n = -8 to 7, as the bits of a float64.
ROOTS_LOW = (
    0x0000000000000000,
    0x3C98A62E4ADC610B,
    0xBC819041B9D78A76,
    0x3C99B07EB6C70573,
    0x3C86F46AD23182E4,
    0x3C8ADA0911F09EBC,
    0x3C7D4397AFEC42E2,
    0x3C96324C054647AD,
    0xBC8BDD3413B26456,
    0xBC741577EE04992F,
    0x3C86E9F156864B27,
    0x3C6C7C46B071F2BE,
    0x3C87A1CD345DCC81,
    0x3C711065895048DD,
    0x3C72ED02D75B3707,
    0xBC8E9C23179C2893,
)

#: (r coth(r/2) - 2) / r^2, in r^2
COTH = (
    -0.0027777467158147545,
    0.1666666666648431,
)

#: (exp(r) - 1 - r) / r^2
EXP = (
    0.0013889034494096299,
    0.008333449817651228,
    0.04166666666495703,
    0.1666666666529896,
    0.5,
)

#: The same; error 2^-45 of exp(r)
EXP_45 = (
    0.008333426520711666,
    0.04166731897937876,
    0.16666666666119584,
    0.4999999999617042,
)

#: The same; error 2^-36 of exp(r)
EXP_36 = (
    0.04166715590068785,
    0.16666960207694845,
    0.5,
)

#: (exp(r) - 1 - r) / r^2, one degree more: what is left over is small beside r itself
EXPM1 = (
    0.000198414639814658,
    0.0013889063615251755,
    0.008333333332991407,
    0.04166666666358933,
    0.16666666666666669,
    0.5000000000000001,
)

#: (log((1 + s) / (1 - s)) - 2s) / s^3, in s^2, for 1 + x between sqrt(1/2) and sqrt(2)
LOG = (
    0.13089445145246312,
    0.1326850331279476,
    0.15386249788196105,
    0.181817954545265,
    0.2222222239345263,
    0.28571428570795937,
    0.4000000000000089,
    0.6666666666666666,
)

#: The same for 1 + x between 1 and 2; error 2^-58.
LOG_UNIT = (
    0.15631534707431224,
    0.07491639460673266,
    0.10845291032779812,
    0.11734265179376593,
    0.13335179661515711,
    0.15384543917753166,
    0.1818181989926796,
    0.22222222198216113,
    0.28571428571600266,
    0.3999999999999952,
    0.6666666666666666,
)

#: exp(a^2 / 2) times the normal distribution function of -a: numerator and denominator, in a; error 2^-55
TAIL = (
    (
        8.534548811294878e-07,
        2.4856856432861065e-05,
        0.00034978988947387805,
        0.0030913762922039852,
        0.018813368892780173,
        0.0816160441707715,
        0.2527544538222381,
        0.5417687772950663,
        0.7379294552953928,
        0.5,
    ),
    (
        2.139294136724701e-06,
        6.230689908309973e-05,
        0.0008789325253628601,
        0.007811237970241456,
        0.0480306409639282,
        0.21220532437955061,
        0.6789885805087451,
        1.547704348852197,
        2.397722365641445,
        2.273743471393651,
        1.0,
    ),
)


def _numbers(*values: Number | float) -> tuple[Number, ...]:
    """Return all as Numbers; at least one of them must be one."""
    for value in values:
        if isinstance(value, Number):
            return tuple(value.lift(other) for other in values)
    raise TypeError("a formula calls a word on constants only")


def absolute(x: Any) -> Number:
    """Return |x|."""
    return trace.absolute(*_numbers(x))


def copysign(x: Any, sign: Any) -> Number:
    """Return x with the sign of ``sign``."""
    return trace.copysign(*_numbers(x, sign))


def fma(a: Any, b: Any, c: Any) -> Number:
    """Return a * b + c with one rounding."""
    return trace.fma(*_numbers(a, b, c))


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
    (x,) = _numbers(x)
    return x if isinstance(least, Number) else x.within(least, most)


def _choose(a: Any, b: Any, sign: str) -> Number:
    """Return a where it compares so with b, and NaN where either is."""
    constant = isinstance(b, (int, float)) and b == b
    a, y = _numbers(a, b)
    if not constant:
        return select(a.compare(sign, y) | (a != a), a, y)
    chosen = select(a.compare(sign, y, unordered=True), a, y)  # one comparison does: it holds where a is NaN
    limit = max if sign == ">" else min
    return chosen.within(limit(a.least, b), limit(a.most, b))


def maximum(a: Any, b: Any) -> Number:
    """Return the larger; NaN if either is."""
    return _choose(a, b, ">")


def minimum(a: Any, b: Any) -> Number:
    """Return the smaller; NaN if either is."""
    return _choose(a, b, "<")


def _power_of_two(n: Number) -> Number:
    """Return 2^n for an integer -1022 <= n <= 1023 held in a float64."""
    return from_bits((bits_of(n + ROUNDER) + 1023) << 52)


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
    (x,) = _numbers(x)
    _, t, r = _reduced(x, -700.0, coarse=True)
    return fma(t, fma(polynomial(coefficients, r), r * r, r), t)


def expm1_coarse(x: Any) -> Number:
    """Return e^x - 1 to some 2^-39 of it; below -700 and above 700 as `exp`."""
    (x,) = _numbers(x)
    _, t, r = _reduced(x, -700.0, coarse=True)
    return fma(t, fma(polynomial(EXP_45, r), r * r, r), t - 1.0)


def exp_sum(high: Any, low: Any) -> Quotient:
    """Return exp(high + low), where low is the part of an exponent that was rounded away from high."""
    (high,) = _numbers(high)
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
    (x,) = _numbers(x)
    shifted, t, r = _reduced(x, -41.0)
    c = _coth(r)
    less = (t - 1.0) + from_bits(looked_up(ROOTS_LOW, bits_of(shifted)))

    def undivided() -> Number:
        return copysign(fma(t, fma(polynomial(EXPM1, r), r * r, r), less), x)

    return Quotient(copysign(fma(less, c, (t + 1.0) * r), x), c - r, (x, expm1), undivided)


def log1p(x: Any) -> Number:
    """Return log(1 + x) = k ln 2 + log(1 + f) + c, where 1 + f is between sqrt(1/2) and sqrt(2)."""
    (x,) = _numbers(x)
    u = 1.0 + x
    shifted = bits_of(u) + (ONE_BITS - SQRT_HALF_BITS)
    k = from_bits((shifted >> 52) | 0x4330000000000000) - (4503599627370496.0 + 1023.0)
    m = from_bits((shifted & MANTISSA) + SQRT_HALF_BITS)
    f = select(k == 0.0, x, m - 1.0)
    s = f / (2.0 + f)
    error = select(k == 0.0, x.constant(0.0), x - (u - 1.0))
    # error / u: 1 / m = (1 - s) / (1 + s) to three terms is enough for a part in 2^53
    c = error * _power_of_two(-k) * (1.0 - 2.0 * s + 2.0 * s * s - 2.0 * s * s * s)
    half_square = 0.5 * f * f
    tail = s * fma(polynomial(LOG, s * s), s * s, half_square) + fma(k, LN2_LO, c)
    y = fma(k, LN2_HI, f - (half_square - tail))
    y = select(absolute(x) < 2.0**-54, x, y)
    y = select(x == inf, x, y)
    return select(x > -1.0, y, select(x == -1.0, x.constant(-inf), x.constant(nan)))


def log1p_unit(x: Any) -> Number:
    """Return log(1 + x) = 2 artanh(x / (2 + x)) for 0 <= x <= 1: no exponent to take apart."""
    (x,) = _numbers(x)
    s = over_sum(x, x.constant(2.0), x)
    return s * fma(polynomial(LOG_UNIT, s * s), s * s, 2.0)


def normal_cdf(x: Any) -> Number:
    """Return the normal distribution function; where the tail is left, at 14.6, a float32 has long been 0."""
    (x,) = _numbers(x)
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
    a, b = _numbers(a, b)
    s = a + b
    error = b - (s - a)
    inexact = (error < 0.0) | (error > 0.0)  # false where an infinity made it NaN
    bits = bits_of(s)
    past = (bits ^ bits_of(error)).filled_with_sign()  # -1 where rounding went away from zero
    odd = from_bits((bits + past) | 1)
    return select(b == 0.0, a, select(inexact, odd, s))


def ratio(a: Any, b: Any, c: Any) -> Number:
    """Return a / (b + c): enough where the result is rounded to fewer digits."""
    return over_sum(*_numbers(a, b, c))


def hyperbola_gap(x: Any, b: Any) -> Number:
    """Return (sqrt(x^2 + b) - |x|) / 2 = h, the positive root of h (h + |x|) = b / 4."""
    x, b = _numbers(x, b)
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
    x, b = _numbers(x, b)
    a = absolute(x)
    a32, b32 = in_float32(a), in_float32(b)
    root = sqrt(a32 * a32 + b32)
    h, r = in_float64(0.5 * b32 / (root + a32)), in_float64(1.0 / root)
    return fma(-fma(h, h + a, -0.25 * b), r, h)


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
    elementary.fma: fma,
    elementary.hyperbola_gap: hyperbola_gap,
    elementary.hyperbola_gap_coarse: hyperbola_gap_coarse,
    elementary.log1p: log1p,
    elementary.log1p_unit: log1p_unit,
    elementary.maximum: maximum,
    elementary.minimum: minimum,
    elementary.normal_cdf: normal_cdf,
    elementary.normal_cdf_times: normal_cdf_times,
    elementary.polynomial: polynomial,
    elementary.ratio: ratio,
    elementary.seldom: seldom,
    elementary.shortcut: shortcut,
    elementary.split: split,
    elementary.sqrt: sqrt,
    elementary.sum_odd: sum_odd,
    elementary.where: where,
    elementary.within: within,
}
