from __future__ import annotations

import ctypes
import functools

import numba
import numpy as np
import pytest
from numba import types

from refnet import activations
from refnet.engine.formulas import in_two_parts
from refnet.engine.machine import machine
from refnet.engine.split import BLOCK, SAMPLE, Parts, over_two_parts

pytestmark = pytest.mark.skipif(machine().vector_bytes != 64, reason="only AVX-512 moves lanes together")


@functools.cache
def compiled(everywhere, streaming=False):
    """Return the loop for y = x + b where x > a, else x * x, as a Python function of the parameters and arrays."""
    loop = over_two_parts(
        Parts(lambda x, a, b: (x > a, x + b), lambda x, a, b: x * x, everywhere), 2, live=8, streaming=streaming
    )
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
@pytest.mark.parametrize(
    ("everywhere", "share"), [(False, 0.0), (False, 0.1), (False, 0.5), (False, 1.0), (True, 0.0), (True, 0.1)]
)
def test_every_length_and_nothing_beyond(count, everywhere, share, streaming):
    rng = np.random.default_rng(count)
    x = np.where(rng.random(count) < share, -1.0, 1.0).astype(np.float32) * (0.75 + rng.random(count, np.float32))
    for offset in (0, 3):  # where y begins in its cache line
        memory = np.full(count + 40, 7.0, np.float32)
        y = memory[offset + 8 : offset + 8 + count]
        compiled(everywhere, streaming)(VALUES, x, y)
        assert y.tobytes() == expected(x).tobytes()
        assert (memory[: offset + 8] == 7.0).all()
        assert (memory[offset + 8 + count :] == 7.0).all()


def test_in_place_and_nan():
    x = np.tile(np.array([np.nan, 2.0, -0.0, -np.inf, np.inf, 0.5, -3.0], np.float32), 1000)
    wanted = expected(x)
    compiled(False)(VALUES, x, x)
    np.testing.assert_array_equal(x, wanted)
    assert (np.signbit(x) == np.signbit(wanted)).all()


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize(("needing", "alone"), [(SAMPLE * 3 // 8, False), (SAMPLE * 3 // 8 + 1, True)])
def test_a_block_whose_beginning_needs_the_second_part_runs_through_it_alone(needing, alone, streaming):
    """The results tell which part a number went through, as these two parts differ."""
    x = np.full(2 * BLOCK, 2.0, np.float32)
    x[BLOCK : BLOCK + needing] = -2.0
    memory = np.empty(x.size + 16, np.float32)
    start = -memory.ctypes.data % 64 // 4
    y = memory[start : start + x.size]
    compiled(True, streaming)(VALUES, x, y)
    assert (y[:BLOCK] == 102.0).all()
    assert (y[BLOCK:] == (4.0 if alone else expected(x[BLOCK:]))).all()


def test_a_short_block_is_not_sampled():
    x = np.full(SAMPLE, 2.0, np.float32)
    x[1:] = -2.0
    y = np.empty_like(x)
    compiled(True)(VALUES, x, y)
    assert (y == expected(x)).all()


def with_a_shortcut():
    formulas = {name: activations.get(name) for name in activations.names()}
    parts = {name: in_two_parts(entry.formula, 1 + len(entry.parameters)) for name, entry in formulas.items()}
    return [name for name, found in parts.items() if found is not None and found.everywhere]


def test_the_book_has_a_shortcut():
    assert with_a_shortcut()


@pytest.mark.parametrize("name", with_a_shortcut())
def test_a_short_way_and_the_usual_one_round_alike(name):
    """The usual one is taken for a block that begins with numbers that need it."""
    entry = activations.get(name)
    x = np.random.default_rng(0).integers(0, 2**32, 1 << 20, np.uint32).view(np.float32)
    x = np.concatenate([x, np.linspace(-2, 2, 1 << 20, dtype=np.float32)])
    blocks = x.reshape(-1, BLOCK // 2)
    short = entry(np.concatenate([np.ones_like(blocks), blocks], axis=1))[:, BLOCK // 2 :]
    usual = entry(np.concatenate([np.full_like(blocks, 9.0), blocks], axis=1))[:, BLOCK // 2 :]
    nan = np.isnan(blocks)
    assert (np.isnan(short) == nan).all()
    assert (short.view(np.uint32) == usual.view(np.uint32))[~nan].all()
