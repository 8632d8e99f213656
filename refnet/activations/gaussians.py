"""Activations weighted by the normal distribution."""

from __future__ import annotations

from math import inf
from typing import Any

from refnet.activations.activation import activation
from refnet.elementary import (
    NEAR_ZERO,
    absolute,
    exp_coarse,
    exp_sum,
    exp_times,
    fma,
    maximum,
    minimum,
    normal_cdf_times,
    ratio,
    seldom,
    shortcut,
    sum_odd,
    where,
    within,
)

SQRT_1_OVER_2PI = 0.3989422804014327

# 2 sqrt(2/pi) and 0.044715 times it, each as a float64 and what that leaves.
TANH_1 = 1.5957691216057308
TANH_1_LOW = -9.96930880911092e-17
TANH_3 = 0.07135481627260025
TANH_3_LOW = -4.1218577217431825e-18

#: exp(a^2 / 2) times the normal distribution function of -a, up to 13; error 2^-39. A numerator of degree 6, in 3
#: products, and a denominator of degree 7, in 4 (`parity.fit.adapted`); and the logarithm of their factor.
TAIL_COARSE = (
    (
        5.1416632900800865,
        14.87113383525896,
        2.699216708081154,
        24.746398677428473,
        -41.56253075546403,
        414.63956103842986,
    ),
    (
        7.66339197908201,
        26.628222303958818,
        0.1774959687376766,
        91.08695334655883,
        -105.55629712109037,
        2854.7018465943,
        2308.2949722621397,
    ),
    (-0.9189383655128451,),
)


def _gelu_exact(m: Any, x: Any, approximate: bool) -> Any:
    if abs(x) > 1e6:  # mpmath's ncdf fails for huge x; Phi is 1 or 0 to more digits than any format has
        return m.mpf(x) if x > 0 else -m.ldexp(1, -(10**6))
    return x * m.ncdf(x)


def _gelu_derivative(m: Any, x: Any, approximate: bool) -> Any:
    return m.ncdf(x) + x * m.npdf(x)


def _gelu_tanh_exact(m: Any, x: Any, approximate: bool) -> Any:
    u = m.sqrt(2 / m.pi) * (x + m.mpf(0.044715) * x**3)
    return x / (1 + m.exp(-2 * u))


def _gelu_tanh_derivative(m: Any, x: Any, approximate: bool) -> Any:
    v = m.sqrt(8 / m.pi) * (x + 0.044715 * x**3)
    gate = 1 / (1 + m.exp(-v))
    return gate + x * gate / (1 + m.exp(v)) * m.sqrt(8 / m.pi) * (1 + 3 * x * x * 0.044715)


def _gelu_tanh(x: Any, approximate: bool = True) -> Any:
    """Return x sigmoid(v), v = 2 sqrt(2/pi) (x + 0.044715 x^3), which is the form by tanh.

    exp(v) magnifies the rounding of v as many times as v is large, so v is carried with its low part.
    Evaluated as silu for negative v.
    """
    x = maximum(x, -100.0)
    a = minimum(x, 100.0)
    cubic = TANH_3 * (a * a)
    t = TANH_1 + cubic
    t_low = (minimum(cubic, TANH_1) - (t - maximum(cubic, TANH_1))) + (TANH_1_LOW + TANH_3_LOW * a * a)
    t_low = t_low + fma(TANH_3, a * a, -cubic) + TANH_3 * fma(a, a, -(a * a))
    v = a * t
    low = fma(a, t, -v) + a * t_low
    low = where(v >= 0.0, -low, low)
    below = -absolute(v)
    e, x_e = exp_sum(below, low), exp_times(x, below, low)
    usual = ratio(where(v >= 0.0, x, x_e), 1.0, e)
    second_order = SQRT_1_OVER_2PI * x * x * (1.0 - 0.1674915907891938 * x * x)
    return seldom(absolute(x) < NEAR_ZERO, lambda: sum_odd(0.5 * x, second_order), usual)


@activation(
    "x * P(Z <= x), Z standard normal",
    exact=_gelu_exact,
    derivative=_gelu_derivative,
    limits={-inf: -0.0, inf: inf},
    negative_zero=-0.0,
    flags={
        "approximate": {
            "formula": _gelu_tanh,
            "text": "x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3)))",
            "exact": _gelu_tanh_exact,
            "derivative": _gelu_tanh_derivative,
        }
    },
    source="Hendrycks and Gimpel, Gaussian Error Linear Units, 2016 (arXiv:1606.08415)",
)
def gelu(x: Any, approximate: bool = False) -> Any:
    r"""Let x through as far as the normal distribution function opens the gate.

    .. math:: \mathrm{gelu}(x) = x\,\Phi(x) = \frac{x}{2}\,\mathrm{erfc}\!\left(-\frac{x}{\sqrt 2}\right)

    Written with erfc: the usual 1 + erf(x / sqrt 2) cancels for negative x and has no correct digit left below
    -5. It dips to -0.170 at -0.752 and comes back to -0 at -inf (Keras gives NaN there). Around 0 the series
    x/2 + x^2 / sqrt(2 pi) is summed with its last rounding to odd, since x/2 may lie halfway between two subnormal
    numbers. Elsewhere the tail needs fewer digits first, since nearly all float32 can be rounded by these.

    ``approximate=True`` chooses another formula, Keras' approximation by tanh, up to 4.7e-4 away:

    .. math:: \frac{x}{2}\left(1 + \tanh\!\left(\sqrt{2/\pi}\,(x + 0.044715\,x^3)\right)\right)

    Examples
    --------
    >>> from refnet import activations
    >>> activations.gelu([-2.0, 0.0, 2.0])
    array([-0.04550026,  0.        ,  1.9544997 ], dtype=float32)
    >>> activations.gelu([-2.0, 0.0, 2.0], approximate=True)
    array([-0.04540231,  0.        ,  1.9545977 ], dtype=float32)
    """

    def short(x: Any) -> Any:
        a = absolute(x)
        numbers, more, (factor,) = TAIL_COARSE

        def sextic(c: tuple[float, ...]) -> Any:
            z = fma(a + c[0], a, c[1])
            w = fma(a + c[2], z, c[3])
            return fma(w + (z + c[4]), w, c[5])

        power = exp_coarse(within(fma(-0.5 * x, x, factor), -80.0, 0.0))
        return fma(-a, power * sextic(numbers) / fma(sextic(more), a, more[6]), maximum(x, 0.0))

    def usual(x: Any) -> Any:
        held = maximum(x, -100.0)
        second_order = SQRT_1_OVER_2PI * held * held * (1.0 - held * held / 6.0)
        return seldom(absolute(x) < NEAR_ZERO, lambda: sum_odd(0.5 * x, second_order), normal_cdf_times(held, x))

    return shortcut(x, 2.0**-100, 12.5, short, 36, usual)
