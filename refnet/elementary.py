"""The words that formulas are written in, as NumPy reads them.

Each word of ``__all__`` has two more, compiled meanings: for results of float32 and fewer digits in
``refnet/engine/elementary.py``, for those of float64 in ``refnet/engine/pair_words.py``. A formula that uses only these
words, arithmetic and comparisons runs unchanged in all of them.

The others (`choose`, `cosh`, `ncdf`, `npdf`, `pi`, `tanh` for derivatives, `two_sum` for arrays) are never compiled.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "absolute",
    "copysign",
    "elu_shortcut",
    "exp",
    "exp_coarse",
    "exp_sum",
    "exp_times",
    "expm1",
    "expm1_coarse",
    "fma",
    "hyperbola_gap",
    "hyperbola_gap_coarse",
    "log1p",
    "log1p_unit",
    "log1p_unit_coarse",
    "maximum",
    "minimum",
    "normal_cdf",
    "normal_cdf_times",
    "polynomial",
    "ratio",
    "scaled",
    "seldom",
    "shortcut",
    "split",
    "sqrt",
    "sum_beyond",
    "sum_odd",
    "where",
    "within",
]

#: When this process loaded the first file that is compiled: a file that is newer may differ from what runs.
LOADED = time.time()

absolute = np.abs
copysign = np.copysign
exp = np.exp
expm1 = np.expm1
log1p = np.log1p
maximum = np.maximum
minimum = np.minimum
sqrt = np.sqrt
where = np.where

cosh = np.cosh
pi = np.longdouble("3.14159265358979323846")
tanh = np.tanh

#: Below this the next term of a series around 0 is under 2^-54 of the value, in each function that begins with one.
NEAR_ZERO = 2.0**-10

#: The middle between two float32 numbers, for a ``short(x)`` of `shortcut` that does not hold.
IN_DOUBT = 1.0 + 2.0**-24

#: Up to here, both ways, nothing overflows, and the engine's exp, told so by `within`, has a shorter way.
MODERATE = 40.0

# Below this exp(x) is subnormal in float64, or nearly. There the exponent gets DEEP_HIGH + DEEP_LOW = 1088 log 2 added,
# which makes the result 2^1088 times as large; x + DEEP_HIGH is exact down to -1500, where any product is 0.
DEEP = -700.0
DEEP_HIGH = 754.1441324492205
DEEP_LOW = 1.8125801977046738e-14

_SQRT_HALF = 0.7071067811865476
_SQRT_HALF_LOW = -4.833646656726457e-17  # sqrt(1/2) - _SQRT_HALF
_TWO_OVER_SQRT_PI = 1.1283791670955126

_erfc = np.frompyfunc(math.erfc, 1, 1)


def erfc(x: Any) -> Any:
    """Return the complementary error function, 1 - erf(x), without the cancellation (float64)."""
    return np.asarray(_erfc(x), dtype=np.float64)[()]


def log1p_unit(x: Any) -> Any:
    """Return log(1 + x) for 0 <= x <= 1; the engine has a shorter way there."""
    return np.log1p(x)


def log1p_unit_coarse(x: Any) -> Any:
    """Return log(1 + x) for 0 <= x <= 1; for results of fewer digits the engine's is off by up to 2^-36 of it."""
    return np.log1p(x)


def fma(a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c with (almost always) one rounding, as the processor's instruction does.

    The product is split into its rounded value and its exact error (Veltkamp, Dekker, "A floating-point technique
    for extending the available precision", 1971).
    """
    product = np.asarray(a * b, dtype=np.float64)
    high_a, low_a = _halves(a)
    high_b, low_b = _halves(b)
    error = ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
    total, lost = two_sum(product, c)
    rest = lost + error
    kept = np.isfinite(rest) & (rest != 0.0)  # adding a zero would lose the sign of another
    return np.where(kept, total + rest, product + c)[()]


def _halves(a: Any) -> tuple[Any, Any]:
    """Split a into two numbers of 26 bits, whose products are exact."""
    scaled = 134217729.0 * a  # 2^27 + 1
    high = scaled - (scaled - a)
    return high, a - high


def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """Return a + b rounded, and what the rounding lost, exactly (Knuth)."""
    total = np.asarray(a + b, dtype=np.float64)
    kept = total - a
    return total, (a - (total - kept)) + (b - kept)


def exp_coarse(x: Any) -> Any:
    """Return e^x; for results of fewer digits than float64 the engine's is off by up to 2^-36 of it."""
    return np.exp(x)


def expm1_coarse(x: Any) -> Any:
    """Return e^x - 1; for results of fewer digits than float64 the engine's is off by up to 2^-39 of it."""
    return np.expm1(x)


def exp_sum(high: Any, low: Any) -> Any:
    """Return exp(high + low) where low is the part of an exponent that was rounded away from high."""
    power = np.exp(high)
    return np.where(np.isfinite(power), power + power * low, power)[()]


def exp_times(a: Any, high: Any, low: Any) -> Any:
    """Return a exp(high + low), where exp alone may be 0 and the product is not; low as in `exp_sum`.

    Far down exp is taken 2^1088 times as large, and a large a 2^100 times as small, so that nothing overflows; the
    product is scaled back in two steps.
    """
    deep = high < DEEP
    large = deep & (np.abs(a) > 1.0)
    power = exp_sum(high + np.where(deep, DEEP_HIGH, 0.0), low + np.where(deep, DEEP_LOW, 0.0))
    back = np.where(large, 2.0**-494, np.where(deep, 2.0**-544, 1.0))
    return a * np.where(large, 2.0**-100, 1.0) * power * back * back


def polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    """Return a polynomial's value by Horner's rule, its coefficients the highest power first.

    Examples
    --------
    >>> float(polynomial((2.0, 0.0, -1.0), 3.0))
    17.0
    """
    value = coefficients[0]
    for coefficient in coefficients[1:]:
        value = fma(value, x, coefficient)
    return value


def seldom(condition: Any, rare: Callable[[], Any], usual: Any) -> Any:
    """Return ``rare()`` where the condition holds, else ``usual``.

    `where`, for a part that few inputs need: the engine jumps over the code of ``rare`` while none does.

    Examples
    --------
    >>> x = np.array([0.25, 2.0])
    >>> seldom(x < 1.0, lambda: x * x, x)
    array([0.0625, 2.    ])
    """
    return np.where(condition, rare(), usual)


def shortcut(
    x: Any, least: float, most: float, short: Callable[[Any], Any], bits: int, usual: Callable[[Any], Any]
) -> Any:
    """Return ``usual(x)``; for float32 the engine returns ``short(x)`` where that is sure to round to the same.

    Where x is 0 or |x| from ``least`` to ``most``, ``short(x)`` is 0 or a normal float32, and off by 2^-bits of itself
    at most. Its rounding is sure unless it is as near as that to the middle between two float32 numbers (Ziv, "Fast
    evaluation of elementary mathematical functions with correctly rounded last bit", 1991). It is a formula's last
    word.

    Examples
    --------
    >>> x = np.array([2.0**-30, 2.0])
    >>> shortcut(x, 0.0, 2.0**-24, lambda x: 1.0, 48, np.cosh)
    array([1.        , 3.76219569])
    """
    return usual(x)


def elu_shortcut(
    x: Any, divisor: float, above: tuple[float, float], below: tuple[float, float], usual: Callable[[Any], Any]
) -> Any:
    """Return ``usual(x)``, which is a x where x > 0, and else b (e^(x / divisor) - 1).

    The factors a and b are ``above`` and ``below``, each a float32 number and what that leaves. With AVX-512 the engine
    computes float32 results in pairs of float32 where these are enough to round them, the divisor is 1, and b is known
    beforehand, and from 1 to 2. It is a formula's last word.

    Examples
    --------
    >>> x = np.array([-1.0, 3.0])
    >>> elu_shortcut(x, 1.0, (1.0, 0.0), (1.5, 0.0), lambda x: np.where(x > 0.0, x, 1.5 * np.expm1(x)))
    array([-0.94818084,  3.        ])
    """
    return usual(x)


def split(condition: Any, first: Any, second: Callable[[], Any]) -> Any:
    """Return ``first`` where the condition holds, else ``second()``.

    `where`, for a formula whose first part is short and whose second is long. Where it is the formula's last word, the
    engine computes the second part only for the numbers that need it, if there is AVX-512.

    Examples
    --------
    >>> x = np.array([0.25, 2.0])
    >>> split(x > 1.0, x, lambda: x * x)
    array([0.0625, 2.    ])
    """
    return np.where(condition, first, second())


def within(x: Any, least: float, most: float) -> Any:
    """Return x, for a part of a formula that counts only where x is from ``least`` to ``most``.

    What it is elsewhere is not said: NumPy takes the nearer bound, and the engine leaves out what only others need.

    Examples
    --------
    >>> x = np.array([1.0, 1000.0])
    >>> seldom(x > 40.0, lambda: x, exp(within(x, -40.0, 40.0)))
    array([   2.71828183, 1000.        ])
    """
    return np.clip(x, least, most)


def sum_odd(a: Any, b: Any) -> Any:
    """Return a + b, |a| >= |b|, rounded to odd: an inexact sum ends in an odd bit, on the side of the true sum.

    Rounding that once more, to float32 or less, gives what rounding the true sum would give (Boldo and Melquiond,
    "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd", 2008). It matters where a
    sum lies halfway between two float32 numbers but for a part too small for float64. The engine adds plainly when
    the result stays float64. Adding a zero changes nothing, not even the sign of a zero.

    Examples
    --------
    >>> float(1.0 + 2.0**-60) == 1.0, float(sum_odd(1.0, 2.0**-60)) > 1.0
    (True, True)
    """
    total, lost = two_sum(a, b)
    even = total.view(np.int64) & 1 == 0
    nudged = np.nextafter(total, np.copysign(np.inf, lost))
    odd = np.where(even & (lost != 0) & np.isfinite(lost), nudged, total)
    return np.where(b == 0.0, a, odd)[()]


def sum_beyond(a: Any, b: Any) -> Any:
    """Return a + b, of like signs; where b is lost beside a, the number next to a, farther from 0.

    It matters where a lies halfway between two float32 numbers, to one of which the result is then rounded: b decides,
    however small, or so small that it is 0 here. The engine adds plainly when the result stays float64.

    Examples
    --------
    >>> float(-1.0 - 2.0**-60), float(sum_beyond(-1.0, -(2.0**-60)))
    (-1.0, -1.0000000000000002)
    """
    total = np.add(a, b)
    lost = (total == a) & (total != 0.0) & np.isfinite(total)
    return np.where(lost, np.nextafter(total, np.copysign(np.inf, total)), total)[()]


def ratio(a: Any, b: Any, c: Any) -> Any:
    """Return a / (b + c) with (almost always) one rounding: neither the sum nor the quotient is rounded before the end.

    Examples
    --------
    >>> float(ratio(1.0, 1.0, 2.0**-60)), float(ratio(1.0, 1.0, 2.0**-53))
    (1.0, 0.9999999999999999)
    """
    total, lost = two_sum(b, c)
    quotient = a / total
    residual = fma(-quotient, total, a) - quotient * lost
    return np.where(np.isfinite(residual) & (residual != 0.0), quotient + residual / total, quotient)[()]


def hyperbola_gap(x: Any, b: Any) -> Any:
    """Return (sqrt(x^2 + b) - |x|) / 2: the hyperbola's distance from its asymptotes, where root and |x| cancel.

    Evaluated as (b/2) / (sqrt(x^2 + b) + |x|), with what the rounding of the root took away. Where x^2 would overflow
    the root is |x|, and the fraction's parts are halved so that their sum does not.

    Examples
    --------
    >>> x = np.array([0.0, 1e8])
    >>> hyperbola_gap(x, 4.0), (np.sqrt(x * x + 4.0) - x) / 2.0
    (array([1.e+00, 1.e-08]), array([1.0000000e+00, 7.4505806e-09]))
    """
    a = absolute(x)
    far = a > 1e150
    square = fma(x, x, b)
    root = where(far, a, maximum(sqrt(square), 1e-300))
    low = where(far, 0.0, fma(-root, root, square) / (2.0 * root))
    return ratio(0.25 * b, 0.5 * root, 0.5 * (a + low))


def scaled(x: Any, factor: float, high: float, low: float) -> Any:
    """Return ``factor * x``; for float32 the engine returns high x + low x, with one rounding beside that of low x.

    ``high`` and ``low`` are float32 numbers whose sum is the factor, or so near it that the result is right for every x
    of one binade; then it is for 0, and from 2^-100 up (Brisebarre and Muller, "Correctly rounded multiplication by
    arbitrary precision constants", 2008). A vector has twice as many float32 numbers.

    Examples
    --------
    >>> float(scaled(3.0, 0.1, 0.10000000149011612, -1.4901161415892261e-09))
    0.30000000000000004
    """
    return factor * x


def hyperbola_gap_coarse(x: Any, b: Any) -> Any:
    """Return `hyperbola_gap`; for results of fewer digits than float64 the engine's is off by up to 2^-42 of it.

    That holds where |x| is up to 2^20, and b from 2^-20 to 2^20.
    """
    return hyperbola_gap(x, b)


def normal_cdf(x: Any) -> Any:
    """Return the standard normal distribution function, erfc(-x / sqrt(2)) / 2, to about an ulp in its tail too.

    The tail falls like exp(-x^2 / 2), so rounding -x / sqrt(2) costs x^2 ulp; its low part puts that right.
    """
    a = -x * _SQRT_HALF
    low = fma(-x, _SQRT_HALF, -a) - x * _SQRT_HALF_LOW
    slope = np.where(np.abs(a) < 30.0, _TWO_OVER_SQRT_PI * np.exp(-a * a) * low, 0.0)
    return 0.5 * (erfc(a) - slope)


def normal_cdf_times(a: Any, x: Any) -> Any:
    """Return a times the standard normal distribution function of x; see `normal_cdf`."""
    return a * normal_cdf(x)


def ncdf(x: Any) -> Any:
    """Return `normal_cdf` of float64 numbers that may have become long double: for derivatives, in mpmath's word."""
    return normal_cdf(np.asarray(x, dtype=np.float64))


def npdf(x: Any) -> Any:
    """Return the standard normal density: for derivatives, in mpmath's word.

    Examples
    --------
    >>> float(npdf(np.array(0.0)))
    0.3989422804014327
    """
    x = np.asarray(x)
    return np.exp(-x * x / 2) / np.sqrt(2 * x.dtype.type(pi))


def choose(condition: Any, a: Any, b: Any) -> Any:
    """Return ``a`` where ``condition`` holds, else ``b``: for derivatives, which meet arrays and mpmath's numbers.

    Examples
    --------
    >>> choose(True, 1, 2)
    1
    """
    if isinstance(condition, np.ndarray):
        chosen: NDArray[Any] = np.where(condition, a, b)
        return chosen
    return a if condition else b
