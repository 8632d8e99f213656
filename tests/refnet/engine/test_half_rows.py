from __future__ import annotations

import ctypes

import numba
import numpy as np
import pytest
from numba import types

from refnet.engine.half_rows import LANES, SHORT, in_two_registers, load_half, places
from refnet.engine.lanes import lanes_at_once, over_lanes
from refnet.engine.machine import machine
from refnet.engine.vectors import LINE

ROWS = lanes_at_once(8)


def found_and_entries(half):
    """Yield what two registers hold of sixteen entries, from each entry of some rows on, and these."""
    x = np.arange(8 * LANES * half).reshape(-1, 2 * half)
    entries, numbers = x[:, :half].ravel(), x.ravel()
    for first in range(2 * LANES):
        row, column = divmod(first, half)
        lanes, apart = in_two_registers(half, column)
        start = 2 * half * row + column
        both = np.concatenate([numbers[place : place + LANES] for place in (start, start + apart)])
        yield both[lanes].tolist(), entries[first : first + LANES].tolist(), both[-1]


@pytest.mark.parametrize("half", range(1, SHORT + 1))
def test_two_registers_hold_sixteen_entries_of_a_half_and_nothing_behind_the_last(half):
    for found, entries, last in found_and_entries(half):
        assert found == entries
        assert last == entries[-1]


def test_two_registers_do_not_hold_those_of_a_longer_half():
    assert any(found != entries for found, entries, _ in found_and_entries(SHORT + 1))


@pytest.mark.skipif(machine().vector_bytes != LINE, reason="picks lanes from two registers of AVX-512")
@pytest.mark.parametrize("half", range(1, SHORT + 1))
def test_a_loop_reads_either_half_where_it_is(half):
    how = {"live": 8, "lookup": load_half}
    loop = over_lanes(lambda a, b: (a - 0.5 * b,), ("float32", "float32"), ("float32",), **how)
    table = places(ROWS)
    size = 4 * half

    @numba.cfunc(types.void(types.int64, types.int64))
    def code(x, y):
        loop(ROWS * half, (), x, x + size, y, table(half))

    x = np.random.default_rng(half).standard_normal((ROWS, 2 * half)).astype(np.float32)
    y = np.full(ROWS * half + 1, 7.0, np.float32)
    ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(code.address)(x.ctypes.data, y.ctypes.data)

    expected = x[:, :half].astype(np.float64) - 0.5 * x[:, half:]
    assert y[:-1].tobytes() == expected.astype(np.float32).tobytes()
    assert y[-1] == 7.0
