"""A weight of one column: the same bits as row by row, and nothing outside the arrays is touched."""

from __future__ import annotations

import numpy as np
import pytest

from refnet.engine.gemm import BLOCK_K
from refnet.engine.plan import Chain
from refnet.layers.operations import Matmul
from tests.refnet.engine.test_gemm import guarded

INNER = (1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, BLOCK_K - 1, BLOCK_K, BLOCK_K + 1, 2 * BLOCK_K + 17)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_together_have_the_bits_of_each_alone(dtype, biased):
    rng = np.random.default_rng(0)
    for inner in INNER:
        weight = rng.standard_normal((inner, 1)).astype(dtype)
        bias = rng.standard_normal(1).astype(dtype) if biased else None
        chain = Chain([Matmul(weight, bias)], inner, np.dtype(dtype))
        for rows in (3, 4, 7, 8, 9, 15, 16, 17, 40, 300):
            x = guarded(rng.standard_normal((rows, inner)).astype(dtype))
            y = guarded(np.zeros((rows, 1), dtype))
            scratch = np.zeros(chain.scratch_bytes + 64, np.uint8)

            chain.walk(chain.address, x, y, 0, rows, -(-scratch.ctypes.data // 64) * 64)

            alone = [chain(np.array(x[r : r + 1])).tobytes() for r in range(rows)]
            assert y.tobytes() == b"".join(alone), (inner, rows)


def test_zeros_keep_their_sign_and_nan_its_row():
    weight = np.array([[-0.0], [1.0], [0.0]], np.float32)
    chain = Chain([Matmul(weight, None)], 3, np.dtype("float32"))
    x = np.tile(np.array([[1.0, -0.0, -0.0]], np.float32), (48, 1))
    x[5, 1], x[17, 2] = np.nan, np.inf
    y = chain(x)

    assert y.tobytes() == b"".join(chain(x[r : r + 1]).tobytes() for r in range(48))
    assert np.flatnonzero(np.isnan(y)).tolist() == [5, 17]
