from __future__ import annotations

import numpy as np
import pytest

from refnet import activations
from tests.refnet.engine.test_kernels import run, same_bits


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_special_entries_in_short_rows_and_long_ones(name):
    rng = np.random.default_rng(3)
    for columns in (7, 63, 64, 65, 200):
        x = rng.standard_normal((200, columns)).astype(np.float32) * 50
        special = rng.choice([np.inf, -np.inf, np.nan, 3.4e38, -3.4e38, 0.0, -0.0], x.shape)
        x = np.where(rng.random(x.shape) < rng.choice([0.0, 0.01, 0.3, 1.0], (200, 1)), special, x).astype(np.float32)
        x[::10] = np.minimum(x[::10], -np.inf)
        assert same_bits(run(name, x, columns), activations.get(name).numpy(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_the_order_of_the_sum_is_the_same_for_short_rows_and_long_ones(name, dtype):
    x = np.random.default_rng(4).standard_normal((50, 63)).astype(dtype) * 3
    longer = np.concatenate([x, np.full((50, 2), -np.inf, dtype)], axis=1)  # two terms of 0: same sum

    y = activations.get(name)(longer)
    assert y[:, :63].tobytes() == activations.get(name)(x).tobytes()
