from __future__ import annotations

import ctypes

import numba
import numpy as np
import pytest
from numba import types

from refnet.engine.lanes import SHORT, lanes_at_once, over_lanes
from refnet.engine.trace import absolute, fma, seldom, select

LONGEST = lanes_at_once(4)


def compiled(function, inputs, outputs, parameters=0, **how):
    """Return the loop as a Python function of arrays."""
    loop = over_lanes(function, inputs, outputs, parameters, **how)
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


@pytest.mark.parametrize("live", [4, 8])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_an_input_that_is_repeated_begins_again_after_its_period(live, steps):
    loop = over_lanes(lambda x, y: (x - y,), ("float32", "float64"), ("float32",), live=live, repeated=(1,))
    subtract = numba.njit(lambda count, x, y, out, period: loop(count, 0, x, y, out, period))
    period = steps * lanes_at_once(live)
    x, y = np.arange(5 * period, dtype=np.float32).reshape(5, period), np.arange(period) * 0.5
    difference = np.empty_like(x)
    subtract(x.size, x.ctypes.data, y.ctypes.data, difference.ctypes.data, period)
    np.testing.assert_array_equal(difference, x - y)


@pytest.mark.parametrize("stored", ["float32", "float64"])
def test_streaming_at_every_alignment(stored):
    double = compiled(lambda x: (x * 2.0,), (stored,), (stored,), streaming=True)
    memory = np.arange(1000, dtype=stored)
    counts = (0, 1, 15, LONGEST - 1, LONGEST + 3, 3 * LONGEST + 17)
    for first, count in [(first, count) for first in range(17) for count in counts]:
        x, y = memory[: count + 1], np.full(40 + count, 7.0, stored)
        double(np.empty(0), x, y[first : first + count])
        assert y[first : first + count].tobytes() == (x[:count] * 2).tobytes()
        assert (y[:first] == 7.0).all()
        assert (y[first + count :] == 7.0).all()


def test_streaming_goes_past_the_caches():
    double = compiled(lambda x: (x * 2.0,), ("float32",), ("float32",), streaming=True)

    assert "!nontemporal" in double.code._library.get_llvm_str()


def test_numbers_that_belong_to_the_row_meet_those_of_the_lanes():
    def function(x, a, b):
        inner = (x > a) & (a < b) | (b < x)
        usual = select(a < b, a / b, x) + select(inner, a, x)
        return (seldom(x < 0.0, lambda: fma(b, x, a), usual) + (a - 1.0),)

    def run(count, x, y):
        loop(count, (0.25, 0.75), x, y)

    loop = over_lanes(function, ("float64",), ("float64",), 2)
    x = np.random.default_rng(0).standard_normal(200)
    y = np.empty_like(x)
    code = numba.cfunc(types.void(*[types.int64] * 3))(run)
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(code.address)(x.size, x.ctypes.data, y.ctypes.data)

    expected = np.where(x < 0.0, 0.75 * x + 0.25, 0.25 / 0.75 + np.where(x > 0.25, 0.25, x)) - 0.75
    np.testing.assert_array_max_ulp(y, expected, maxulp=4)


def test_sums_go_lane_by_lane_whatever_the_vectors():
    def run(count, values, x, y, sums):
        loop(count, (3.0,), x, y, sums)

    def add(sums, values):
        return [a + b for a, b in zip(sums, values, strict=True)]

    loop = over_lanes(lambda x, k: (x * k, x, x * x), ("float32",), ("float64",), 1, fold=add)
    door = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 5)(numba.cfunc(types.void(*[types.int64] * 5))(run).address)
    for count in (0, 1, 15, 16, 17, LONGEST - 1, 3 * LONGEST + 17):
        x, y, sums = np.random.default_rng(0).standard_normal(count).astype(np.float32), np.empty(count), np.ones(32)
        door(count, 0, x.ctypes.data, y.ctypes.data, sums.ctypes.data)
        wide, expected = x.astype(np.float64), np.ones((2, 16))
        for i in range(count):
            expected[:, i % 16] += wide[i], wide[i] * wide[i]
        assert y.tobytes() == (wide * 3.0).tobytes()
        assert sums.tobytes() == expected.tobytes()


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
