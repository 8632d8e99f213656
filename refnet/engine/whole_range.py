"""The compiled words for users' formulas: right for every float64 argument, which the book's formulas do not need.

The words of `refnet.engine.elementary` stop where a float32 result has long been 0 or inf: exp at 700 and -700, the
normal distribution at 14.6. A formula of the book never shows it; log1p(exp(x)) of a user's would.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from refnet import elementary
from refnet.engine import pair_words
from refnet.engine.elementary import FEWER_DIGITS, exp as short_exp, expm1 as short_expm1, numbers
from refnet.engine.pairs import Pair, rounded
from refnet.engine.trace import Number, fma, select

__all__ = ["WHOLE_RANGE"]


def _root(x: Number) -> Number:
    """Return exp(x / 2), whose square overflows and underflows where exp(x) does."""
    half = short_exp(x * 0.5)
    return Number(half.builder, half.value)


def exp(x: Any) -> Number:
    """Return e^x."""
    root = _root(*numbers(x))
    return root * root


def exp_sum(high: Any, low: Any) -> Number:
    """Return exp(high + low)."""
    high, low = numbers(high, low)
    power = exp(high)
    return select(power == inf, power, fma(power, low, power))


def exp_times(a: Any, high: Any, low: Any) -> Number:
    """Return a exp(high + low), where exp alone may be 0 and the product is not."""
    a, high, low = numbers(a, high, low)
    root = select(high < -1400.0, high.constant(0.0), _root(high))
    product = a * root * root
    return select(abs(product) == inf, product, fma(product, low, product))


def expm1(x: Any) -> Number:
    """Return e^x - 1."""
    (x,) = numbers(x)
    near = short_expm1(x)
    return select(x > 700.0, exp(x), Number(near.builder, near.value))


def normal_cdf(x: Any) -> Number:
    """Return the normal distribution function."""
    return rounded(pair_words.normal_cdf(Pair(*numbers(x))))


def normal_cdf_times(a: Any, x: Any) -> Number:
    """Return a times the normal distribution function of x."""
    a, x = numbers(a, x)
    # From -38.6 on the function alone is 0, and its word stops at -40.
    return select(x < -40.0, a * 0.0, rounded(pair_words.normal_cdf_times(Pair(a), Pair(x))))


#: word of refnet.elementary -> its reading
WHOLE_RANGE: dict[Callable[..., Any], Callable[..., Number]] = FEWER_DIGITS | {
    elementary.exp: exp,
    elementary.exp_coarse: exp,
    elementary.exp_sum: exp_sum,
    elementary.exp_times: exp_times,
    elementary.expm1: expm1,
    elementary.expm1_coarse: expm1,
    elementary.log1p_unit_coarse: FEWER_DIGITS[elementary.log1p_unit],
    elementary.normal_cdf: normal_cdf,
    elementary.normal_cdf_times: normal_cdf_times,
}
