"""Activations made of straight lines and parabolas."""

from __future__ import annotations

from math import inf, isfinite
from typing import Any

from refnet.activations.activation import activation
from refnet.elementary import NEAR_ZERO, absolute, choose, fma, maximum, minimum, seldom, sum_odd, where

SIXTH = 0.16666666666666666


@activation(
    "x",
    exact=lambda m, x: x,
    derivative=lambda m, x: 1.0 + 0.0 * x,
    limits={-inf: -inf, inf: inf},
    negative_zero=-0.0,
    source="keras.activations.linear",
)
def linear(x: Any) -> Any:
    r"""Pass x through unchanged; what a layer with ``activation=None`` does.

    .. math:: \mathrm{linear}(x) = x

    Examples
    --------
    >>> from refnet import activations
    >>> activations.linear([-1.5, 2.0])
    array([-1.5,  2. ], dtype=float32)
    """
    return x


def _relu_exact(m: Any, x: Any, negative_slope: float, max_value: float, threshold: float) -> Any:
    if x > threshold:
        return x if x < max_value else m.mpf(max_value)
    return negative_slope * (m.mpf(x) - threshold) if negative_slope else m.mpf(0)


def _relu_derivative(m: Any, x: Any, negative_slope: float, max_value: float, threshold: float) -> Any:
    return choose(x > threshold, choose(x < max_value, 1.0, 0.0), negative_slope)


def _relu_limits(negative_slope: float, max_value: float, threshold: float) -> dict[float, float]:
    below = {x: negative_slope * (x - threshold) if negative_slope else 0.0 for x in (-inf, inf)}
    return {x: min(x, max_value) if x > threshold else below[x] for x in below}


def _relu_negative_zero(negative_slope: float, max_value: float, threshold: float) -> float:
    if threshold < 0.0:
        return min(max_value, -0.0)
    return negative_slope * (-0.0 - threshold) if negative_slope else 0.0


@activation(
    "max(x, 0)",
    exact=_relu_exact,
    derivative=_relu_derivative,
    kinks=lambda negative_slope, max_value, threshold: tuple(k for k in (threshold, max_value) if isfinite(k)),
    limits=_relu_limits,
    negative_zero=_relu_negative_zero,
    source="Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, 2010",
)
def relu(x: Any, negative_slope: float = 0.0, max_value: float = inf, threshold: float = 0.0) -> Any:
    r"""Keep what is positive, cut the rest to zero.

    .. math::

        \mathrm{relu}(x) = \begin{cases}
            \min(x, m) & x > \theta \\
            s\,(x - \theta) & x \le \theta \end{cases}

    with the slope :math:`s` (``negative_slope``, 0), the cap :math:`m` (``max_value``, none) and the
    threshold :math:`\theta` (``threshold``, 0).

    The kinks are at the threshold, where the derivative is s, and at the cap, where it is 0. (Keras has 0 at the
    threshold when s comes with a cap or a threshold, since it adds up two relus, and 1 at a cap other than 6, since
    it clips.) With s = 0 every x up to the threshold gives +0, also -0 and -inf; NaN gives NaN, which is why the
    comparison asks for the lower part and leaves NaN to the upper. Keras sets negative results to 0 when
    ``max_value`` comes with a negative threshold, and its backends disagree on a negative ``max_value``; here the
    formula holds for both. Where one of x and the threshold is tiny beside the other, s x - s threshold is rounded to
    odd, since the larger product may lie halfway between two float32 numbers.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.relu([-2.0, -0.0, 3.0, 9.0])
    array([0., 0., 3., 9.], dtype=float32)
    >>> activations.relu([-2.0, -0.0, 3.0, 9.0], negative_slope=0.5, max_value=6.0)
    array([-1., -0.,  3.,  6.], dtype=float32)
    """
    small, large = absolute(x) < 2.0**-28 * absolute(threshold), absolute(threshold) < 2.0**-28 * absolute(x)
    a, b = -negative_slope * threshold, negative_slope * x
    line = seldom(
        (threshold != 0.0) & (small | large),
        lambda: sum_odd(where(small, a, b), where(small, b, a)),
        negative_slope * (x - threshold),
    )
    return where(x <= threshold, where(negative_slope == 0.0, 0.0, line), minimum(x, max_value))


@activation(
    "x if x > 0 else negative_slope * x",
    exact=lambda m, x, negative_slope: x if x > 0 else negative_slope * m.mpf(x),
    derivative=lambda m, x, negative_slope: choose(x > 0, 1.0, negative_slope),
    kinks=(0.0,),
    limits=lambda negative_slope: {-inf: -inf * negative_slope if negative_slope else 0.0, inf: inf},
    negative_zero=lambda negative_slope: negative_slope * -0.0 if negative_slope else 0.0,
    source="Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models, 2013",
)
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    r"""Keep what is positive, let a fraction of the rest leak through.

    .. math:: \mathrm{leaky\_relu}(x) = \begin{cases} x & x > 0 \\ s\,x & x \le 0 \end{cases}

    The slope :math:`s` is ``negative_slope``. The function's default is 0.2, that of the layer LeakyReLU 0.3, as in
    Keras. At the kink, 0, the derivative is s. A slope of 0 makes it relu, with +0 for every negative x.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.leaky_relu([-2.0, 3.0])
    array([-0.4,  3. ], dtype=float32)
    """
    return where(x <= 0.0, where(negative_slope == 0.0, 0.0, negative_slope * x), x)


@activation(
    "min(max(x, 0), 6)",
    exact=lambda m, x: min(max(m.mpf(x), m.mpf(0)), m.mpf(6)),
    derivative=lambda m, x: choose((x > 0) & (x < 6), 1.0, 0.0),
    kinks=(0.0, 6.0),
    limits={-inf: 0.0, inf: 6.0},
    negative_zero=0.0,
    source="Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10, 2010",
)
def relu6(x: Any) -> Any:
    r"""Keep what lies between 0 and 6.

    .. math:: \mathrm{relu6}(x) = \min(\max(x, 0), 6)

    At the kinks the derivative is 0. Every x up to 0 gives +0, also -0; NaN gives NaN.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.relu6([-2.0, 3.0, 9.0])
    array([0., 3., 6.], dtype=float32)
    """
    return where(x <= 0.0, 0.0, minimum(x, 6.0))


@activation(
    "clip(x, -1, 1)",
    exact=lambda m, x: min(max(m.mpf(x), m.mpf(-1)), m.mpf(1)),
    derivative=lambda m, x: choose(abs(x) <= 1, 1.0, 0.0),
    kinks=(-1.0, 1.0),
    limits={-inf: -1.0, inf: 1.0},
    negative_zero=-0.0,
    source="Collobert and Bengio, Links between Perceptrons, MLPs and SVMs, 2004",
)
def hard_tanh(x: Any) -> Any:
    r"""Keep what lies between -1 and 1: a tanh of straight lines.

    .. math:: \mathrm{hard\_tanh}(x) = \min(\max(x, -1), 1)

    At the kinks the derivative is 1, as in Keras. It is odd: -0 gives -0.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.hard_tanh([-2.0, 0.5, 9.0])
    array([-1. ,  0.5,  1. ], dtype=float32)
    """
    return minimum(maximum(x, -1.0), 1.0)


def _hard_silu_exact(m: Any, x: Any) -> Any:
    return m.mpf(x) * min(max((m.mpf(x) + 3) / 6, m.mpf(0)), m.mpf(1))


def _hard_silu_derivative(m: Any, x: Any) -> Any:
    return choose(abs(x) < 3, (2 * x + 3) / 6, choose(x < 0, 0.0, 1.0))


@activation(
    "x * clip((x + 3) / 6, 0, 1)",
    exact=_hard_silu_exact,
    derivative=_hard_silu_derivative,
    kinks=(-3.0, 3.0),
    limits={-inf: -0.0, inf: inf},
    negative_zero=-0.0,
    aliases=("hard_swish",),
    source="Howard et al., Searching for MobileNetV3, arXiv:1905.02244, 2019",
)
def hard_silu(x: Any) -> Any:
    r"""Let x through as far as hard_sigmoid(x) opens the gate; also known as hard_swish.

    .. math:: \mathrm{hard\_silu}(x) = x \cdot \min\!\left(\max\!\left(\frac{x + 3}{6}, 0\right), 1\right)

    At the kinks the derivative is that of the outer lines: 0 at -3, 1 at 3. From -3 down every x gives -0. The gate
    (x + 3) / 6 is rounded, and what that took away, as ``slip``, is put back in one fused multiply-add. Around 0, where
    it is x/2 + x^2/6, the sum is rounded to odd, since x/2 may lie halfway between two subnormal numbers.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.hard_silu([-4.0, -1.0, 1.0, 4.0])
    array([-0.        , -0.33333334,  0.6666667 ,  4.        ], dtype=float32)
    """
    above = x + 3.0
    gate = above * SIXTH
    slip = (fma(-6.0, gate, above) + (x - (above - 3.0))) * SIXTH
    usual = where(absolute(x) < 3.0, fma(x, gate, x * slip), maximum(x, -0.0))
    return seldom(absolute(x) < NEAR_ZERO, lambda: sum_odd(0.5 * x, x * x * SIXTH), usual)


def _sparse_plus_exact(m: Any, x: Any) -> Any:
    return m.mpf(0) if x <= -1 else m.mpf(x) if x >= 1 else (m.mpf(x) + 1) ** 2 / 4


@activation(
    "0 if x <= -1, (x + 1)^2 / 4 between, x if x >= 1",
    exact=_sparse_plus_exact,
    derivative=lambda m, x: choose(x <= -1, 0.0, choose(x >= 1, 1.0, (x + 1) / 2)),
    limits={-inf: 0.0, inf: inf},
    negative_zero=0.25,
    source="keras.activations.sparse_plus",
)
def sparse_plus(x: Any) -> Any:
    r"""Round the corner of relu off with a parabola between -1 and 1; its derivative is sparse_sigmoid.

    .. math::

        \mathrm{sparse\_plus}(x) = \begin{cases}
            0 & x \le -1 \\ \frac{(x + 1)^2}{4} & -1 < x < 1 \\ x & x \ge 1 \end{cases}

    What the rounding of x + 1 takes away is added to the square, in one fused multiply-add.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.sparse_plus([-2.0, 0.0, 0.5, 3.0])
    array([0.    , 0.25  , 0.5625, 3.    ], dtype=float32)
    """
    t = 1.0 + x
    low = x - (t - 1.0)
    return where(absolute(x) < 1.0, fma(0.25 * t, t, 0.5 * t * low), maximum(x, 0.0))


def _shrink_limits(threshold: float) -> dict[float, float]:
    return {end: 0.0 if threshold == inf else end for end in (-inf, inf)}


@activation(
    "x shrunk towards 0 by threshold",
    exact=lambda m, x, threshold: m.mpf(x) - threshold if x > threshold else min(m.mpf(x) + threshold, m.mpf(0)),
    derivative=lambda m, x, threshold: choose(abs(x) > threshold, 1.0, 0.0),
    kinks=lambda threshold: (-threshold, threshold),
    limits=_shrink_limits,
    negative_zero=lambda threshold: max(0.0, -threshold),
    source="Donoho, De-noising by Soft-thresholding, 1995",
)
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    r"""Pull x towards 0 by the threshold, and to 0 what is nearer than that.

    .. math::

        \mathrm{soft\_shrink}(x) = \begin{cases}
            x - \theta & x > \theta \\ x + \theta & x < -\theta \\ 0 & \text{otherwise} \end{cases}

    Everything inside the threshold gives +0, also -0. At the kinks the derivative is 0. NaN gives NaN (Keras on
    TensorFlow gives 0). The threshold is meant to be 0 or more; with one below 0 nothing is inside, and what lies
    above it goes up by its size, the rest down.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.soft_shrink([-2.0, 0.3, 1.0])
    array([-1.5,  0. ,  0.5], dtype=float32)
    """
    return where(absolute(x) <= threshold, 0.0, x - where(x > threshold, threshold, -threshold))


@activation(
    "x if |x| > threshold else 0",
    exact=lambda m, x, threshold: m.mpf(x) if abs(x) > threshold else m.mpf(0),
    derivative=lambda m, x, threshold: choose(abs(x) > threshold, 1.0, 0.0),
    kinks=lambda threshold: (-threshold, threshold),
    limits=_shrink_limits,
    negative_zero=lambda threshold: 0.0 if threshold >= 0.0 else -0.0,
    source="Donoho and Johnstone, Ideal Spatial Adaptation by Wavelet Shrinkage, 1994",
)
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    r"""Keep x if it is larger than the threshold either way, and set the rest to 0.

    .. math:: \mathrm{hard\_shrink}(x) = \begin{cases} x & |x| > \theta \\ 0 & |x| \le \theta \end{cases}

    It jumps at the threshold, where it is 0 and so is the derivative. Everything inside gives +0, also -0. NaN gives
    NaN (Keras on TensorFlow gives 0).

    Examples
    --------
    >>> from refnet import activations
    >>> activations.hard_shrink([-2.0, 0.5, 1.0])
    array([-2.,  0.,  1.], dtype=float32)
    """
    return where(absolute(x) <= threshold, 0.0, x)


@activation(
    "x if x > threshold else default_value",
    exact=lambda m, x, threshold, default_value: m.mpf(x) if x > threshold else m.mpf(default_value),
    derivative=lambda m, x, threshold, default_value: choose(x > threshold, 1.0, 0.0),
    kinks=lambda threshold, default_value: (threshold,),
    limits=lambda threshold, default_value: {-inf: default_value, inf: inf if threshold < inf else default_value},
    negative_zero=lambda threshold, default_value: -0.0 if threshold < 0.0 else default_value,
    source="keras.activations.threshold",
)
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    r"""Keep x above the threshold, put the default value in place of the rest.

    .. math::

        \mathrm{threshold}(x) = \begin{cases} x & x > \theta \\ d & x \le \theta \end{cases}

    Both parameters must be given, so the name alone does not make a layer's activation;
    ``activations.threshold.with_parameters(1.0, 0.0)`` does. It jumps at the threshold, where it is d and the
    derivative 0. NaN gives NaN (Keras gives d).

    Examples
    --------
    >>> from refnet import activations
    >>> activations.threshold([-2.0, 1.0, 3.0], 1.0, 0.0)
    array([0., 0., 3.], dtype=float32)
    """
    return where(x <= threshold, default_value, x)
