from __future__ import annotations

import numpy as np
import pytest

from refnet import activations
from refnet.engine.half_rows import SHORT
from tests.refnet.engine.test_kernels import same_bits, samples


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("half", [*range(1, SHORT + 2), 15, 16, 17, 63, 64, 65, 700])
def test_glu_of_halves_of_every_length_is_that_of_its_pairs(half, dtype):
    x = samples()[: 2 * half * (2000 // half)].reshape(-1, 2 * half).astype(dtype)
    glu = activations.get("glu")
    pairs = np.stack([x[:, :half].ravel(), x[:, half:].ravel()], axis=-1)

    assert same_bits(glu(x).ravel(), glu(pairs).ravel())
    if dtype == "float32":
        assert same_bits(glu(x), glu.numpy(x))


@pytest.mark.parametrize("half", [1, 5, SHORT, SHORT + 1])
@pytest.mark.parametrize("rows", [1, 31, 32, 33, 63, 64, 65, 96, 127, 129])
def test_every_row_is_what_it_is_alone(rows, half):
    x = samples()[: rows * 2 * half].astype(np.float32).reshape(rows, 2 * half)
    glu = activations.get("glu")
    assert same_bits(glu(x), np.concatenate([glu(row[None]) for row in x]))
