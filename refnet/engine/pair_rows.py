"""Softmax and its kin in float64: each term and each row's sum as a pair (see `refnet.engine.pairs`)."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from numba import types

from refnet.engine import pairs
from refnet.engine.formulas import Reading
from refnet.engine.intrinsics import load_float64, select as select_one, store_float64
from refnet.engine.lanes import over_lanes
from refnet.engine.pair_words import exp_times
from refnet.engine.pairs import Pair
from refnet.engine.rows import highest, total_of_pairs
from refnet.engine.table import APART, BLOCK
from refnet.engine.trace import Number, select

#: Which of a rowwise formula's arguments (x, highest, term, rest) are pairs.
LOWS = (False, False, True, True)

SHIFT = 2.0**200  # terms and their sum are kept so much larger, since many a term would be subnormal and inexact


def _term_below(x: Number, top: Number) -> tuple[Number, Number]:
    """exp(x - top) times `SHIFT`, and 0 at the top itself, which is kept out of the sum."""
    term = pairs.where(x == top, 0.0, exp_times(SHIFT, Pair(x) - Pair(top), 0.0))
    assert term.low is not None
    return term.high, term.low


def rowwise(reading: Reading) -> Any:
    """Return the kernel for a rowwise formula in pairs, as `refnet.engine.kernels` has it for the other dtypes.

    The work space holds five numbers for each entry of the block: its row's highest entry, its term, its row's rest,
    and the low parts of both; then for each row how many entries are the highest.
    """

    def result(x: Number, top: Number, term: Number, term_low: Number, rest: Number, rest_low: Number) -> tuple[Number]:
        high, low = term * (1.0 / SHIFT), term_low * (1.0 / SHIFT)
        high = select(x == top, 1.0 + high, high)
        return (reading(x, top, high, low, rest * (1.0 / SHIFT), rest_low * (1.0 / SHIFT)),)

    wide = "float64"
    find_highest = highest(wide)
    find_terms = over_lanes(_term_below, (wide, wide), (wide, wide), live=8)
    find_results = over_lanes(result, (wide,) * 6, (wide,), live=8)

    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        block, room = max(1, BLOCK // max(1, columns)), max(BLOCK, columns) + APART
        terms, rests, counts = work + 8 * room, work + 16 * room, work + 40 * room
        term_lows, rest_lows = work + 24 * room, work + 32 * room
        for first in range(0, rows, block):
            count = min(block, rows - first)
            here, there = x + first * columns * 8, y + first * columns * 8
            for r in range(count):
                equal = find_highest(here + r * columns * 8, columns, work + 8 * r * columns)
                store_float64(counts, r, types.float64(equal))
            find_terms(count * columns, 0, here, work, terms, term_lows)
            for r in range(count):
                start, equal = r * columns, load_float64(counts, r)
                place = 8 * start
                total_of_pairs(
                    terms + place, term_lows + place, columns, SHIFT * (equal - 1.0), rests + place, rest_lows + place
                )
                top = load_float64(work, start)
                if top == -inf or (top == inf and equal > 1.0):
                    for i in range(start, start + columns):  # there is no limit: NaN at the highest entries
                        store_float64(terms, i, select_one(load_float64(here, i) == top, nan, 0.0))
            find_results(count * columns, 0, here, work, terms, term_lows, rests, rest_lows, there)

    return run
