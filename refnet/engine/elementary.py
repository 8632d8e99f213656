"""The compiled reading of the words of ``refnet/elementary.py``, for results of float32 and fewer digits.

A formula runs in float64, and its result is rounded once more: an error of 2^-52 or so in a word is far below what
that can show. Kernels whose result is float64 read the words in pairs (``pair_words.py``).

No word has a branch: both sides of every choice are computed and one is selected, so that LLVM turns a loop
over a formula into vector code. Each is a fixed sequence of IEEE 754 operations, so its bits are the same on
every CPU. The polynomials come from ``python -m parity.fit``, which prints them with their errors.
"""

from __future__ import annotations

from collections.abc import Callable
from math import copysign as _copysign, inf, nan, sqrt as _sqrt
from typing import Any

import numba

from refnet import elementary
from refnet.engine.formulas import ROUNDED
from refnet.engine.intrinsics import bits_of, fma, from_bits, select

word = numba.njit(error_model="numpy", forceinline=True)  # a call inside the loop would keep it from vector code

# Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits.
ROUNDER = 6755399441055744.0
LOG2_E = 1.4426950408889634
LN2_HI = 0.6931471803691238  # 33 bits: n * LN2_HI is exact for |n| < 2^20 (fdlibm)
LN2_LO = 1.9082149292705877e-10  # ln 2 - LN2_HI
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
ONE_BITS = 0x3FF0000000000000
MANTISSA = 0x000FFFFFFFFFFFFF


@word
def absolute(x: float) -> float:
    return abs(x)


@word
def copysign(x: float, sign: float) -> float:
    return _copysign(x, sign)


@word
def sqrt(x: float) -> float:
    return _sqrt(x)


@word
def where(condition: bool, a: float, b: float) -> float:
    return select(condition, a, b)


@word
def maximum(a: float, b: float) -> float:
    larger = select((a > b) | (a != a), a, b)
    return larger


@word
def minimum(a: float, b: float) -> float:
    return select((a < b) | (a != a), a, b)


@word
def _power_of_two(n: float) -> float:
    """2^n for an integer -1022 <= n <= 1023 held in a float64."""
    return from_bits((bits_of(n + ROUNDER) + 1023) << 52)


@word
def _reduce_single(x: float) -> tuple[float, float]:
    """x = n ln 2 + r, |r| <= 0.35; returns n + ROUNDER, which has n in its low bits, and r."""
    shifted = fma(x, LOG2_E, ROUNDER)
    n = shifted - ROUNDER
    return shifted, fma(n, -LN2_LO, fma(n, -LN2_HI, x))


@word
def _second_order_single(r: float) -> float:
    """(exp(r) - 1 - r) / r^2 for |r| <= 0.35; error 2^-55 of exp(r)."""
    q = 2.5095589467479502e-08
    q = fma(q, r, 2.7613852100963253e-07)
    q = fma(q, r, 2.755728000429909e-06)
    q = fma(q, r, 2.480153630713628e-05)
    q = fma(q, r, 0.00019841269854370018)
    q = fma(q, r, 0.0013888888905922382)
    q = fma(q, r, 0.008333333333332152)
    q = fma(q, r, 0.04166666666665131)
    q = fma(q, r, 0.16666666666666666)
    return fma(q, r, 0.5)


@word
def exp_single(x: float) -> float:
    """`exp` for a float32 result: below exp(-700) and above exp(700) that is 0 and inf anyway."""
    clamped = select(x > 700.0, 700.0, x)
    shifted, r = _reduce_single(select(clamped < -700.0, -700.0, clamped))
    p = fma(fma(_second_order_single(r), r, 1.0), r, 1.0)
    return from_bits(bits_of(p) + (bits_of(shifted) << 52))


@word
def exp_sum_single(high: float, low: float) -> float:
    """`exp_sum` for a float32 result."""
    p = exp_single(high)
    return fma(p, low, p)


@word
def exp_times_single(a: float, high: float, low: float) -> float:
    """`exp_times` for a float32 result."""
    return a * exp_sum_single(high, low)


@word
def expm1_single(x: float) -> float:
    """`expm1` for a float32 result."""
    clamped = select(x > 700.0, 700.0, x)
    shifted, r = _reduce_single(select(clamped < -41.0, -41.0, clamped))
    t = from_bits(ONE_BITS + (bits_of(shifted) << 52))
    return copysign(fma(t, r * r * _second_order_single(r), fma(t, r, t - 1.0)), x)


@word
def _log1p_reduced(x: float) -> tuple[float, float, float, float]:
    """1 + x = 2^k (1 + f)(1 + c), with 1 + f in [sqrt(1/2), sqrt 2) and c tiny; also s = f / (2 + f)."""
    u = 1.0 + x
    shifted = bits_of(u) + (ONE_BITS - SQRT_HALF_BITS)
    k = from_bits((shifted >> 52) | 0x4330000000000000) - (4503599627370496.0 + 1023.0)
    m = from_bits((shifted & MANTISSA) + SQRT_HALF_BITS)
    f = select(k == 0.0, x, m - 1.0)
    s = f / (2.0 + f)
    error = select(k == 0.0, 0.0, x - (u - 1.0))
    # error / u: 1 / m = (1 - s) / (1 + s) to three terms is enough for a part in 2^53
    scale = _power_of_two(-k)
    return k, f, s, error * scale * (1.0 - 2.0 * s + 2.0 * s * s - 2.0 * s * s * s)


@word
def log1p(x: float) -> float:
    k, f, s, c = _log1p_reduced(x)
    z = s * s
    r = 0.13089445145246312
    r = fma(r, z, 0.1326850331279476)
    r = fma(r, z, 0.15386249788196105)
    r = fma(r, z, 0.181817954545265)
    r = fma(r, z, 0.2222222239345263)
    r = fma(r, z, 0.28571428570795937)
    r = fma(r, z, 0.4000000000000089)
    r = fma(r, z, 0.6666666666666666)
    half_square = 0.5 * f * f
    tail = s * fma(r, z, half_square) + fma(k, LN2_LO, c)
    y = fma(k, LN2_HI, f - (half_square - tail))
    y = select(absolute(x) < 2.0**-54, x, y)
    y = select(x == inf, inf, y)
    return select(x > -1.0, y, select(x == -1.0, -inf, nan))


@word
def log1p_unit(x: float) -> float:
    """`log1p` for 0 <= x <= 1: no exponent to take apart; error of the polynomial 2^-58."""
    s = x / (2.0 + x)
    z = s * s
    r = 0.15631534707431224
    r = fma(r, z, 0.07491639460673266)
    r = fma(r, z, 0.10845291032779812)
    r = fma(r, z, 0.11734265179376593)
    r = fma(r, z, 0.13335179661515711)
    r = fma(r, z, 0.15384543917753166)
    r = fma(r, z, 0.1818181989926796)
    r = fma(r, z, 0.22222222198216113)
    r = fma(r, z, 0.28571428571600266)
    r = fma(r, z, 0.3999999999999952)
    r = fma(r, z, 0.6666666666666666)
    half_square = 0.5 * x * x
    return x - (half_square - s * fma(r, z, half_square))


@word
def normal_cdf_single(x: float) -> float:
    """`normal_cdf` for a float32 result: the tail ends at 14.6; error of the polynomial 2^-54."""
    a = absolute(x)
    a = select(a > 14.6, 14.6, a)
    t = (a - 4.0) / (a + 4.0)
    e = 1.875923830078204e-09
    e = fma(e, t, 8.945404650882576e-09)
    e = fma(e, t, 4.885815635804764e-09)
    e = fma(e, t, -5.175481213066307e-08)
    e = fma(e, t, -8.997126207895631e-08)
    e = fma(e, t, 2.0660720191829503e-07)
    e = fma(e, t, 6.594566428968789e-07)
    e = fma(e, t, -8.300702344132688e-07)
    e = fma(e, t, -4.302972289673924e-06)
    e = fma(e, t, 4.631809549196713e-06)
    e = fma(e, t, 2.864824241880191e-05)
    e = fma(e, t, -4.555494521478779e-05)
    e = fma(e, t, -0.00018718425834547507)
    e = fma(e, t, 0.0006388138575335977)
    e = fma(e, t, 0.000507562074295614)
    e = fma(e, t, -0.008492095482468097)
    e = fma(e, t, 0.030864804106345827)
    e = fma(e, t, -0.07170740733772711)
    e = fma(e, t, 0.124379255339263)
    e = fma(e, t, -0.1703977215484555)
    e = fma(e, t, 0.09441064130196894)
    square = 0.5 * a * a
    q = exp_sum_single(-square, -fma(0.5 * a, a, -square)) * e
    return select(x > 0.0, 1.0 - q, q)


@word
def normal_cdf_times_single(a: float, x: float) -> float:
    return a * normal_cdf_single(x)


@word
def sum_odd(a: float, b: float) -> float:
    s = a + b
    back = s - a
    error = (a - (s - back)) + (b - back)
    bits = bits_of(s)
    away = (error > 0.0) == (s > 0.0)
    odd = from_bits(bits + (1 if away else -1))
    inexact = (error < 0.0) | (error > 0.0)  # false where an infinity made it NaN
    return select(b == 0.0, a, select(inexact & ((bits & 1) == 0), odd, s))


@word
def plain_ratio(a: float, b: float, c: float) -> float:
    """a / (b + c): enough for `ratio` where the result is rounded to fewer digits."""
    return a / (b + c)


_SHARED: dict[Callable[..., Any], Any] = {
    elementary.absolute: absolute,
    elementary.copysign: copysign,
    elementary.fma: fma,
    elementary.maximum: maximum,
    elementary.minimum: minimum,
    elementary.sqrt: sqrt,
    elementary.where: where,
}

_FEWER_DIGITS: dict[Callable[..., Any], Any] = {
    **_SHARED,
    elementary.exp: exp_single,
    elementary.exp_sum: exp_sum_single,
    elementary.exp_times: exp_times_single,
    elementary.expm1: expm1_single,
    elementary.log1p: log1p,
    elementary.log1p_unit: log1p_unit,
    elementary.normal_cdf: normal_cdf_single,
    elementary.normal_cdf_times: normal_cdf_times_single,
    elementary.ratio: plain_ratio,
    elementary.sum_odd: sum_odd,
}

#: dtype of the result -> word of refnet.elementary -> its compiled reading. "half" is float16 and bfloat16: float64
#: numbers that will be rounded to them.
COMPILED: dict[str, dict[Callable[..., Any], Any]] = {
    "float32": _FEWER_DIGITS,
    "half": _FEWER_DIGITS,
    "float64": {**ROUNDED, **_SHARED},
}
