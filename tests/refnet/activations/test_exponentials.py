"""Corners of the exponential family: where a naive formula cancels, overflows or goes subnormal."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from parity.truth import right
from refnet import activations
from refnet.activations import exponentials
from tests.refnet.activations.judge import bits, error_in_ulp, rounded, truth


def test_selu_constant_is_the_whole_product():
    product = mpmath.mpf(exponentials.SELU_SCALE) * exponentials.SELU_ALPHA
    assert abs(product - exponentials.SELU_BELOW - exponentials.SELU_BELOW_LOW) < 2.0**-105
    high, low = exponentials.SELU_BELOW_PARTS
    assert (np.float32(high), np.float32(low)) == (high, low)
    assert abs(product - high - low) < 2.0**-49


@pytest.mark.parametrize("name", ["silu", "mish"])
def test_float64_tail_keeps_its_digits_where_exp_is_subnormal(name):
    block = activations.get(name)
    x = np.random.default_rng(4).uniform(-752, -700, 200)
    for v, y in zip(x, block.numpy(x), strict=True):
        assert error_in_ulp(float(y), truth(block, v), np.float64) <= 2.0


@pytest.mark.parametrize("parameters", [{}, {"alpha": 0.5}, {"alpha": 1.5}])
@pytest.mark.parametrize("name", ["elu", "celu"])
def test_subnormal_inputs(name, parameters):
    block = activations.get(name).with_parameters(**parameters)
    x = -(np.arange(1, 200) * 2.0**-149).astype(np.float32)
    expected = np.array([rounded(truth(block, v), np.float32) for v in x], np.float32)
    assert bits(block.numpy(x)) == bits(expected)
    assert bits(block(x)) == bits(expected)


def test_log_sigmoid_underflows_to_minus_zero():
    y = activations.log_sigmoid(np.array([200.0, 1e4, 1e38, math.inf], np.float32))
    assert bits(y) == bits(np.full(4, -0.0, np.float32))


def test_squareplus_with_b_zero_is_relu():
    x = np.array([-math.inf, -2.0, 0.0, 1e-30, 3.0, math.inf], np.float32)
    np.testing.assert_array_equal(activations.squareplus(x, b=0), activations.relu(x))


def test_squareplus_with_negative_b_is_nan_where_the_root_is():
    x = np.array([-3.0, 0.0, 3.0], np.float32)
    for y in (activations.squareplus(x, b=-1.0), activations.squareplus.with_parameters(b=-1.0).slope(x)):
        assert np.isnan(y[1])
        assert not np.isnan(y[[0, 2]]).any()


ENDS = [-math.inf, -2.0, -1e-7, -0.0, 0.0, 1e-7, 2.0, math.inf, math.nan]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("celu", {"alpha": 0.0}, [-0.0] * 4 + ENDS[4:]),
        ("celu", {"alpha": -0.0}, [-0.0] * 4 + ENDS[4:]),
        ("celu", {"alpha": math.inf}, ENDS),
        ("celu", {"alpha": -math.inf}, ENDS),
        ("elu", {"alpha": math.inf}, [-math.inf] * 3 + ENDS[3:]),
        ("elu", {"alpha": -math.inf}, [math.inf] * 3 + [0.0, -0.0] + ENDS[5:]),
        ("squareplus", {"b": math.inf}, [math.nan] + [math.inf] * 7 + [math.nan]),
        ("squareplus", {"b": -math.inf}, [math.nan] * 9),
    ],
)
def test_a_parameter_at_its_end_gives_the_limit(name, parameters, expected, dtype):
    block = activations.get(name).with_parameters(**parameters)
    x, expected = (np.repeat(np.array(each, dtype), 64) for each in (ENDS, expected))  # whole vectors of each
    assert bits(block.numpy(x)) == bits(block(x)) == bits(expected)
    np.testing.assert_array_equal(right(block, x), expected)


def test_a_parameter_at_its_end_may_be_so_by_rounding():
    x = np.array([-2.0, 2.0], np.float32)
    for alpha, expected in ((1e-50, [0.0, 2.0]), (-1e-50, [0.0, 2.0]), (1e39, x)):
        np.testing.assert_array_equal(activations.celu(x, alpha=alpha), expected)
    np.testing.assert_array_equal(activations.squareplus(x, b=1e39), [math.inf, math.inf])
    np.testing.assert_array_equal(activations.elu(x, alpha=1e39), [-math.inf, 2.0])


@pytest.mark.parametrize("alpha", [math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_elu_with_an_infinite_alpha_from_0_down(alpha, dtype):
    """The least number below 0, and either 0, by the kernel, the NumPy reading and what the block says of it."""
    block = activations.elu.with_parameters(alpha=alpha)
    x = np.array([-np.finfo(dtype).smallest_subnormal, -0.0, 0.0, math.nan], dtype)
    expected = np.array([-alpha, math.copysign(0.0, -alpha), math.copysign(0.0, alpha), math.nan], dtype)
    assert bits(block(x)) == bits(block.numpy(x)) == bits(expected)
    assert bits(np.float64(block.negative_zero)) == bits(np.float64(expected[1]))
    assert (block.kinks, block.limits) == ((0.0,), {-math.inf: -alpha, math.inf: math.inf})


@pytest.mark.parametrize("alpha", [2.0, 0.0, -0.0, -2.0])
def test_elu_of_negative_0_is_alpha_times_it(alpha):
    assert bits(activations.elu.with_parameters(alpha=alpha).negative_zero) == bits(alpha * -0.0)


def test_slope_of_elu_with_an_infinite_alpha():
    for alpha in (math.inf, -math.inf):
        slope = activations.elu.with_parameters(alpha=alpha).slope(np.array(ENDS, np.float32))
        np.testing.assert_array_equal(slope, [alpha] * 5 + [1.0] * 3 + [math.nan])


def test_slope_of_celu_with_alpha_at_its_end():
    x = np.array(ENDS, np.float32)
    for alpha in (0.0, -0.0):
        slope = activations.celu.with_parameters(alpha=alpha).slope(x)
        np.testing.assert_array_equal(slope, [0.0] * 5 + [1.0] * 3 + [math.nan])
        assert activations.celu.with_parameters(alpha=alpha).kinks == (0.0,)
    for alpha in (math.inf, -math.inf):
        slope = activations.celu.with_parameters(alpha=alpha).slope(x)
        np.testing.assert_array_equal(slope, [1.0] * 8 + [math.nan])


def test_squareplus_does_not_overflow():
    x = np.array([-1e308, 1e308, -1e200, 1e160])
    np.testing.assert_array_equal(activations.squareplus.numpy(x), [1e-308, 1e308, 1e-200, 1e160])


def test_squareplus_below_a_tie_of_subnormal_numbers_is_rounded_down():
    """b / 4|x| lies halfway between two subnormal float32 numbers, and the true value is a little less."""
    b, unit = float(np.float32(1e-4)), 2.0**-149
    for power in range(95, 116):
        halves = b / 4 / 2.0**power / (unit / 2)
        if halves % 2 == 1:
            break
    y = activations.squareplus(np.array([-(2.0**power)], np.float32), b=1e-4)
    assert float(y[0]) == (halves - 1) / 2 * unit


def test_softplus_is_x_beyond_its_reach():
    x = np.array([40.0, 1e30], np.float32)
    np.testing.assert_array_equal(activations.softplus(x), x)


def test_the_parts_of_selus_factor_are_right_for_every_number_of_a_binade():
    """Brisebarre and Muller's product: high x + low x, the first product exact, the second rounded to float32."""
    x = (np.arange(1 << 23, dtype=np.uint32) + np.uint32(127 << 23)).view(np.float32)
    high, low = exponentials.SELU_SCALE_PARTS
    assert (float(np.float32(high)), float(np.float32(low))) == (high, low)
    assert min(high, low) > 0.0
    # Both terms are multiples of 2^-48 below 4, so a float64 holds their sum, and it is rounded once.
    found = (high * x.astype(np.float64) + (np.float32(low) * x).astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(found, (exponentials.SELU_SCALE * x.astype(np.float64)).astype(np.float32))


def test_selu_of_numbers_too_small_for_its_factors_parts():
    """Their second product is subnormal, or nothing: of the subnormal numbers the parts round three in ten wrongly."""
    end = np.float32(2.0**-100).view(np.uint32)
    x = np.concatenate([np.arange(1 << 16), np.random.default_rng(3).integers(0, end, 1 << 20)])
    x = x.astype(np.uint32).view(np.float32)
    high, low = map(np.float32, exponentials.SELU_SCALE_PARTS)
    expected = (exponentials.SELU_SCALE * x.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(activations.selu(x), expected)
    by_parts = (high * x.astype(np.float64) + (low * x).astype(np.float64)).astype(np.float32)
    assert (by_parts != expected).any()
