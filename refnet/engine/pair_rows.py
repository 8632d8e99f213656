"""Softmax and its kin in float64: each term and each row's sum as a pair (see `refnet.engine.pairs`)."""

from __future__ import annotations

from math import nan
from typing import Any

import numba
from numba import types

from refnet.engine import pairs
from refnet.engine.formulas import Reading
from refnet.engine.intrinsics import load_float64, store_float64
from refnet.engine.lanes import SUMS, over_lanes
from refnet.engine.pair_words import exp_times
from refnet.engine.pairs import Pair
from refnet.engine.rows import highest, spread, sum_of, sum_of_pairs, top, total_of_pairs
from refnet.engine.rowwise import WIDE, by_length, room, senseless
from refnet.engine.table import BLOCK
from refnet.engine.trace import Number, absolute, seldom, select

#: Which of a rowwise formula's arguments (x, highest, term, rest) are pairs.
LOWS = (False, False, True, True)

SHIFT = 2.0**200  # terms and their sum are kept so much larger, since many a term would be subnormal and inexact
TINY = 2.0**-900  # a term below this, or its low part, or a result that is proportional to it, may be subnormal


def _term_below(x: Number, top: Number) -> tuple[Number, Number]:
    """exp(x - top) times `SHIFT`, and 0 at the top itself, which is kept out of the sum."""
    term = pairs.where(x == top, 0.0, exp_times(SHIFT, Pair(x) - Pair(top), 0.0))
    assert term.low is not None
    return term.high, term.low


@numba.njit(error_model="numpy")
def _write_no_limit(x: int, columns: int, top: float, terms: int) -> None:
    """Write NaN for the terms of the highest entries."""
    for i in range(columns):
        store_float64(terms, i, nan if load_float64(x, i) == top else 0.0)


def _result(reading: Reading) -> Any:
    """Return the formula as a function of an entry, its row's highest, term and rest, both times `SHIFT`.

    A term so small that it or the result may be subnormal goes in as it is, and the result is made smaller after it:
    a formula whose value is as small as that is linear in the term.
    """

    def result(x: Number, top: Number, high: Number, low: Number, rest: Number, rest_low: Number) -> Number:
        sums = rest * (1.0 / SHIFT), rest_low * (1.0 / SHIFT)
        term = select(x == top, 1.0 + high * (1.0 / SHIFT), high * (1.0 / SHIFT))
        usual = reading(x, top, term, low * (1.0 / SHIFT), *sums)

        def small() -> Number:
            return select(absolute(usual) < TINY, reading(x, top, high, low, *sums) * (1.0 / SHIFT), usual)

        return seldom((high > 0.0) & (high < SHIFT * TINY), small, usual)

    return result


def rowwise(reading: Reading) -> Any:
    """Return the kernel for a rowwise formula in pairs, as `refnet.engine.rowwise` has it for the other dtypes."""
    return by_length(_one_by_one(reading), _in_blocks(reading))


def _one_by_one(reading: Reading) -> Any:
    """Return the function for long rows. The work space holds a row's terms, their low parts, and the sums."""

    def terms_of(x: Number, top: Number) -> tuple[Number, ...]:
        high, low = _term_below(x, top)
        return high, low, high, low, select(x == top, x.constant(1.0), 0.0)

    def add(sums: list[Number], values: list[Number]) -> list[Number]:
        total, errors, count = sums
        high, low, one = values
        after = Pair(total) + Pair(high)
        assert after.low is not None
        return [after.high, errors + (after.low + low), count + one]

    of_entry = _result(reading)

    def result(x: Number, high: Number, low: Number, top: Number, rest: Number, rest_low: Number) -> tuple[Number]:
        return (of_entry(x, top, high, low, rest, rest_low),)

    find_top = top(WIDE)
    find_terms = over_lanes(terms_of, (WIDE,), (WIDE, WIDE), 1, live=8, fold=add, ahead=(False, True))
    find_results = over_lanes(result, (WIDE,) * 3, (WIDE,), 3, live=8)

    @numba.njit(error_model="numpy")
    def run(x: int, y: int, rows: int, columns: int, work: int) -> None:
        lows, sums = work + 8 * room(columns), work + 16 * room(columns)
        errors, counts = sums + 8 * SUMS, sums + 16 * SUMS
        for r in range(rows):
            here, there = x + r * columns * 8, y + r * columns * 8
            highest = find_top(here, columns)
            spread(0.0, 3 * SUMS, sums)
            find_terms(columns, (highest,), here + columns * 8, there, here, work, lows, sums)
            equal = sum_of(counts)
            rest, rest_low = sum_of_pairs(sums, errors, SHIFT * (equal - 1.0))
            if senseless(highest, equal):
                _write_no_limit(here, columns, highest, work)
            if rest != rest:
                highest = nan
            find_results(columns, (highest, rest, rest_low), here, work, lows, there)

    return run


def _in_blocks(reading: Reading) -> Any:
    """Return the function for short rows.

    The work space holds five numbers for each entry of the block: its row's highest entry, its term, its row's rest,
    and the low parts of both; then for each row how many entries are the highest.
    """
    of_entry = _result(reading)

    def result(*numbers: Number) -> tuple[Number]:
        return (of_entry(*numbers),)

    find_highest = highest(WIDE)
    find_terms = over_lanes(_term_below, (WIDE, WIDE), (WIDE, WIDE), live=8)
    find_results = over_lanes(result, (WIDE,) * 6, (WIDE,), live=8)

    @numba.njit(error_model="numpy")
    def run(x: int, y: int, rows: int, columns: int, work: int) -> None:
        block, apart = max(1, BLOCK // max(1, columns)), 8 * room(columns)
        terms, rests, counts = work + apart, work + 2 * apart, work + 5 * apart
        term_lows, rest_lows = work + 3 * apart, work + 4 * apart
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
                if senseless(top, equal):
                    _write_no_limit(here + place, columns, top, terms + place)
                rest = load_float64(rests, start)
                if rest != rest:
                    spread(nan, columns, work + place)
            find_results(count * columns, 0, here, work, terms, term_lows, rests, rest_lows, there)

    return run
