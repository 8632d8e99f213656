"""exp, log1p and the normal distribution in pairs, to about 2^-60: the float64 reading of `refnet.elementary`.

Each takes and returns a `Pair`. A polynomial's small high terms are summed in float64, its leading ones in pairs.
The coefficients come from ``python -m parity.fit``. Nothing branches but `seldom`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

from refnet import elementary
from refnet.engine import pairs, trace
from refnet.engine.bits import ROUNDER, exponent_and_fraction, power_of_two
from refnet.engine.coefficients import LN2_HI, LN2_LO
from refnet.engine.pairs import Pair, absolute, normalised, pair_of, times_power, where
from refnet.engine.trace import Number, fma, polynomial, select

LOG2_E = 1.4426950408889634
SIXTH = (0.16666666666666666, 9.25185853854297e-18)
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
SQRT_2 = (1.4142135623730951, -9.667293313452913e-17)
DENSITY_AT_0 = (0.3989422804014327, -2.49232720227773e-17)  # 1 / sqrt(2 pi)

#: (exp(r) - 1 - r - r^2/2 - r^3/6) / r^4
EXP = (
    1.6082046467480115e-10,
    2.0911264239196083e-09,
    2.5052084180163595e-08,
    2.755728291148268e-07,
    2.7557319234380825e-06,
    2.4801587317181886e-05,
    0.0001984126984126828,
    0.0013888888888886545,
    0.008333333333333333,
    0.041666666666666664,
)

#: (log((1 + s) / (1 - s)) - 2s - 2/3 s^3) / s^5, in s^2
LOG = (
    0.1443511280818914,
    0.06809194734421804,
    0.0981998976530004,
    0.104980461786204,
    0.11766420695917781,
    0.13333266952613457,
    0.15384616979912555,
    0.18181818159518778,
    0.22222222222381713,
    0.28571428571428126,
    0.4,
)

#: exp(a^2 / 2) (1 + sqrt(2) a) times the normal distribution function of -a, in (a - 5) / (a + 5)
TAIL = (
    -1.0548277899379728e-10,
    -8.69749282744757e-10,
    -1.6106198016068825e-12,
    7.864871896853769e-09,
    4.10827290371436e-09,
    -4.878236611898426e-08,
    -3.269964466194455e-08,
    2.967159471336503e-07,
    1.492620296340992e-07,
    -1.951854020355381e-06,
    1.7981215565504772e-07,
    1.333956093645894e-05,
    -1.6747239052888183e-05,
    -7.621104855789404e-05,
    0.0002828892532247771,
)
TAIL_LEADING = (
    (-4.460024774327965e-05, -9.005723531992854e-22),
    (-0.002461265124958187, -1.8933234076009813e-19),
    (0.010208851386164173, -6.1158916087467985e-19),
    (-0.02517855483645036, -1.0577840472510054e-18),
    (0.04439886132922581, -3.272405687268586e-18),
    (-0.05715904897193873, 9.592415189088047e-19),
    (0.04764866133893229, 1.766432952640437e-18),
    (-0.0041937081782834765, -2.990600833591236e-20),
    (-0.0700524136206178, -3.952307392681167e-18),
    (0.6208209264948372, 7.181957100448533e-18),
)

#: ((normal distribution function of a) - 1/2 - a / sqrt(2 pi)) / a^3, in a^2
CENTRE = (
    4.8947231465618155e-12,
    -1.1291530356478268e-10,
    2.2735060941511626e-09,
    -4.122667061352544e-08,
    6.659693513054756e-07,
    -9.444656259485283e-06,
    0.0001154346876161547,
    -0.0011873282154804543,
    0.009973557010035817,
)
CENTRE_LEADING = ((-0.06649038006690544, -5.097979803237062e-18),)


def _constant(parts: tuple[float, float], like: Number) -> Pair:
    return Pair(like.constant(parts[0]), like.constant(parts[1]))


def _scaled(x: Pair, n: Number, steps: int = 2) -> Pair:
    """Return x 2^n, in so many steps that no factor overflows and a subnormal result is rounded once."""
    x = normalised(x)
    for left in range(steps, 1, -1):
        part = n * (1.0 / left) + ROUNDER - ROUNDER
        x, n = times_power(x, power_of_two(part)), n - part
    return times_power(x, power_of_two(n))


def _small(low: Number | None, like: Number) -> Number:
    """Return an exponent's low part, and 0 where it has no meaning: beside an infinity, or far beyond every limit."""
    if low is None:
        return like.constant(0.0)
    return select(trace.absolute(low) < 1.0, low, 0.0)


def _exp_parts(x: Pair, lowest: float) -> tuple[Number, Pair]:
    """Return n and e with exp(x) = 2^n (1 + e), |e| < 0.42; x is held between ``lowest`` and 710."""
    high = select(x.high > 710.0, x.high.constant(710.0), x.high)
    high = select(high < lowest, high.constant(lowest), high)
    n = high * LOG2_E + ROUNDER - ROUNDER
    r = Pair(fma(n, -LN2_HI, high)) - Pair(n) * _constant(LN2_LO, n)
    r = r + Pair(_small(x.low, high))  # it may be far above an ulp of r, and the polynomial reads r.high alone
    cubic = _constant(SIXTH, n) + Pair(polynomial(EXP, r.high) * r.high)
    return n, ((cubic * r + 0.5) * r + 1.0) * r


def _series(small: tuple[float, ...], leading: tuple[tuple[float, float], ...], x: Pair) -> Pair:
    """Return a polynomial's value: its high powers summed in float64, the others in pairs."""
    value = Pair(polynomial(small, x.high))
    for parts in leading:
        value = value * x + _constant(parts, x.high)
    return value


def exp_sum(high: Any, low: Any) -> Pair:
    """Return exp(high + low), where |low| is below an ulp or so of high."""
    high, low = pair_of(high, low)
    rest = low.high if low.low is None else low.high + low.low
    n, e = _exp_parts(Pair(high.high, rest if high.low is None else rest + high.low), -746.0)
    return _scaled(e + 1.0, n)


def exp(x: Any) -> Pair:
    """Return e^x."""
    (x,) = pair_of(x)
    n, e = _exp_parts(x, -746.0)
    return _scaled(e + 1.0, n)


def exp_times(a: Any, high: Any, low: Any) -> Pair:
    """Return a exp(high + low), where exp alone may be 0 and the product is not.

    It is scaled after the product. For this a large a is halved, so that it cannot overflow, and any other taken 2^60
    times as large, so that its low part is not lost below the smallest float64.
    """
    a, high, low = pair_of(a, high, low)
    rest = low.high if low.low is None else low.high + low.low
    n, e = _exp_parts(Pair(high.high, rest if high.low is None else rest + high.low), -1460.0)
    large = absolute(a) > 1.0
    near = times_power(a, select(large, n.constant(0.5), 2.0**60))
    return _scaled((e + 1.0) * near, n + select(large, n.constant(1.0), -60.0), steps=3)


def expm1(x: Any) -> Pair:
    """Return e^x - 1, with all digits near 0."""
    (x,) = pair_of(x)
    n, e = _exp_parts(x, -50.0)
    half_power = power_of_two(n - 1.0)  # 2^n itself may overflow
    y = (times_power(e, half_power) + (Pair(half_power) - 0.5)) * 2.0
    return where(absolute(x) < 2.0**-64, x, y)


def _log_ratio(s: Pair) -> Pair:
    """Return log((1 + s) / (1 - s)) for |s| <= 1/3."""
    z = s * s
    rest = _constant(TWO_THIRDS, z.high) + Pair(z.high * polynomial(LOG, z.high))
    return (rest * z + 2.0) * s


def log1p_unit(x: Any) -> Pair:
    """Return log(1 + x) for 0 <= x <= 1: no exponent to take apart."""
    (x,) = pair_of(x)
    return where(x < 2.0**-64, x, _log_ratio(x / (x + 2.0)))


def log1p(x: Any) -> Pair:
    """Return log(1 + x) = k ln 2 + log m, where 1 + x = 2^k m and m is between sqrt(1/2) and sqrt(2)."""
    (x,) = pair_of(x)
    u = x + 1.0
    k, m, scale = exponent_and_fraction(u.high)
    f = where(k == 0.0, x, Pair(m, u.low * scale * 0.5 if u.low is not None else None) - 1.0)
    y = _log_ratio(f / (f + 2.0)) + (Pair(k * LN2_HI) + Pair(k) * _constant(LN2_LO, k))
    y = where(absolute(x) < 2.0**-64, x, y)
    y = where(x == inf, inf, y)
    return where(x > -1.0, y, where(x == -1.0, -inf, nan))


def normal_cdf_times(factor: Any, x: Any) -> Pair:
    """Return ``factor`` times the standard normal distribution's integral from -inf to x, scaled after the product.

    Near 0 the integral is 1/2 + x p(x^2). Left of that it is q = exp(-x^2 / 2) e(t) / (1 + sqrt(2) |x|), right 1 - q,
    where e varies slowly in t = (|x| - 5) / (|x| + 5) (the transformation of Shepherd & Laframboise 1981).
    """
    factor, x = pair_of(factor, x)
    a = pairs.minimum(absolute(x), 40.0)  # the tail is below the smallest float64 from 38.6 on
    n, e = _exp_parts(a * a * -0.5, -801.0)
    q = (e + 1.0) * _series(TAIL, TAIL_LEADING, (a - 5.0) / (a + 5.0)) / (a * _constant(SQRT_2, n) + 1.0)
    z = a * a
    slope = _series(CENTRE, CENTRE_LEADING, z) * z + _constant(DENSITY_AT_0, n)
    near = slope * pairs.copysign(a, x) + 0.5
    return where(a < 0.45, near * factor, where(x > 0.0, (1.0 - _scaled(q, n)) * factor, _scaled(q * factor, n)))


def normal_cdf(x: Any) -> Pair:
    """Return the standard normal distribution's integral from -inf to x, with all digits of the left tail."""
    return normal_cdf_times(1.0, x)


def hyperbola_gap(x: Any, b: Any) -> Pair:
    """Return (sqrt(x^2 + b) - |x|) / 2; where x^2 would overflow the root is |x|."""
    x, b = pair_of(x, b)
    a = absolute(x)
    root = where(a > 1e150, a, pairs.maximum(pairs.sqrt(x * x + b), 1e-300))
    return (b * 0.25) / (root * 0.5 + a * 0.5)


def scaled(x: Any, factor: Any, high: Any, low: Any) -> Pair:
    """Return factor x."""
    x, factor = pair_of(x, factor)
    return factor * x


#: word of refnet.elementary -> its reading in pairs
IN_PAIRS: dict[Callable[..., Any], Callable[..., Pair]] = {
    elementary.absolute: absolute,
    elementary.copysign: pairs.copysign,
    elementary.exp: exp,
    elementary.exp_coarse: exp,
    elementary.exp_sum: exp_sum,
    elementary.exp_times: exp_times,
    elementary.expm1: expm1,
    elementary.expm1_coarse: expm1,
    elementary.elu_shortcut: pairs.elu_shortcut,
    elementary.fma: pairs.fma,
    elementary.hyperbola_gap: hyperbola_gap,
    elementary.hyperbola_gap_coarse: hyperbola_gap,
    elementary.log1p: log1p,
    elementary.log1p_unit: log1p_unit,
    elementary.log1p_unit_coarse: log1p_unit,
    elementary.maximum: pairs.maximum,
    elementary.minimum: pairs.minimum,
    elementary.normal_cdf: normal_cdf,
    elementary.normal_cdf_times: normal_cdf_times,
    elementary.polynomial: pairs.polynomial,
    elementary.ratio: pairs.ratio,
    elementary.scaled: scaled,
    elementary.seldom: pairs.seldom,
    elementary.shortcut: pairs.shortcut,
    elementary.split: pairs.split,
    elementary.sqrt: pairs.sqrt,
    elementary.sum_beyond: pairs.total,
    elementary.sum_odd: pairs.total,
    elementary.where: where,
    elementary.within: pairs.within,
}
