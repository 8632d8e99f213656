from __future__ import annotations

import ctypes
import functools

import numba
import numpy as np
import pytest
from numba import types

from refnet.engine.machine import machine
from refnet.engine.split import BLOCK, Parts, over_two_parts

pytestmark = pytest.mark.skipif(machine().vector_bytes != 64, reason="only AVX-512 moves lanes together")


@functools.cache
def compiled(streaming=False):
    """Return the loop for y = x + b where x > a, else x * x, as a Python function of the parameters and arrays."""
    parts = Parts(lambda x, a, b: (x > a, x + b), lambda x, a, b: x * x)
    loop = over_two_parts(parts, 2, live=8, streaming=streaming)
    code = numba.cfunc(types.void(*[types.int64] * 4))(lambda count, values, x, y: loop(count, values, x, y))
    door = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(code.address)

    def run(values, x, y):
        door(x.size, values.ctypes.data, x.ctypes.data, y.ctypes.data)

    run.code = code
    return run


VALUES = np.array([0.5, 100.0])


def expected(x):
    return np.where(x > VALUES[0], x + np.float32(VALUES[1]), x * x)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 31, 32, 33, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 77])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_every_length_and_nothing_beyond(count, share, streaming):
    rng = np.random.default_rng(count)
    x = np.where(rng.random(count) < share, -1.0, 1.0).astype(np.float32) * (0.75 + rng.random(count, np.float32))
    for offset in (0, 3):  # where y begins in its cache line
        memory = np.full(count + 40, 7.0, np.float32)
        y = memory[offset + 8 : offset + 8 + count]
        compiled(streaming)(VALUES, x, y)
        assert y.tobytes() == expected(x).tobytes()
        assert (memory[: offset + 8] == 7.0).all()
        assert (memory[offset + 8 + count :] == 7.0).all()


def test_in_place_and_nan():
    x = np.tile(np.array([np.nan, 2.0, -0.0, -np.inf, np.inf, 0.5, -3.0], np.float32), 1000)
    wanted = expected(x)
    compiled()(VALUES, x, x)
    np.testing.assert_array_equal(x, wanted)
    assert (np.signbit(x) == np.signbit(wanted)).all()
