"""sparsemax: the entries that are kept are found without sorting, and the sums are taken in pairs.

With g = x - (the row's highest entry), an entry is kept if 1 + k g > the sum of g over the k entries that are kept. No
entry with g < -1 is, which leaves few candidates in most rows. Of these, all that fail the test taken over all of them
are put aside, and so on until none fails (Michelot, "A finite algorithm for finding the projection of a point onto the
canonical simplex of R^n", 1986). That is Newton's method for the threshold: at each step the number of candidates or
the error halves (Radzik, "Newton's method for fractional combinatorial optimization", 1992), so that the worst row
takes about as many steps as numbers have bits; rows of random numbers take three or four.
"""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numba
from numba import types

from refnet.engine.intrinsics import ACCESS, load_float64, select as select_one, store_float64
from refnet.engine.lanes import over_lanes
from refnet.engine.pairs import Pair, rounded
from refnet.engine.rows import LANES, SEVERAL, first_bit, not_below, top
from refnet.engine.rowwise import room, senseless
from refnet.engine.trace import Number, compiled, seldom, select
from refnet.engine.vectors import NUMBERS

__all__ = ["kernel"]


def kernel(stored: str) -> Any:
    """Return the kernel for numbers of a dtype; the work space holds the candidates' g and its low parts."""
    size = NUMBERS[stored][1]
    find_top, collect, fill = top(stored), _collect(stored), _fill(stored)
    find_results = over_lanes(_result, (stored,), (stored,), 4, live=8, ahead=(False, True))

    def run(x: int, y: int, rows: int, columns: int, unused: int, work: int) -> None:
        lows = work + 8 * room(columns)
        for r in range(rows):
            here, there = x + r * columns * size, y + r * columns * size
            highest = find_top(here, columns)
            count = collect(here, columns, highest, work, lows)
            if count < 0 or abs(highest) == inf:
                fill(here, there, columns, highest, count < 0)
            else:
                kept, total, low = _support(work, lows, count)
                length = columns * size
                parameters = (highest, types.float64(kept), total, low)
                find_results(columns, parameters, here + length, there + length, here, there)

    return run


def _excess(gap: Pair, count: Number, total: Number, low: Number) -> Pair:
    """Return 1 + count * gap - total."""
    return (1.0 - Pair(total, low)) + gap * Pair(count)


def _result(x: Number, top: Number, count: Number, total: Number, low: Number) -> tuple[Number]:
    gap = Pair(x) - Pair(top)

    def share() -> Number:
        y = rounded(_excess(gap, count, total, low) / Pair(count))
        return select(y > 0.0, y, 0.0)

    return (seldom(gap.high >= -1.0, share, gap.high.constant(0.0)),)


#: 1 + count * (gap + gap_low) - (total + low), of numbers.
_excess_of = compiled(
    lambda gap, gap_low, count, total, low: (rounded(_excess(Pair(gap, gap_low), count, total, low)),)
)


def _sum(a: Number, b: Number) -> tuple[Number, Number]:
    """Return a + b rounded, and what the rounding lost."""
    pair = Pair(a) + Pair(b)
    assert pair.low is not None
    return pair.high, pair.low


_two_sum = compiled(_sum)


@numba.njit(error_model="numpy")
def _support(gaps: int, lows: int, count: int) -> tuple[int, float, float]:
    """Return how many of the candidates are kept, and their sum as a pair. The others are overwritten."""
    while True:
        total = low = 0.0
        for i in range(count):
            total, lost = _two_sum(total, load_float64(gaps, i))
            low += lost + load_float64(lows, i)
        kept = 0
        for i in range(count):
            gap, gap_low = load_float64(gaps, i), load_float64(lows, i)
            if _excess_of(gap, gap_low, types.float64(count), total, low) > 0.0:
                store_float64(gaps, kept, gap)
                store_float64(lows, kept, gap_low)
                kept += 1
        if kept == count:
            return count, total, low
        count = kept


def _collect(stored: str) -> Any:
    """Return ``collect(x, columns, top, gaps, lows)``: it writes the candidates, and returns how many; -1 for a NaN.

    A candidate is at least ``top - 1``, rounded to x's dtype: then no number of that dtype lies between the two.
    """
    load, several, some = ACCESS[stored][1], not_below(stored, SEVERAL), not_below(stored, LANES)

    @numba.njit(error_model="numpy")
    def take(x: int, i: int, bits: int, top: float, gaps: int, lows: int, count: int) -> int:
        while bits != 0:
            entry = types.float64(load(x, i + first_bit(bits)))
            if entry != entry:
                return -1
            gap, low = _two_sum(entry, -top)
            store_float64(gaps, count, gap)
            store_float64(lows, count, low)
            count += 1
            bits &= bits - 1
        return count

    @numba.njit(error_model="numpy")
    def collect(x: int, columns: int, top: float, gaps: int, lows: int) -> int:
        whole, count = columns - columns % SEVERAL, 0
        for i in range(0, whole, SEVERAL):
            if count >= 0:
                count = take(x, i, several(x, i, SEVERAL, top - 1.0), top, gaps, lows, count)
        for i in range(whole, columns, LANES):
            if count >= 0:
                count = take(x, i, some(x, i, columns - i, top - 1.0), top, gaps, lows, count)
        return count

    return collect


def _fill(stored: str) -> Any:
    """Return ``fill(x, y, columns, top, has_nan)`` for rows with a NaN or whose highest entry is infinite."""
    number, load, store = ACCESS[stored]

    @numba.njit(error_model="numpy")
    def fill(x: int, y: int, columns: int, top: float, has_nan: bool) -> None:
        equal = 0.0
        for i in range(columns):
            equal += select_one(types.float64(load(x, i)) == top, 1.0, 0.0)
        highest = select_one(senseless(top, equal), nan, 1.0)
        for i in range(columns):
            entry = select_one(types.float64(load(x, i)) == top, highest, 0.0)
            store(y, i, number(select_one(has_nan, nan, entry)))

    return fill
