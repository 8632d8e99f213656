from __future__ import annotations

import ctypes

import numba
import numpy as np
import pytest
from numba import types

from refnet.engine.lanes import SHORT, over_lanes
from refnet.engine.machine import machine
from refnet.engine.trace import absolute, seldom, select

LONGEST = machine().registers // 4 * machine().lanes(8)


def compiled(function, inputs, outputs, parameters=0):
    """Return the loop as a Python function of arrays."""
    loop = over_lanes(function, inputs, outputs, parameters)
    count = len(inputs) + len(outputs)
    bodies = {
        2: lambda n, values, a, b: loop(n, values, a, b),
        3: lambda n, values, a, b, c: loop(n, values, a, b, c),
        4: lambda n, values, a, b, c, d: loop(n, values, a, b, c, d),
    }
    code = numba.cfunc(types.void(*[types.int64] * (2 + count)))(bodies[count])
    door = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * (2 + count))(code.address)

    def run(values, *arrays):
        door(arrays[-1].size, values.ctypes.data, *(array.ctypes.data for array in arrays))

    run.code = code
    return run


@pytest.fixture(scope="module")
def scaled():
    """Return a loop for y = |x| * a + b, and x + y, from float32 and float64."""
    return compiled(
        lambda x, y, a, b: (absolute(x) * a + b, x + y), ("float32", "float64"), ("float64", "float32"), parameters=2
    )


@pytest.mark.parametrize("count", [0, 1, 2, SHORT * 8, LONGEST - 1, LONGEST, LONGEST + 1, 3 * LONGEST + 17])
def test_every_length_and_nothing_beyond(scaled, count):
    rng = np.random.default_rng(count)
    x, y = rng.standard_normal(count + 1).astype(np.float32), rng.standard_normal(count + 1)
    first, second = np.full(count + 1, 7.0), np.full(count + 1, 7.0, np.float32)
    values = np.array([2.5, -1.0])
    scaled(values, x, y, first, second[:count])

    expected = np.abs(x.astype(np.float64)) * 2.5 - 1.0
    assert first[:count].tobytes() == expected[:count].tobytes()
    assert second[:count].tobytes() == (x + y).astype(np.float32)[:count].tobytes()
    assert (first[count], second[count]) == (7.0, 7.0)


def test_in_place():
    double = compiled(lambda x: (x * 2.0,), ("float32",), ("float32",))
    x = np.arange(100, dtype=np.float32)
    double(np.empty(0), x, x)
    assert x.tolist() == [2.0 * i for i in range(100)]


@pytest.mark.parametrize("rare", [[], [0], [5, LONGEST - 1], range(200)])
def test_seldom_in_vectors(rare):
    loop = compiled(
        lambda x: (seldom(x < 0.0, lambda: select(x < -5.0, x, x * x), x + 1.0),), ("float64",), ("float64",)
    )
    x = np.arange(200.0)
    x[list(rare)] -= 203.0
    y = np.empty_like(x)
    loop(np.empty(0), x, y)
    assert y.tobytes() == np.where(x < 0, np.where(x < -5, x, x * x), x + 1).tobytes()
