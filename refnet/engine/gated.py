"""glu and its kin: a formula of two numbers, one from each half of a row."""

from __future__ import annotations

from typing import Any

import numba

from refnet.engine.formulas import Reading
from refnet.engine.half_rows import SHORT, load_half, places
from refnet.engine.lanes import lanes_at_once, over_lanes
from refnet.engine.machine import machine
from refnet.engine.rows import copy
from refnet.engine.rowwise import room
from refnet.engine.table import BLOCK
from refnet.engine.vectors import LINE, NUMBERS

__all__ = ["gated"]

#: Columns of a half from which on rows go one by one.
LONG = 64

#: How far ahead of the shortest rows memory is asked for: so many times as many rows as are read at a time.
AHEAD = 4


def gated(reading: Reading, stored: str, live: int) -> Any:
    """Return the kernel for a formula of (a, b); a row of y is half as long as one of x.

    What the formula gives for an entry does not depend on the way that it comes.
    """
    size = NUMBERS[stored][1]
    looked_up = stored == "float32" and machine().vector_bytes == LINE

    def loop(lookup: Any = None) -> Any:
        how: Any = {"live": live, "ahead": (False, False, True), "lookup": lookup}
        return over_lanes(lambda a, b: (reading(a, b),), (stored, stored), (stored,), **how)

    usual = loop()
    long, short = _long_rows(usual, size), _short_rows(usual, stored)
    shortest = _shortest_rows(loop(load_half), size, lanes_at_once(live)) if looked_up else _none

    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        half = columns // 2
        if half >= LONG:
            long(x, y, rows, half)
        else:
            done = shortest(x, y, rows, half)
            short(x + 2 * done * half * size, y + done * half * size, rows - done, half, work)

    return run


def _long_rows(loop: Any, size: int) -> Any:
    """Rows one by one."""

    @numba.njit(error_model="numpy")
    def run(x: int, y: int, rows: int, half: int) -> None:
        length = half * size
        for r in range(rows):
            here, there = x + 2 * r * length, y + r * length
            loop(half, 0, here + 2 * length, here + 3 * length, there + length, here, here + length, there)

    return run


def _short_rows(loop: Any, stored: str) -> Any:
    """Rows taken apart into the work space, a block at a time: all first halves, then all second ones."""
    size, copy_half = NUMBERS[stored][1], copy(stored)

    @numba.njit(error_model="numpy")
    def run(x: int, y: int, rows: int, half: int, work: int) -> None:
        length = half * size
        block, second = max(1, BLOCK // max(1, half)), work + 8 * room(2 * half)
        for first in range(0, rows, block):
            count, here = min(block, rows - first), x + 2 * first * length
            for r in range(count):
                copy_half(here + 2 * r * length, half, work + r * length)
                copy_half(here + (2 * r + 1) * length, half, second + r * length)
            there, all_ = y + first * length, count * length
            loop(count * half, 0, here + 2 * all_, here + 3 * all_, there + all_, work, second, there)

    return run


def _shortest_rows(loop: Any, size: int, some: int) -> Any:
    """Rows read where they are, so many at a time; returns how many were (see `refnet.engine.half_rows`)."""
    table_of = places(some)

    @numba.njit(error_model="numpy")
    def run(x: int, y: int, rows: int, half: int) -> int:
        if half == 0 or half > SHORT or rows < 2 * some:
            return 0
        length, end = half * size, rows - rows % some
        table, step = table_of(half), some * length
        for first in range(0, end, some):
            here, there = x + 2 * first * length, y + first * length
            later = here + AHEAD * 2 * step, here + (AHEAD * 2 + 1) * step, there + AHEAD * step
            loop(some * half, 0, later[0], later[1], later[2], here, here + length, there, table)
        return end

    return run


@numba.njit(error_model="numpy")
def _none(x: int, y: int, rows: int, half: int) -> int:
    return 0
