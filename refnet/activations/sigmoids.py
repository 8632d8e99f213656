"""Activations that level off on both sides, and what is made of them."""

from __future__ import annotations

from math import inf
from typing import Any

from refnet.activations.activation import activation
from refnet.elementary import (
    MODERATE,
    NEAR_ZERO,
    absolute,
    choose,
    copysign,
    exp,
    expm1,
    fma,
    maximum,
    minimum,
    polynomial,
    ratio,
    seldom,
    shortcut,
    sum_odd,
    where,
    within,
)

#: `NEAR_ZERO` for sigmoid, whose series has one term more: between them a float32 would be rounded to the wrong side.
SIGMOID_NEAR_ZERO = 0.001251220703125  # a float32 too, so that it can be compared with as one

#: (a - tanh(a)) / a^3 up to a = 12, in a^2: numerator and denominator; error 2^-39
TANH_GAP = (
    (
        0.9910651717849541,
        1706.332936393366,
        675168.112223803,
        89997256.57100587,
        4217830945.169878,
        53749430963.18685,
    ),
    (
        1.0,
        1759.2464870715044,
        716305.5907126811,
        99570970.19774993,
        5024249298.446426,
        77152809991.32976,
        161248292889.56058,
    ),
)

# 1/3, and what its rounding took away
THIRD, THIRD_LOW = 0.3333333333333333, 1.850371707708594e-17


@activation(
    "1 / (1 + exp(-x))",
    exact=lambda m, x: 1 / (1 + m.exp(-x)),
    derivative=lambda m, x: 1 / ((1 + m.exp(-x)) * (1 + m.exp(x))),
    limits={-inf: 0.0, inf: 1.0},
    negative_zero=0.5,
    source="logistic function; Verhulst, Recherches mathématiques sur la loi d'accroissement de la population, 1845",
)
def sigmoid(x: Any) -> Any:
    r"""Squash x into (0, 1): an odds ratio turned into a probability.

    .. math:: \sigma(x) = \frac{1}{1 + e^{-x}}

    Far below 0 it is evaluated as e / (1 + e) with e = exp(-|x|), so that nothing overflows and the small results keep
    all their digits. Around 0 the value is 1/2 + x/4 - x^3/48; for many float32 x the first two terms lie halfway
    between two float32 numbers and the third, too small for a float64, decides: hence the series with its last sum
    rounded to odd. It is 0 at -inf, 0.5 at both zeros, 1 at inf.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.sigmoid([-2.0, 0.0, 2.0])
    array([0.11920292, 0.5       , 0.8807971 ], dtype=float32)
    """
    usual = ratio(1.0, 1.0, exp(-within(x, -MODERATE, MODERATE)))

    def far() -> Any:
        e = exp(-absolute(x))
        return ratio(where(x >= 0.0, 1.0, e), 1.0, e)

    def series() -> Any:
        z = x * x
        return sum_odd(0.5, (0.25 - z * (1.0 / 48.0 - z * (1.0 / 480.0))) * x)

    return seldom(absolute(x) > MODERATE, far, seldom(absolute(x) < SIGMOID_NEAR_ZERO, series, usual))


@activation(
    "(exp(x) - exp(-x)) / (exp(x) + exp(-x))",
    exact=lambda m, x: m.tanh(x),
    derivative=lambda m, x: 1 / m.cosh(x) ** 2,
    limits={-inf: -1.0, inf: 1.0},
    negative_zero=-0.0,
    source="the hyperbolic tangent; LeCun et al., Efficient BackProp, 1998",
)
def tanh(x: Any) -> Any:
    r"""Squash x into (-1, 1), keeping its sign.

    .. math:: \tanh(x) = \frac{e^x - e^{-x}}{e^x + e^{-x}}

    Evaluated as t / (t + 2) with t = exp(2x) - 1 as one word, because the two exponentials cancel near 0, where tanh(x)
    is about x. From 20 on, both ways, the result is 1 or -1 in any precision. It is odd: -0 gives -0.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.tanh([-1.0, 0.0, 1e-8])
    array([-7.615942e-01,  0.000000e+00,  1.000000e-08], dtype=float32)
    """
    t = expm1(within(2.0 * x, -MODERATE, MODERATE))
    return seldom(absolute(x) > 20.0, lambda: copysign(1.0, x), ratio(t, 2.0, t))


@activation(
    "x / (1 + |x|)",
    exact=lambda m, x: m.mpf(x) / (1 + abs(m.mpf(x))),
    derivative=lambda m, x: 1 / (1 + abs(x)) ** 2,
    limits={-inf: -1.0, inf: 1.0},
    negative_zero=-0.0,
    exceptions={0.008514663204550743: 0.008442775346338749, -0.008514663204550743: -0.008442775346338749},
    source="Turian, Bergstra and Bengio, Quadratic Features and Deep Architectures for Chunking, 2009",
)
def softsign(x: Any) -> Any:
    r"""Squash x into (-1, 1) without an exponential; it levels off slowly, like 1 - 1/|x|.

    .. math:: \mathrm{softsign}(x) = \frac{x}{1 + |x|}

    At the infinities it is -1 and 1 (Keras gives NaN); x is held inside 1e300 so that inf / inf never arises.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.softsign([-1.0, 0.0, 3.0, float("inf")])
    array([-0.5 ,  0.  ,  0.75,  1.  ], dtype=float32)
    """
    x = maximum(minimum(x, 1e300), -1e300)
    return ratio(x, 1.0, absolute(x))


@activation(
    "clip((x + 3) / 6, 0, 1)",
    exact=lambda m, x: min(max((m.mpf(x) + 3) / 6, m.mpf(0)), m.mpf(1)),
    derivative=lambda m, x: choose(abs(x) < 3, (1 + 0 * x) / 6, 0.0),
    kinks=(-3.0, 3.0),
    limits={-inf: 0.0, inf: 1.0},
    negative_zero=0.5,
    source="Courbariaux, Bengio and David, BinaryConnect, arXiv:1511.00363, 2015; Keras 3's slope of 1/6",
)
def hard_sigmoid(x: Any) -> Any:
    r"""Replace the sigmoid's curve by a straight line between -3 and 3.

    .. math:: \mathrm{hard\_sigmoid}(x) = \min\!\left(\max\!\left(\frac{x + 3}{6}, 0\right), 1\right)

    Keras 2 had a slope of 0.2 between -2.5 and 2.5. At the kinks the derivative is 0. Right of -1.5 the line is
    x/6 + 1/2, which rounds less; left of it x + 3 is exact, and small results keep all their digits.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.hard_sigmoid([-3.0, -1.0, 0.0, 3.0])
    array([0.        , 0.33333334, 0.5       , 1.        ], dtype=float32)
    """
    left = x < -1.5
    line = where(left, x + 3.0, x) / 6.0 + where(left, 0.0, 0.5)
    return minimum(maximum(line, 0.0), 1.0)


@activation(
    "clip((x + 1) / 2, 0, 1)",
    exact=lambda m, x: min(max((m.mpf(x) + 1) / 2, m.mpf(0)), m.mpf(1)),
    derivative=lambda m, x: choose(abs(x) < 1, 0.5, 0.0),
    kinks=(-1.0, 1.0),
    limits={-inf: 0.0, inf: 1.0},
    negative_zero=0.5,
    source="Blondel, Martins and Niculae, Learning with Fenchel-Young Losses, arXiv:1901.02324, 2019",
)
def sparse_sigmoid(x: Any) -> Any:
    r"""Give the probability that sparsemax gives to a score of x beside one of 0.

    .. math:: \mathrm{sparse\_sigmoid}(x) = \min\!\left(\max\!\left(\frac{x + 1}{2}, 0\right), 1\right)

    At the kinks, -1 and 1, the derivative is 0.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.sparse_sigmoid([-1.0, 0.0, 0.5, 2.0])
    array([0.  , 0.5 , 0.75, 1.  ], dtype=float32)
    """
    return minimum(maximum(0.5 * (x + 1.0), 0.0), 1.0)


def _tanh_shrink_exact(m: Any, x: Any) -> Any:
    if abs(x) < 1000:
        lost = 2 * max(0, -m.frexp(x)[1]) + 10  # x and tanh(x) cancel near 0
        with m.workprec(getattr(m, "mp", m).prec + lost):
            return m.mpf(x) - m.tanh(x)
    # No precision reaches exp(-2|x|) here; only on which side of |x| - 1 the value lies can matter.
    value = m.fadd(abs(m.mpf(x)) - 1, m.exp(-500), exact=True)
    return value if x > 0 else m.fneg(value, exact=True)


@activation(
    "x - tanh(x)",
    exact=_tanh_shrink_exact,
    derivative=lambda m, x: m.tanh(x) ** 2,
    limits={-inf: -inf, inf: inf},
    negative_zero=-0.0,
    source="keras.activations.tanh_shrink; Lambert's continued fraction, 1761",
)
def tanh_shrink(x: Any) -> Any:
    r"""Take from x what tanh keeps of it: nearly nothing near 0, all but 1 far out.

    .. math:: \mathrm{tanh\_shrink}(x) = x - \tanh x

    Inside (-1, 1), where x and tanh(x) cancel, it is x^3/3 times a factor that comes from the ninth convergent of
    Lambert's continued fraction tanh x = x / (1 + x^2 / (3 + x^2 / (5 + ...))), to within 2^-62. Outside it is
    |x| - 1 + 2 / (exp(2|x|) + 1). One division does for both. Near 0, where it is x^3/3 - 2x^5/15 + ..., and far out
    the sum is rounded to odd: x^3/3, or x - 1, may lie halfway between two float32 numbers, and then the small second
    part decides, which is why its exponent is held at 700. For nearly all float32 fewer digits do: up to 12 those of
    x^3 times one quotient of polynomials in x^2, which needs no exponential, and beyond x - 1, or x + 1 where x < 0.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.tanh_shrink([-2.0, 0.0, 0.001])
    array([-1.0359725e+00,  0.0000000e+00,  3.3333325e-10], dtype=float32)
    """

    def short(x: Any) -> Any:
        z = x * x
        above, below = (polynomial(part, z) for part in TANH_GAP)
        return where(z < 144.0, x * z * above / below, x - copysign(1.0, x))

    def usual(x: Any) -> Any:
        z = x * x
        above = z * fma(z, fma(z, fma(z, z + 1482.0, 311025.0), 18050175.0), 261891630.0)
        below = fma(z, fma(z, fma(z, fma(z, z + 1485.0, 315315.0), 18918900.0), 310134825.0), 654729075.0)
        third = fma(x * z, THIRD, x * z * THIRD_LOW)
        near = absolute(x) < 1.0
        line = absolute(x) - 1.0
        e = exp(within(absolute(2.0 * x), 0.0, MODERATE))
        rest = ratio(where(near, above, 2.0), where(near, below, 1.0), where(near, 0.0, e))
        usual = where(near, fma(-third, rest, third), copysign(line + rest, x))

        def series() -> Any:
            cubic = x * z / 3.0
            return sum_odd(cubic, -cubic * z * (0.4 - z * (17.0 / 105.0)))

        def far() -> Any:
            rest = ratio(2.0, 1.0, exp(minimum(absolute(2.0 * x), 700.0)))
            return sum_odd(copysign(line, x), copysign(rest, x))

        return seldom(absolute(x) > 16.0, far, seldom(absolute(x) < NEAR_ZERO, series, usual))

    return shortcut(x, 2.0**-40, 2.0**100, short, 36, usual)
