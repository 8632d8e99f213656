from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from refnet import activations
from refnet.layers.operations import Activate, Matmul, Operation


@pytest.fixture
def net() -> Any:
    """Return a function that makes the operations of a dense network with seeded weights."""

    def make(sizes: list[int], names: list[str], dtype: str = "float32", bias: bool = True, seed: int = 0) -> Any:
        rng = np.random.default_rng(seed)
        operations: list[Operation] = []
        for inner, columns, name in zip(sizes[:-1], sizes[1:], names, strict=True):
            weight = (rng.standard_normal((inner, columns)) / np.sqrt(max(1, inner))).astype(dtype)
            operations += [
                Matmul(weight, rng.standard_normal(columns).astype(dtype) if bias else None),
                Activate(activations.get(name)),
            ]
        return operations

    return make
