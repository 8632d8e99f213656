"""Where sigmoid and tanh_shrink lie halfway between two float32 numbers but for parts below float64."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from refnet import activations
from tests.refnet.activations.judge import bits, rounded, truth


def expected(block, x):
    return np.array([rounded(truth(block, v), np.float32) for v in x], np.float32)


@pytest.mark.parametrize(
    "name", ["sigmoid", "hard_sigmoid", "sparse_sigmoid", "exponential", "softplus", "silu", "gelu"]
)
def test_dyadic_inputs_near_zero(name):
    """The first terms of the series are exact float32 midpoints for many of these."""
    block = activations.get(name)
    x = np.array([k * 2.0**-e for k in (-7, -5, -3, -1, 1, 3, 5, 7, 4097) for e in range(8, 64)], np.float32)
    assert bits(block.numpy(x)) == bits(expected(block, x))
    assert bits(block(x)) == bits(expected(block, x))


def test_tanh_shrink_where_x_minus_1_is_a_midpoint():
    x = np.float32(2**24 + 2) + 2 * np.arange(40, dtype=np.float32)
    x = np.concatenate([x, -x, [np.float32(2**25)]])
    right = np.where(np.abs(x) <= 2**25, x, 0)  # the part above |x| - 1 takes it up to x
    assert bits(activations.tanh_shrink.numpy(x)) == bits(right)
    assert bits(activations.tanh_shrink(x)) == bits(right)
    assert bits(expected(activations.tanh_shrink, x)) == bits(right)


def test_tanh_shrink_where_the_cube_is_a_midpoint():
    """x = 3 k 2^e makes x^3 / 3 = 9 k^3 2^3e, which has 25 bits for these k."""
    x = np.array([3 * k * 2.0**e for k in range(123, 156, 2) for e in range(-60, -30)], np.float32)
    assert bits(activations.tanh_shrink.numpy(x)) == bits(expected(activations.tanh_shrink, x))
    assert bits(activations.tanh_shrink(x)) == bits(expected(activations.tanh_shrink, x))


def test_tanh_shrink_matches_across_its_seam():
    x = 1.0 + np.arange(-50, 50) * 2.0**-52
    y = activations.tanh_shrink.numpy(x)
    exact = [float(mpmath.mpf(v) - mpmath.tanh(mpmath.mpf(v))) for v in x]
    assert np.abs(y - exact).max() <= 2 * np.spacing(y[0])


def test_hard_sigmoid_is_keras_3s():
    assert abs(activations.hard_sigmoid.numpy(np.float64(2.5)) - 5.5 / 6) <= np.spacing(5.5 / 6)
    assert activations.hard_sigmoid.numpy(np.float64(-2.75)) == 0.25 / 6
