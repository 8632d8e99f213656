from __future__ import annotations

import ctypes

import numba
import numpy as np
import pytest
from numba import types

from refnet import elementary
from refnet.engine.elementary import exp
from refnet.engine.lanes import lanes_at_once, over_lanes
from refnet.engine.trace import absolute, seldom

STEP = lanes_at_once(8)


def compiled(function, inputs=("float32",), **how):
    loop = over_lanes(function, inputs, ("float32",), live=8, **how)
    bodies = {
        1: lambda n, x, y: loop(n, (), x, y),
        2: lambda n, a, b, y: loop(n, (), a, b, y),
    }
    code = numba.cfunc(types.void(*[types.int64] * (2 + len(inputs))))(bodies[len(inputs)])
    door = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * (2 + len(inputs)))(code.address)

    def run(*arrays):
        door(arrays[-1].size, *(array.ctypes.data for array in arrays))
        return arrays[-1]

    run.code = code
    return run


def without_a_jump(x):
    return (1.0 / (1.0 + exp(x)),)


def with_a_jump(x):
    return (seldom(absolute(x) > 3.0, lambda: x * 0.5, exp(x)),)


@pytest.fixture(scope="module", params=[without_a_jump, with_a_jump])
def loops(request):
    return compiled(request.param), compiled(request.param, halves=True)


@pytest.mark.parametrize("count", [0, 1, STEP - 1, STEP, STEP + 1, 2 * STEP, 3 * STEP + 5, 40 * STEP])
def test_the_bits_are_those_of_whole_steps(loops, count):
    """Whatever the step before was: the numbers that jump, NaN and infinities stand in any of them."""
    rng = np.random.default_rng(count)
    x = rng.standard_normal(count).astype(np.float32)
    special = rng.random(count) < 0.02
    x[special] = rng.choice([np.nan, np.inf, -np.inf, 5.0, -90.0, 1e-40], special.sum())
    whole, halves = (loop(x, np.full(count + 1, 7.0, np.float32)[:count]) for loop in loops)
    assert whole.tobytes() == halves.tobytes()


def test_nothing_beyond_the_end_is_written(loops):
    y = np.full(4 * STEP, 7.0, np.float32)
    loops[1](np.ones(2 * STEP, np.float32), y[STEP : 3 * STEP])
    assert (y[:STEP] == 7.0).all()
    assert (y[3 * STEP :] == 7.0).all()
    assert (y[STEP : 3 * STEP] != 7.0).all()


def test_in_place(loops):
    x = np.linspace(-5.0, 5.0, 7 * STEP + 3, dtype=np.float32)
    expected = loops[0](x, np.empty_like(x))
    assert loops[1](x, x).tobytes() == expected.tobytes()


def test_two_inputs():
    a, b = np.random.default_rng(0).standard_normal((2, 9 * STEP + 1)).astype(np.float32)
    found = compiled(lambda a, b: (a * exp(b),), ("float32", "float32"), halves=True)(a, b, np.empty_like(a))
    np.testing.assert_array_equal(found, (a * elementary.exp(b.astype(np.float64))).astype(np.float32))


def test_streaming_at_every_alignment():
    usual, streaming = (compiled(without_a_jump, halves=True, streaming=how) for how in (False, True))
    x = np.linspace(-5.0, 5.0, 4 * STEP + 17, dtype=np.float32)
    expected = usual(x, np.empty_like(x))
    for first in range(17):
        y = np.full(x.size + 40, 7.0, np.float32)
        streaming(x, y[first : first + x.size])
        assert y[first : first + x.size].tobytes() == expected.tobytes()
        assert (y[:first] == 7.0).all()
        assert (y[first + x.size :] == 7.0).all()
