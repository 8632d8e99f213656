"""gelu's tail, its halves of subnormals, and the form by tanh."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from refnet import activations
from refnet.activations import gaussians
from tests.refnet.activations.judge import bits, rounded, truth

FORMS = [activations.gelu, activations.gelu.with_parameters(approximate=True)]


@pytest.mark.parametrize("block", FORMS, ids=["exact", "tanh"])
def test_odd_subnormals_are_halved_to_the_right_side(block):
    x = (np.arange(1, 400, 2) * 2.0**-149).astype(np.float32)
    x = np.concatenate([x, -x])
    expected = np.array([rounded(truth(block, v), np.float32) for v in x], np.float32)
    assert bits(block.numpy(x)) == bits(expected)
    assert bits(block(x)) == bits(expected)


@pytest.mark.parametrize("block", FORMS, ids=["exact", "tanh"])
def test_tail_is_correctly_rounded(block):
    x = np.random.default_rng(8).uniform(-15, -4, 400).astype(np.float32)
    expected = np.array([rounded(truth(block, v), np.float32) for v in x], np.float32)
    assert bits(block.numpy(x)) == bits(expected)
    assert bits(block(x)) == bits(expected)


def test_constants_of_the_tanh_form():
    one = 2 * mpmath.sqrt(2 / mpmath.pi)
    assert abs(one - gaussians.TANH_1 - gaussians.TANH_1_LOW) < 2.0**-105
    assert abs(one * 0.044715 - gaussians.TANH_3 - gaussians.TANH_3_LOW) < 2.0**-109
    assert float(1 / mpmath.sqrt(2 * mpmath.pi)) == gaussians.SQRT_1_OVER_2PI
