"""Corners of the straight lines and parabolas."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from parity.truth import right
from refnet import activations
from tests.refnet.activations.judge import bits, rounded

INF, NAN = math.inf, math.nan


def f32(*values):
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, [0.0, 0.0, 0.0, 0.0, 0.5, 3.0, 7.0, INF, NAN]),
        ({"max_value": 6.0}, [0.0, 0.0, 0.0, 0.0, 0.5, 3.0, 6.0, 6.0, NAN]),
        ({"negative_slope": 0.5}, [-INF, -1.0, -0.0, 0.0, 0.5, 3.0, 7.0, INF, NAN]),
        ({"threshold": 1.0}, [0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 7.0, INF, NAN]),
        ({"threshold": 1.0, "negative_slope": 0.5}, [-INF, -1.5, -0.5, -0.5, -0.25, 3.0, 7.0, INF, NAN]),
        ({"threshold": -1.0, "max_value": 6.0}, [0.0, 0.0, -0.0, 0.0, 0.5, 3.0, 6.0, 6.0, NAN]),
        ({"threshold": -1.0, "max_value": 0.0}, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, NAN]),
        ({"max_value": -1.0}, [0.0, 0.0, 0.0, 0.0, -1.0, -1.0, -1.0, -1.0, NAN]),
        ({"threshold": INF}, [0.0] * 8 + [NAN]),
        ({"threshold": INF, "negative_slope": 0.5}, [-INF] * 7 + [NAN, NAN]),
        ({"threshold": -INF, "max_value": 6.0}, [0.0, -2.0, -0.0, 0.0, 0.5, 3.0, 6.0, 6.0, NAN]),
        ({"threshold": -INF, "negative_slope": 0.5}, [NAN, -2.0, -0.0, 0.0, 0.5, 3.0, 7.0, INF, NAN]),
    ],
)
def test_relu_in_its_odd_corners(parameters, expected):
    x = f32(-INF, -2.0, -0.0, 0.0, 0.5, 3.0, 7.0, INF, NAN)
    block = activations.relu.with_parameters(**parameters)
    assert bits(block.numpy(x)) == bits(f32(*expected))
    assert bits(block(x)) == bits(f32(*expected))
    assert bits(f32(block.limits[-INF], block.negative_zero, block.limits[INF])) == bits(f32(*expected)[[0, 2, 7]])
    assert bits(right(block, x)) == bits(f32(*expected))


def test_leaky_relu_with_slope_zero_is_relu():
    x = f32(-INF, -2.0, -0.0, 0.0, 3.0, INF, NAN)
    assert bits(activations.leaky_relu(x, 0.0)) == bits(activations.relu(x))


def test_leaky_relu_takes_its_slope_in_the_inputs_precision():
    x = np.array([-1.0])
    assert activations.leaky_relu(x)[0] == -0.2
    assert activations.leaky_relu(x.astype(np.float32)).astype(np.float64)[0] == -float(np.float32(0.2))


def test_shrinking_lets_nan_through_and_gives_plus_zero_inside():
    x = f32(-INF, -0.5, -0.3, -0.0, 0.0, 0.3, 0.5, INF, NAN)
    expected = f32(-INF, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, INF, NAN)
    for name in ("soft_shrink", "hard_shrink"):
        block = activations.get(name)
        assert bits(block.numpy(x)) == bits(expected)
        assert bits(block(x)) == bits(expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        (-1.0, [-INF, -3.0, -2.0, 0.5, 1.0, 1.0, 1.5, 3.0, INF, NAN]),
        (-0.0, [-INF, -2.0, -1.0, -0.5, 0.0, 0.0, 0.5, 2.0, INF, NAN]),
        (INF, [0.0] * 9 + [NAN]),
        (-INF, [-INF] + [INF] * 8 + [NAN]),
    ],
)
def test_soft_shrink_with_a_threshold_that_is_not_meant(threshold, expected, dtype):
    x = np.array([-INF, -2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 2.0, INF, NAN], dtype)
    block, expected = activations.soft_shrink.with_parameters(threshold), np.array(expected, dtype)
    assert bits(block.numpy(x)) == bits(block(x)) == bits(expected) == bits(right(block, x))


def test_hard_shrink_with_a_threshold_of_infinity_keeps_nothing():
    x, block = f32(-INF, -2.0, -0.0, 2.0, INF, NAN), activations.hard_shrink.with_parameters(INF)
    assert bits(block.numpy(x)) == bits(block(x)) == bits(right(block, x)) == bits(f32(*[0.0] * 5, NAN))


def test_threshold_keeps_what_is_above():
    x = f32(-INF, -0.0, 1.0, np.nextafter(np.float32(1), np.float32(2)), INF, NAN)
    expected = f32(-3.0, -3.0, -3.0, x[3], INF, NAN)
    assert bits(activations.threshold(x, 1.0, -3.0)) == bits(expected)
    assert bits(activations.threshold.numpy(x) if not activations.threshold.required else expected) == bits(expected)


@pytest.mark.parametrize(("threshold", "expected"), [(INF, [7.0] * 5), (-INF, [7.0, -2.0, -0.0, 3.0, INF])])
def test_threshold_at_an_infinity(threshold, expected):
    x, block = f32(-INF, -2.0, -0.0, 3.0, INF, NAN), activations.threshold.with_parameters(threshold, 7.0)
    assert bits(block.numpy(x)) == bits(block(x)) == bits(right(block, x)) == bits(f32(*expected, NAN))


def test_hard_silu_halves_subnormals_to_the_right_side():
    """x/2 lies halfway between two subnormals for odd x; x^2/6, far below float64, decides."""
    x = (np.arange(1, 400, 2) * 2.0**-149).astype(np.float32)
    x = np.concatenate([x, -x])
    expected = f32(*(rounded(mpmath.mpf(float(v)) * (mpmath.mpf(float(v)) + 3) / 6, np.float32) for v in x))
    assert bits(activations.hard_silu.numpy(x)) == bits(expected)
    assert bits(activations.hard_silu(x)) == bits(expected)


def test_sparse_plus_next_to_its_ties():
    x = f32(*(k * 2.0**-e for k in (-5, -3, -1, 1, 3, 5) for e in range(20, 50)))
    expected = f32(*(rounded((mpmath.mpf(float(v)) + 1) ** 2 / 4, np.float32) for v in x))
    assert bits(activations.sparse_plus.numpy(x)) == bits(expected)
    assert bits(activations.sparse_plus(x)) == bits(expected)


def test_relu_is_rounded_once_where_x_or_the_threshold_is_tiny():
    relu = activations.relu
    steep = relu.with_parameters(negative_slope=0.3, threshold=1.25)
    tiny = np.float32([-1e-20, 1e-20, -1e-44, 1e-44, -0.0, 0.0])
    assert steep(tiny).tobytes() == right(steep, tiny).tobytes() == steep.numpy(tiny).tobytes()
    low = relu.with_parameters(negative_slope=0.75, threshold=1e-30)
    large = -np.float32(1.0) - np.arange(64, dtype=np.float32) * np.float32(2**-23)
    assert low(large).tobytes() == right(low, large).tobytes() == low.numpy(large).tobytes()
    for end in (-np.inf, np.nan, np.inf):
        assert np.array_equal(steep([end]), np.float32([end]), equal_nan=True)
