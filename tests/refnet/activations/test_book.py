"""Every elementwise activation of the book against its own ``exact``, its limits, its derivative, its help page."""

from __future__ import annotations

import doctest

import mpmath
import numpy as np
import pytest
from hypothesis import given, strategies as st

from refnet import activations
from refnet.activations import REGISTRY, Activation
from tests.refnet.activations.judge import bits, elementwise, error_in_ulp, label, points, rounded, truth

INF = float("inf")

# Largest error of NumPy's reading in float64, in ulp, where it is above 1. It rounds exp, expm1 or log1p (0.5 to 0.7
# ulp) once and their result once or twice more; next to a power of two one relative error is up to two ulp.
FLOAT64_ULP = {
    "relu": 1.5,  # x - threshold and the product, where both a slope and a threshold are given
    "elu": 1.6,  # alpha expm1(x)
    "celu": 1.7,  # alpha expm1(x / alpha)
    "selu": 1.7,
    "sigmoid": 1.3,
    "tanh": 1.5,
    "softplus": 1.5,
    "log_sigmoid": 1.5,
    "silu": 2.0,
    "squareplus": 1.5,
    "tanh_shrink": 2.0,
    "mish": 2.0,
    "gelu": 4.0,  # erfc of the C library, and the product with x
}

# Largest error of a slope in float64, in ulp, where it is above 0.51: exp magnifies the rounding of its argument, which
# has 64 bits; gelu takes its distribution function in float64, from the C library's erfc.
SLOPE_ULP = {"celu-alpha=3": 0.8, "gelu": 2.5, "gelu-approximate=1": 1.5}

# Where the last normal slopes give way to subnormal ones, down to the last of these: those of the form of gelu by tanh,
# gelu, tanh, what falls like exp(x), and celu with alpha = 3
SLOPE_TAILS = [(20.0, 22.0), (37.0, 39.0), (353.0, 374.0), (706.0, 754.0), (2120.0, 2240.0)]

EVERY = list(elementwise())
READINGS = [pytest.param(Activation.numpy, id="numpy"), pytest.param(Activation.__call__, id="compiled")]


@pytest.mark.parametrize("read", READINGS)
@pytest.mark.parametrize("activation", EVERY, ids=label)
def test_float32_is_correctly_rounded(activation, read):
    x = points(activation, np.float32)
    expected = np.array([rounded(truth(activation, each), np.float32) for each in x], np.float32)
    got = read(activation, x)
    # A zero whose sign the exact value does not tell is judged by the limits' test.
    wrong = [(each, a, b) for each, a, b in zip(x, got, expected, strict=True) if a != b]
    assert not wrong, f"{len(wrong)} of {len(x)} misrounded, first (x, got, right): {wrong[0]}"


@pytest.mark.parametrize("read", READINGS)
@pytest.mark.parametrize("activation", EVERY, ids=label)
def test_float64_is_within_its_bound(activation, read):
    x = points(activation, np.float64)
    compiled = read is not Activation.numpy
    if activation.name == "gelu" and not compiled:
        x = x[(x < -38.7) | (x > -37.4)]  # between, the distribution function is subnormal and its digits are few
    got = read(activation, x)
    errors = [error_in_ulp(float(y), truth(activation, each), np.float64) for each, y in zip(x, got, strict=True)]
    worst = int(np.argmax(errors))
    # sum_odd costs NumPy's float64 reading up to one ulp
    bound = 0.77 if compiled else FLOAT64_ULP.get(activation.name, 1.0)
    assert errors[worst] <= bound, (x[worst], got[worst], errors[worst])


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda t: t.__name__)
@pytest.mark.parametrize("read", READINGS)
@pytest.mark.parametrize("activation", EVERY, ids=label)
def test_special_values_bitwise(activation, read, dtype):
    x = np.array([-INF, INF, -0.0, np.nan], dtype)
    parameters = activation.parameters_in(dtype)
    exact = activation.with_parameters(**parameters) if activation.name != "gelu" else activation
    expected = np.array([exact.limits[-INF], exact.limits[INF], exact.negative_zero, np.nan], dtype)
    assert bits(read(activation, x)) == bits(expected)
    zero = rounded(truth(activation, dtype(0.0)), dtype)
    assert read(activation, np.zeros(1, dtype))[0] == zero


@pytest.mark.parametrize("activation", EVERY, ids=label)
def test_far_out_it_has_reached_the_sign_of_its_limit(activation):
    x = np.array([-1e38, 1e38], np.float32)
    limits = np.array([activation.limits[-INF], activation.limits[INF]], np.float32)
    np.testing.assert_array_equal(np.signbit(activation.numpy(x)), np.signbit(limits))


@pytest.mark.parametrize("activation", EVERY, ids=label)
def test_derivative_is_the_slope_of_exact(activation):
    """The numerical derivative of ``exact``, away from kinks, agrees with ``derivative`` to 12 digits."""
    parameters = activation.parameters_in(np.float64)
    for x in points(activation, np.float64, 12):
        near_kink = any(abs(float(x) - kink) < 1e-3 for kink in activation.kinks)
        if near_kink or not 1e-6 < abs(x) < 40 or (activation.name == "squareplus" and activation.parameters["b"] == 0):
            continue
        x = mpmath.mpf(float(x))
        expected = mpmath.diff(lambda at: activation.exact(mpmath, at, **parameters), x)
        got = mpmath.mpf(activation.derivative(mpmath, x, **parameters))
        assert mpmath.almosteq(got, expected, rel_eps=1e-12, abs_eps=mpmath.mpf(10) ** -25), (x, got, expected)


@pytest.mark.parametrize("activation", EVERY, ids=label)
def test_derivative_is_the_slope_of_exact_far_out(activation):
    """Here exp(-740) is seen beside 1, so no error may hide behind what the slope is small against."""
    parameters = activation.parameters_in(np.float64)
    with mpmath.workprec(3000):
        for x in (-740.0, -350.5, -38.5, -21.25, 21.25, 38.5, 350.5, 740.0):
            expected = mpmath.diff(lambda at: activation.exact(mpmath, at, **parameters), mpmath.mpf(x))
            got = mpmath.mpf(activation.derivative(mpmath, mpmath.mpf(x), **parameters))
            assert abs(got - expected) <= abs(expected) * 1e-12, (x, got, expected)


@pytest.mark.parametrize("activation", EVERY, ids=label)
def test_slope_is_the_derivative_rounded(activation):
    """Where the slope crosses zero its sum cancels, to a few ulp of float64 in its terms."""
    x = points(activation, np.float32, 20)
    judge_slope(activation, x[(x < 88) & (x > -1e6)], bound=0.5001, cancelled=2.0**-51)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than float64 here")
@pytest.mark.parametrize("activation", EVERY, ids=label)
def test_slope_in_float64_is_the_derivative_rounded(activation):
    """Where the slope crosses zero its sum cancels, to a few ulp of long double in its terms."""
    rng = np.random.default_rng(12)
    x = np.concatenate([points(activation, np.float64, 20), *(rng.uniform(*tail, 40) for tail in SLOPE_TAILS)])
    x = np.concatenate([x, -x, rng.uniform(-800, 800, 40), [] if activation.parameters.get("b") == 0 else [0.0, -0.0]])
    erfc = label(activation) == "gelu"
    bound = SLOPE_ULP.get(label(activation), 0.51)
    judge_slope(activation, x[np.abs(x) < 1e6], bound, cancelled=2.0**-53 if erfc else 2.0**-62)


def judge_slope(activation, x, bound, cancelled):
    parameters = activation.parameters_in(x.dtype)
    for each, got in zip(x, activation.slope(x), strict=True):
        expected = mpmath.mpf(activation.derivative(mpmath, mpmath.mpf(float(each)), **parameters))
        error = error_in_ulp(float(got), expected, x.dtype.type)
        crossing = -2 < each < 0 and abs(mpmath.mpf(float(got)) - expected) <= cancelled
        assert error <= bound or crossing, (each, got, expected, error)


@pytest.mark.parametrize(("dtype", "far"), [(np.float32, 1e30), (np.float64, 1e300)], ids=["float32", "float64"])
@pytest.mark.parametrize("activation", EVERY, ids=label)
def test_slope_at_the_ends(activation, dtype, far):
    ends = activation.slope(np.array([-INF, INF, np.nan], dtype))
    np.testing.assert_array_equal(ends[:2], activation.slope(np.array([-far, far], dtype)))
    assert np.isnan(ends[2])


@pytest.mark.parametrize("name", activations.names())
def test_help_page_runs(name):
    block = REGISTRY[name]
    test = doctest.DocTestParser().get_doctest(block.help, {}, name, None, 0)
    assert test.examples, "the page has no example"
    report: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("name", activations.names())
def test_help_page_has_idea_formula_and_source(name):
    block = REGISTRY[name]
    first, _, rest = block.help.partition("\n")
    assert first.endswith(".")
    assert ".. math::" in rest
    assert block.source
    assert block.text
    assert getattr(activations, name) is block
    assert all(getattr(activations, alias) is block for alias in block.aliases)


RISING = [
    "sigmoid",
    "tanh",
    "softsign",
    "softplus",
    "log_sigmoid",
    "elu",
    "selu",
    "celu",
    "exponential",
    "relu",
    "relu6",
]
RISING += ["hard_sigmoid", "hard_tanh", "sparse_plus", "sparse_sigmoid", "squareplus", "soft_shrink", "hard_shrink"]
RISING += ["leaky_relu", "tanh_shrink", "linear"]
ODD = ["tanh", "softsign", "hard_tanh", "tanh_shrink", "soft_shrink", "hard_shrink", "linear"]
WITHIN = {"sigmoid": (0, 1), "hard_sigmoid": (0, 1), "sparse_sigmoid": (0, 1), "tanh": (-1, 1), "softsign": (-1, 1)}
LEAST = {"silu": -0.27846456, "gelu": -0.16997121, "mish": -0.30884212, "hard_silu": -0.375, "softplus": 0.0}

floats = st.floats(allow_nan=False, width=32)


@given(floats)
def test_next_number_is_not_lower(x):
    x = np.float32(x)
    with np.errstate(over="ignore"):  # the number after the largest is inf
        pair = np.array([x, np.nextafter(x, np.float32(INF))], np.float32)
    for name in RISING:
        a, b = REGISTRY[name].numpy(pair)
        assert a <= b, (name, x, a, b)


@given(floats)
def test_odd_functions_are_odd_to_the_bit(x):
    pair = np.array([x, -x], np.float32)
    for name in ODD:
        a, b = REGISTRY[name].numpy(pair)
        assert a == -b, (name, x, a, b)


@given(floats)
def test_ranges(x):
    pair = np.array([x], np.float32)
    for name, (low, high) in WITHIN.items():
        assert low <= REGISTRY[name].numpy(pair)[0] <= high, (name, x)
    for name, low in LEAST.items():
        assert REGISTRY[name].numpy(pair)[0] >= np.float32(low), (name, x)
