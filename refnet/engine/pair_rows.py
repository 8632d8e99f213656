"""Softmax and its kin in float64: each term and each row's sum as a pair (see `refnet.engine.pairs`)."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from numba import types

from refnet.engine import pairs
from refnet.engine.intrinsics import load_float64, select, store_float64
from refnet.engine.pair_words import exp_times
from refnet.engine.pairs import Pair
from refnet.engine.rows import highest, total_of_pairs
from refnet.engine.table import BLOCK
from refnet.engine.trace import Number, compiled

#: Which of a rowwise formula's arguments (x, highest, term, rest) are pairs.
LOWS = (False, False, True, True)

SHIFT = 2.0**200  # terms and their sum are kept so much larger, since many a term would be subnormal and inexact


def _term_below(x: Number, top: Number) -> tuple[Number, Number]:
    """exp(x - top) times `SHIFT`, and 0 at the top itself, which is kept out of the sum."""
    term = pairs.where(x == top, 0.0, exp_times(SHIFT, Pair(x) - Pair(top), 0.0))
    assert term.low is not None
    return term.high, term.low


def rowwise(formula: Any) -> Any:
    """Return the kernel for a rowwise formula in pairs, as `refnet.engine.kernels` has it for the other dtypes.

    The work space holds five numbers for each entry of the block: its row's highest entry, its term, its row's rest,
    and the low parts of both; then for each row how many entries are the highest.
    """
    term_below = compiled(_term_below)
    find_highest = highest("float64")

    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        block, room = max(1, BLOCK // max(1, columns)), max(BLOCK, columns)
        terms, rests, counts = work + 8 * room, work + 16 * room, work + 40 * room
        term_lows, rest_lows = work + 24 * room, work + 32 * room
        for first in range(0, rows, block):
            count = min(block, rows - first)
            here, there = x + first * columns * 8, y + first * columns * 8
            for r in range(count):
                equal = find_highest(here + r * columns * 8, columns, work + 8 * r * columns)
                store_float64(counts, r, types.float64(equal))
            for i in range(count * columns):
                term, low = term_below(load_float64(here, i), load_float64(work, i))
                store_float64(terms, i, term)
                store_float64(term_lows, i, low)
            for r in range(count):
                start, equal = r * columns, load_float64(counts, r)
                place = 8 * start
                total_of_pairs(
                    terms + place, term_lows + place, columns, SHIFT * (equal - 1.0), rests + place, rest_lows + place
                )
                top = load_float64(work, start)
                if top == -inf or (top == inf and equal > 1.0):
                    for i in range(start, start + columns):  # there is no limit: NaN at the highest entries
                        store_float64(terms, i, select(load_float64(here, i) == top, nan, 0.0))
            for i in range(count * columns):
                value, top = load_float64(here, i), load_float64(work, i)
                term, term_low = load_float64(terms, i) / SHIFT, load_float64(term_lows, i) / SHIFT
                rest, rest_low = load_float64(rests, i) / SHIFT, load_float64(rest_lows, i) / SHIFT
                term = select(value == top, 1.0 + term, term)
                store_float64(there, i, formula(value, top, term, term_low, rest, rest_low))

    return run
