"""sparsemax: the entries that are kept are found without sorting, and the sums are taken in pairs.

With g = x - (the row's highest entry), an entry is kept if 1 + k g > the sum of g over the k entries that are kept. No
entry with g < -1 is, which leaves few candidates in most rows. Of these, all that fail the test taken over all of them
are put aside, and so on until none fails (Michelot, "A finite algorithm for finding the projection of a point onto the
canonical simplex of R^n", 1986). That is Newton's method for the threshold: at each step the number of candidates or
the error halves (Radzik, "Newton's method for fractional combinatorial optimization", 1992), so that the worst row
takes about as many steps as numbers have bits; rows of random numbers take three or four.

1 + k g - sum can cancel until nothing is left of a pair. Where it is so small that the pairs' errors could show
(`_doubt`), it is computed again without any: the terms are added to an expansion, numbers of which each lies wholly
below the next (Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric predicates", 1997).
"""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numba
from numba import types

from refnet.engine import sparsemax_exact
from refnet.engine.intrinsics import ACCESS, load_float64, select as select_one, store_float64
from refnet.engine.lanes import lanes_at_once, over_lanes
from refnet.engine.pairs import Pair, rounded
from refnet.engine.rows import LANES, SEVERAL, first_bit, not_below, top
from refnet.engine.rowwise import LIVE, by_length, room, senseless
from refnet.engine.trace import Number, compiled, fma, seldom, select
from refnet.engine.transposed import grouped
from refnet.engine.vectors import NUMBERS

__all__ = ["kernel"]

#: Of how many entries one may be a candidate before the row is tried without pairs.
FEW = 16

#: Numbers of an expansion at most: between 2^14 and 2^-1074 no two of them have bits that are neighbours.
PARTS = 560


def kernel(stored: str) -> Any:
    """Return the kernel for numbers of a dtype; the work space holds the candidates' g and its low parts, and sums."""
    size = NUMBERS[stored][1]
    find_top, collect, fill, correct = top(stored), _collect(stored), _fill(stored), _correct(stored)
    exact, exactly = stored == "float32", sparsemax_exact.alone()
    find_results = over_lanes(_result, (stored,), (stored,), 4, live=8, ahead=(False, True))

    @numba.njit(error_model="numpy")
    def one_row(x: int, y: int, columns: int, work: int) -> None:
        lows = work + 8 * room(columns)
        highest, sums = find_top(x, columns), lows + 8 * room(columns)
        few = columns // FEW
        count = collect(x, columns, highest, work, lows, few)
        if count > few:
            if exact and exactly(x, y, columns, highest, work, sums):
                return
            count = collect(x, columns, highest, work, lows, columns)
        if count < 0 or abs(highest) == inf:
            fill(x, y, columns, highest, count < 0)
        else:
            kept, total, low, doubtful = _support(work, lows, count, sums)
            length = columns * size
            parameters = (highest, types.float64(kept), total, low)
            find_results(columns, parameters, x + length, y + length, x, y)
            if doubtful:
                correct(x, y, columns, work, lows, sums, parameters)

    @numba.njit(error_model="numpy")
    def one_by_one(x: int, y: int, rows: int, columns: int, work: int) -> None:
        for r in range(rows):
            one_row(x + r * columns * size, y + r * columns * size, columns, work)

    if stored == "float64":
        return by_length(one_by_one, one_by_one)
    as_lanes = sparsemax_exact.as_lanes(one_row)
    return by_length(one_by_one, grouped(as_lanes, one_by_one, lanes_at_once(LIVE), size))


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


def _product(a: Number, b: Number) -> tuple[Number, Number]:
    """Return a * b rounded, and what the rounding lost."""
    product = a * b
    return product, fma(a, b, -product)


_two_sum, _two_product = compiled(_sum), compiled(_product)
_share_of = compiled(lambda excess, rest, k: (rounded(Pair(excess, rest) / Pair(k)),))


@numba.njit(error_model="numpy")
def _support(gaps: int, lows: int, count: int, sums: int) -> tuple[int, float, float, bool]:
    """Return how many of the candidates are kept, their sum as a pair, and whether any was in doubt on the way.

    The others change places with them, so that all whose sum is asked for are still there.
    """
    doubtful = False
    while True:
        total = low = 0.0
        for i in range(count):
            total, lost = _two_sum(total, load_float64(gaps, i))
            low += lost + load_float64(lows, i)
        k, parts = types.float64(count), 0
        kept = 0
        for i in range(count):
            gap, gap_low = load_float64(gaps, i), load_float64(lows, i)
            excess = _excess_of(gap, gap_low, k, total, low)
            if abs(excess) < _doubt(k):
                doubtful = True
                if parts == 0:
                    parts = _exact_sum(gaps, lows, count, sums)
                excess = _exact_excess(gap, gap_low, k, sums, parts)[0]
            if excess > 0.0:
                _exchange(gaps, kept, i)
                _exchange(lows, kept, i)
                kept += 1
        if kept == count:
            return count, total, low, doubtful
        count = kept


@numba.njit(error_model="numpy", forceinline=True)
def _exchange(place: int, i: int, j: int) -> None:
    one, other = load_float64(place, i), load_float64(place, j)
    store_float64(place, i, other)
    store_float64(place, j, one)


@numba.njit(error_model="numpy", forceinline=True)
def _doubt(k: float) -> float:
    """Return below what the error of `_excess_of` could be a part in 2^55, an eighth to a quarter of an ulp.

    The high parts of k numbers are added without loss. What that rounds off, and the low parts, are 2 k numbers up to
    k 2^-53. Their sums are up to 2 k^2 2^-53, and 2 k of them rounded cost 4 k^3 2^-106 at most; the rest of the pairs'
    errors is less than as much again.
    """
    return k * k * k * 2.0**-48


def _correct(stored: str) -> Any:
    """Return ``correct(x, y, columns, gaps, lows, sums, parameters)``: it writes the results that were in doubt."""
    number, load, store = ACCESS[stored]

    @numba.njit(error_model="numpy")
    def correct(x: int, y: int, columns: int, gaps: int, lows: int, sums: int, parameters: Any) -> None:
        top, k, total, low = parameters
        parts = _exact_sum(gaps, lows, int(k), sums)
        for i in range(columns):
            entry = types.float64(load(x, i))
            if entry >= top - 1.0:
                gap, gap_low = _two_sum(entry, -top)
                if abs(_excess_of(gap, gap_low, k, total, low)) < _doubt(k):
                    excess, rest = _exact_excess(gap, gap_low, k, sums, parts)
                    store(y, i, number(_share_of(excess, rest, k) if excess > 0.0 else 0.0))

    return correct


@numba.njit(error_model="numpy")
def _exact_sum(gaps: int, lows: int, count: int, sums: int) -> int:
    """Write minus the sum of the gaps as an expansion; return of how many numbers."""
    parts = 0
    for i in range(count):
        parts = _grow(sums, parts, -load_float64(gaps, i))
        parts = _grow(sums, parts, -load_float64(lows, i))
    return parts


@numba.njit(error_model="numpy")
def _exact_excess(gap: float, gap_low: float, k: float, sums: int, parts: int) -> tuple[float, float]:
    """Return 1 + k * (gap + gap_low) - the sum, rounded, and most of what the rounding lost."""
    mine = sums + 8 * PARTS
    for i in range(parts):
        store_float64(mine, i, load_float64(sums, i))
    parts = _grow(mine, parts, 1.0)
    for factor in (gap, gap_low):
        product, lost = _two_product(k, factor)
        parts = _grow(mine, parts, product)
        parts = _grow(mine, parts, lost)
    total, below = load_float64(mine, parts - 1), load_float64(mine, parts - 2) if parts > 1 else 0.0
    return _two_sum(total, below)


@numba.njit(error_model="numpy")
def _grow(place: int, parts: int, x: float) -> int:
    """Add x to an expansion, the smallest number first; return of how many numbers it is then, `PARTS` at most."""
    kept = 0
    for i in range(parts):
        x, lost = _two_sum(x, load_float64(place, i))
        if lost != 0.0:
            store_float64(place, kept, lost)
            kept += 1
    store_float64(place, kept, x)
    return kept + 1


def _collect(stored: str) -> Any:
    """Return ``collect(x, columns, top, gaps, lows, most)``: it writes the candidates, and returns how many.

    It returns -1 for a NaN, and stops once there are more than ``most``. A candidate is at least ``top - 1``, rounded
    to x's dtype: then no number of that dtype lies between the two.
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
    def collect(x: int, columns: int, top: float, gaps: int, lows: int, most: int) -> int:
        whole, count = columns - columns % SEVERAL, 0
        for i in range(0, whole, SEVERAL):
            if 0 <= count <= most:
                count = take(x, i, several(x, i, SEVERAL, top - 1.0), top, gaps, lows, count)
        for i in range(whole, columns, LANES):
            if 0 <= count <= most:
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
