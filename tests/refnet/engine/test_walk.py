"""Tables that are no chain: several inputs, several outputs, and a result that two steps read."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from refnet import activations
from refnet.engine.forward import activation_kernel, walk_code
from refnet.engine.pack import pack
from refnet.engine.plan import Plan
from refnet.engine.table import FIRST, KERNEL, MATMUL
from refnet.layers.operations import Activate, Matmul

SECOND = FIRST - 1


def listed(*arrays):
    """Return the addresses of ndarray objects, as the walk takes its inputs and outputs."""
    return (ctypes.c_int64 * len(arrays))(*map(id, arrays))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 8, 21])
def test_steps_read_and_write_any_array_of_the_call(dtype, rows):
    """relu(a V) and tanh of the same product; and b W, with another width of its own."""
    rng = np.random.default_rng(rows)
    a, b = (rng.standard_normal((rows, width)).astype(dtype) for width in (5, 30))
    v, w = (rng.integers(-3, 4, shape).astype(dtype) for shape in ((5, 20), (30, 7)))
    relu, tanh = (activation_kernel(activations.get(name), dtype) for name in ("relu", "tanh"))
    infinity, packed = np.array([0.0, np.inf, 0.0]), [pack(weight) for weight in (v, w)]
    tile, buffer = 8, 64 * 8 * 8
    table = np.array(
        [
            [4, tile, buffer, 0, 0, 0, 0, 0],
            [MATMUL, FIRST, 0, 5, 20, packed[0].ctypes.data, 0, 0],
            [KERNEL, 0, FIRST, 20, 20, relu, infinity.ctypes.data, 0],
            [MATMUL, SECOND, SECOND - 1, 30, 7, packed[1].ctypes.data, 0, 0],
            [KERNEL, 0, SECOND, 20, 20, tanh, 0, 0],
        ],
        np.int64,
    )
    outputs = [np.full((rows + 1, width), 7.0, dtype) for width in (20, 20, 7)]
    scratch = np.zeros(2 * buffer, np.uint8)
    walk = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)(walk_code(dtype))
    lists = listed(a, b), listed(*outputs)
    start = -(-scratch.ctypes.data // 64) * 64
    walk(table.ctypes.data, *map(ctypes.addressof, lists), 0, rows, start)

    chains = [[Matmul(v, None), Activate(activations.get(name))] for name in ("relu", "tanh")]
    expected = [Plan(chain, 5, dtype)(a) for chain in chains] + [Plan([Matmul(w, None)], 30, dtype)(b)]
    for found, alone in zip(outputs, expected, strict=True):
        assert found[:rows].tobytes() == alone.tobytes()
    assert all((output[rows] == 7.0).all() for output in outputs)
