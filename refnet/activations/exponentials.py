"""Activations with an exponential on one side."""

from __future__ import annotations

from math import copysign, inf, isfinite, nan
from typing import Any

from refnet.activations.activation import activation
from refnet.elementary import (
    IN_DOUBT,
    MODERATE,
    NEAR_ZERO,
    absolute,
    choose,
    elu_shortcut,
    exp,
    exp_coarse,
    exp_times,
    expm1,
    expm1_coarse,
    fma,
    hyperbola_gap,
    hyperbola_gap_coarse,
    log1p_unit,
    log1p_unit_coarse,
    maximum,
    minimum,
    ratio,
    scaled,
    seldom,
    shortcut,
    split,
    sum_odd,
    where,
    within,
)

#: Up to here elu's and celu's results may be subnormal, or alpha is negative or 0, where nothing need be fast.
SMALL_ALPHA = 2.0**-20

#: Klambauer et al. derive both from a fixed point of mean 0 and variance 1; these are Keras' digits.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
SELU_BELOW = SELU_SCALE * SELU_ALPHA
SELU_BELOW_LOW = 5.75014648756476e-17  # what the rounding of that product took away
SELU_BELOW_PARTS = 1.7580993175506592, 2.3296717444054593e-08  # for `elu_shortcut`
SELU_SCALE_PARTS = 1.0507009029388428, 8.44166336833041e-08  # for `scaled`; both positive, so that -0 stays -0


@activation(
    "exp(x)",
    exact=lambda m, x: m.exp(x),
    derivative=lambda m, x: m.exp(x),
    limits={-inf: 0.0, inf: inf},
    negative_zero=1.0,
    source="keras.activations.exponential",
)
def exponential(x: Any) -> Any:
    r"""Raise e to the power x.

    .. math:: \mathrm{exponential}(x) = e^x

    In float32 it overflows to inf above 88.72 and is subnormal below -87.33, down to 0 below -103.97.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.exponential([-1.0, 0.0, 1.0])
    array([0.36787945, 1.        , 2.7182817 ], dtype=float32)
    """
    return shortcut(x, 0.0, 87.0, lambda x: exp_coarse(within(x, -87.0, 87.0)), 36, exp)


@activation(
    "log(1 + exp(x))",
    exact=lambda m, x: m.log1p(m.exp(x)),
    derivative=lambda m, x: 1 / (1 + m.exp(-x)),
    limits={-inf: 0.0, inf: inf},
    negative_zero=0.6931471805599453,
    exceptions={0.00044680992141366005: 0.6933706402778625},
    source="Dugas et al., Incorporating Second-Order Functional Knowledge for Better Option Pricing, 2001",
)
def softplus(x: Any) -> Any:
    r"""Smooth the corner of relu: nearly 0 on the left, nearly x on the right, log 2 at 0.

    .. math:: \mathrm{softplus}(x) = \log(1 + e^x)

    Evaluated as max(x, 0) + log1p(exp(-|x|)), which neither overflows on the right nor loses the small exponential
    beside the 1 on the left.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.softplus([-20.0, 0.0, 20.0])
    array([2.0611537e-09, 6.9314718e-01, 2.0000000e+01], dtype=float32)
    """

    def short(x: Any) -> Any:
        return maximum(x, 0.0) + log1p_unit_coarse(exp_coarse(within(-absolute(x), -87.0, 0.0)))

    def usual(x: Any) -> Any:
        return maximum(x, 0.0) + log1p_unit(exp(-absolute(x)))

    return shortcut(x, 0.0, 87.0, short, 35, usual)


@activation(
    "x if x > 0 else alpha * (exp(x) - 1)",
    exact=lambda m, x, alpha: x if x >= 0 else alpha * m.expm1(x),
    derivative=lambda m, x, alpha: choose(x > 0, 1.0, alpha * m.exp(x) if isfinite(alpha) else alpha),
    kinks=lambda alpha: () if alpha == 1.0 else (0.0,),
    limits=lambda alpha: {-inf: -alpha, inf: inf},
    negative_zero=lambda alpha: copysign(0.0, -alpha),
    source="Clevert, Unterthiner, Hochreiter, Fast and Accurate Deep Network Learning by ELUs, arXiv:1511.07289, 2015",
)
def elu(x: Any, alpha: float = 1.0) -> Any:
    r"""Keep what is positive, bend the rest down to -alpha.

    .. math:: \mathrm{elu}(x) = \begin{cases} x & x > 0 \\ \alpha\,(e^x - 1) & x \le 0 \end{cases}

    Evaluated with expm1, since exp(x) - 1 loses every digit near 0 (Keras on TensorFlow gives 0 for x = -1e-8). With
    alpha = 1 it is smooth at 0; otherwise 0 is a kink, where the derivative is alpha. At -inf it is -alpha. Next to 0
    the sum alpha x + alpha x^2 / 2 is rounded to odd, since alpha x may lie halfway between two subnormal numbers.
    Where alpha is infinite, also one so large that the dtype makes it so, elu is its limit: below 0 it is -alpha, and 0
    stays 0, with the sign that it has for any other alpha of that sign. (Keras gives NaN at 0.)

    Examples
    --------
    >>> from refnet import activations
    >>> activations.elu([-1.0, -1e-8, 2.0])
    array([-6.3212055e-01, -9.9999999e-09,  2.0000000e+00], dtype=float32)
    """

    def short(x: Any) -> Any:
        return where(alpha > SMALL_ALPHA, alpha * expm1_coarse(within(x, -87.0, 0.0)), IN_DOUBT)

    def beside_0() -> Any:
        series = sum_odd(alpha * x, 0.5 * alpha * x * x)
        limit = where(x == 0.0, where(alpha > 0.0, x, -x), alpha * x)
        return where(absolute(alpha) < inf, series, limit)

    def usual(x: Any) -> Any:
        return seldom(absolute(x) < 2.0**-28, beside_0, alpha * expm1(-absolute(x)))

    def in_parts(x: Any) -> Any:
        kept = (x > 0.0) | ((x == 0.0) & (alpha > 0.0))  # a negative alpha turns the sign of 0
        return split(kept, x, lambda: shortcut(x, 2.0**-100, 87.0, short, 39, usual))

    return elu_shortcut(x, 1.0, (1.0, 0.0), (alpha, 0.0), in_parts)


@activation(
    "scale * x if x > 0 else scale * alpha * (exp(x) - 1)",
    exact=lambda m, x: m.mpf(SELU_SCALE) * (x if x > 0 else SELU_ALPHA * m.expm1(x)),
    derivative=lambda m, x: choose(x >= 0, SELU_SCALE, SELU_SCALE * (SELU_ALPHA * m.exp(x))),
    kinks=(0.0,),
    limits={-inf: -SELU_BELOW, inf: inf},
    negative_zero=-0.0,
    source="Klambauer et al., Self-Normalizing Neural Networks, 2017 (arXiv:1706.02515)",
)
def selu(x: Any) -> Any:
    r"""Scale an elu so that layers keep mean 0 and variance 1.

    .. math:: \mathrm{selu}(x) = \lambda \begin{cases} x & x > 0 \\ \alpha\,(e^x - 1) & x \le 0 \end{cases}

    with :math:`\lambda = 1.0507009873554805` and :math:`\alpha = 1.6732632423543772`. At the kink, 0, the derivative is
    :math:`\lambda`; at -inf the value is :math:`-\lambda\alpha`, about -1.758.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.selu([-1.0, 0.0, 1.0])
    array([-1.1113307,  0.       ,  1.050701 ], dtype=float32)
    """

    def short(x: Any) -> Any:
        return SELU_BELOW * expm1_coarse(within(x, -87.0, 0.0))

    def usual(x: Any) -> Any:
        t = expm1(-absolute(x))
        return where(x > 0.0, SELU_SCALE * x, fma(SELU_BELOW, t, SELU_BELOW_LOW * t))

    def in_parts(x: Any) -> Any:
        kept = (x >= 2.0**-100) | (x == 0.0)
        above = scaled(x, SELU_SCALE, *SELU_SCALE_PARTS)
        return split(kept, above, lambda: shortcut(x, 2.0**-100, 87.0, short, 39, usual))

    return elu_shortcut(x, 1.0, SELU_SCALE_PARTS, SELU_BELOW_PARTS, in_parts)


def _silu_derivative(m: Any, x: Any) -> Any:
    s = 1 / (1 + m.exp(-x))
    return s + x * s / (1 + m.exp(x))


@activation(
    "x / (1 + exp(-x))",
    exact=lambda m, x: x / (1 + m.exp(-x)),
    derivative=_silu_derivative,
    limits={-inf: -0.0, inf: inf},
    negative_zero=-0.0,
    aliases=("swish",),
    source="Ramachandran, Zoph and Le, Searching for Activation Functions, 2017 (arXiv:1710.05941)",
)
def silu(x: Any) -> Any:
    r"""Let x through as far as sigmoid(x) opens the gate; also known as swish.

    .. math:: \mathrm{silu}(x) = x\,\sigma(x) = \frac{x}{1 + e^{-x}}

    It dips to -0.278 at -1.278 and comes back to -0 at -inf (Keras gives NaN there). Far below 0 it is evaluated as
    x exp(x) / (1 + exp(x)), so that nothing overflows. Around 0, where it is x/2 + x^2/4 - ..., the last sum is rounded
    to odd, since x/2 may lie halfway between two subnormal numbers.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.silu([-2.0, 0.0, 2.0])
    array([-0.23840584,  0.        ,  1.7615942 ], dtype=float32)
    """
    near = within(x, -MODERATE, MODERATE)
    usual = ratio(near, 1.0, exp(-near))

    def far() -> Any:
        held, below = maximum(x, -1500.0), -absolute(x)
        e, x_e = exp(below), exp_times(held, below, 0.0)
        return ratio(where(x >= 0.0, held, x_e), 1.0, e)

    def series() -> Any:
        return sum_odd(0.5 * x, x * x * (0.25 - x * x * (1.0 / 48.0)))

    return seldom(absolute(x) > MODERATE, far, seldom(absolute(x) < NEAR_ZERO, series, usual))


@activation(
    "-log(1 + exp(-x))",
    exact=lambda m, x: -m.log1p(m.exp(-x)),
    derivative=lambda m, x: 1 / (1 + m.exp(x)),
    limits={-inf: -inf, inf: -0.0},
    negative_zero=-0.6931471805599453,
    exceptions={-0.00044680992141366005: -0.6933706402778625},
    source="keras.activations.log_sigmoid",
)
def log_sigmoid(x: Any) -> Any:
    r"""Take the logarithm of the sigmoid: nearly x on the left, nearly 0 on the right.

    .. math:: \mathrm{log\_sigmoid}(x) = \log \sigma(x) = -\log(1 + e^{-x})

    It is -softplus(-x), evaluated in the same way. Far right the result is -0, the sign of what it tends from.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.log_sigmoid([-20.0, 0.0, 20.0])
    array([-2.0000000e+01, -6.9314718e-01, -2.0611537e-09], dtype=float32)
    """

    def short(x: Any) -> Any:
        return minimum(x, 0.0) - log1p_unit_coarse(exp_coarse(within(-absolute(x), -87.0, 0.0)))

    def usual(x: Any) -> Any:
        return -(maximum(-x, 0.0) + log1p_unit(exp(-absolute(x))))

    return shortcut(x, 0.0, 87.0, short, 35, usual)


def _squareplus_exact(m: Any, x: Any, b: float) -> Any:
    if b == inf:
        return m.mpf(b)
    lost = 4 * abs(m.frexp(x)[1]) + 2 * abs(m.frexp(b)[1])  # x and the root cancel where x is far below 0
    with m.workprec(getattr(m, "mp", m).prec + lost):
        return (m.mpf(x) + m.sqrt(m.mpf(x) ** 2 + b)) / 2


def _squareplus_slope(m: Any, x: Any, b: float) -> Any:
    root = m.sqrt(x * x + b)
    return choose(x > 0, (root + x) / 2, b / (2 * (root + abs(x)))) / root


@activation(
    "(x + sqrt(x^2 + b)) / 2",
    exact=_squareplus_exact,
    derivative=_squareplus_slope,
    limits=lambda b: {-inf: 0.0 if isfinite(b) else nan, inf: inf if b > -inf else nan},
    negative_zero=lambda b: 0.5 * b**0.5 if b >= 0.0 else nan,
    source="Barron, Squareplus: A Softplus-Like Algebraic Rectifier, arXiv:2112.11687, 2021",
)
def squareplus(x: Any, b: float = 4.0) -> Any:
    r"""Smooth the corner of relu with a hyperbola; no exponential needed.

    .. math:: \mathrm{squareplus}(x) = \frac{x + \sqrt{x^2 + b}}{2}

    ``b`` sets how round the corner is; with b = 0 it is relu, below 0 it is NaN near 0, and with b = inf it
    is inf, but NaN at -inf. Evaluated as max(x, 0) plus (b/2) / (sqrt(x^2 + b) + |x|), since x and the root cancel for
    negative x (Keras gives 0 at -10000).

    Examples
    --------
    >>> from refnet import activations
    >>> activations.squareplus([-10000.0, 0.0, 10000.0])
    array([1.e-04, 1.e+00, 1.e+04], dtype=float32)
    """

    def short(x: Any) -> Any:
        y = maximum(x, 0.0) + hyperbola_gap_coarse(x, b)
        return where((b > 2.0**-20) & (b < 2.0**20), y, IN_DOUBT)

    def usual(x: Any) -> Any:
        return seldom(b == inf, lambda: x + b, maximum(x, 0.0) + hyperbola_gap(x, b))

    return shortcut(x, 0.0, 2.0**20, short, 42, usual)


def _celu_exact(m: Any, x: Any, alpha: float) -> Any:
    if x > 0 or abs(alpha) == inf:
        return m.mpf(x)
    return alpha * m.expm1(m.mpf(x) / alpha) if alpha else m.mpf(0)


@activation(
    "x if x > 0 else alpha * (exp(x / alpha) - 1)",
    exact=_celu_exact,
    derivative=lambda m, x, alpha: choose(x > 0, 1.0, m.exp(x / alpha) if alpha else 0.0),
    kinks=lambda alpha: () if alpha else (0.0,),
    limits=lambda alpha: {-inf: -abs(alpha) if alpha >= 0.0 else -inf, inf: inf},
    negative_zero=-0.0,
    source="Barron, Continuously Differentiable Exponential Linear Units, arXiv:1704.07483, 2017",
)
def celu(x: Any, alpha: float = 1.0) -> Any:
    r"""Keep what is positive, bend the rest down to -alpha without a kink.

    .. math::

        \mathrm{celu}(x) = \begin{cases} x & x > 0 \\ \alpha\,(e^{x / \alpha} - 1) & x \le 0 \end{cases}

    Unlike elu it is smooth at 0 for every alpha but 0. Evaluated with expm1, as elu; next to 0 it is x, since x / alpha
    may be subnormal and lose digits that alpha would magnify. Where alpha is 0 or infinite, also one so small or large
    that the dtype makes it so, celu is its limit: relu with -0 below 0, or x. (Keras gives NaN, for alpha = 0
    from x = 0 up.)

    Examples
    --------
    >>> from refnet import activations
    >>> activations.celu([-1.0, 0.0, 2.0], alpha=0.5)
    array([-0.43233237,  0.        ,  2.        ], dtype=float32)
    """

    def short(x: Any) -> Any:
        y = alpha * expm1_coarse(within(maximum(x / alpha, -87.0), -87.0, 0.0))
        return where((alpha > SMALL_ALPHA) & (alpha < inf), y, IN_DOUBT)

    def usual(x: Any) -> Any:
        flat, near = alpha == 0.0, absolute(x) <= 1e-290 * absolute(alpha)
        return seldom(flat | near, lambda: where(flat, maximum(x, -0.0), x), alpha * expm1(x / alpha))

    def in_parts(x: Any) -> Any:
        return split(x >= 0.0, x, lambda: shortcut(x, 2.0**-100, 87.0, short, 39, usual))

    return elu_shortcut(x, alpha, (1.0, 0.0), (alpha, 0.0), in_parts)


def _mish_exact(m: Any, x: Any) -> Any:
    n = m.exp(x) * (m.exp(x) + 2)  # (1 + e^x)^2 - 1; tanh(log(y)) = (y^2 - 1) / (y^2 + 1)
    return x * n / (n + 2)


def _mish_derivative(m: Any, x: Any) -> Any:
    """Return t + x (1 - t^2) s with t = tanh(softplus(x)), s = sigmoid(x), in powers of exp(-|x|)."""
    e = m.exp(-abs(x))
    n = choose(x > 0, 1 + 2 * e, e * (e + 2))  # n and d: numerator and denominator of t, over e^2x where x > 0
    d = choose(x > 0, 1 + 2 * e + 2 * e * e, e * (e + 2) + 2)
    return n / d + x * 4 * choose(x > 0, e * e * (1 + e), e * (1 + e)) / (d * d)


@activation(
    "x * tanh(log(1 + exp(x)))",
    exact=_mish_exact,
    derivative=_mish_derivative,
    limits={-inf: -0.0, inf: inf},
    negative_zero=-0.0,
    exceptions={-7.450580596923828e-08: -4.470348002882929e-08},
    source="Misra, Mish: A Self Regularized Non-Monotonic Activation Function, arXiv:1908.08681, 2019",
)
def mish(x: Any) -> Any:
    r"""Let x through as far as tanh(softplus(x)) opens the gate.

    .. math:: \mathrm{mish}(x) = x \tanh(\log(1 + e^x)) = x\,\frac{n}{n + 2}, \quad n = e^x (e^x + 2)

    One exponential does for tanh and softplus. From 20 on the gate is 1 in any precision. It dips to -0.309 at -1.192
    and comes back to -0 at -inf (Keras gives NaN there). Below -40 it is x exp(x), as one word, since exp(x) alone
    would be subnormal before the product is.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.mish([-2.0, 0.0, 2.0])
    array([-0.2525015,  0.       ,  1.943959 ], dtype=float32)
    """
    e = exp(within(x, -MODERATE, 20.0))
    n = e * (e + 2.0)

    def rare() -> Any:
        return where(x > 0.0, x, exp_times(maximum(x, -1500.0), minimum(x, 0.0), 0.0))

    return seldom((x < -MODERATE) | (x > 20.0), rare, x * ratio(n, 2.0, n))
