"""Softmax and its kin for results of float32 and fewer digits; float64 is in `refnet.engine.pair_rows`.

Short rows are transposed, so that each lane of a vector has a row. Where there are too few of them they go in blocks:
what needs a whole row is done row by row, and everything else in loops over the block. Long rows go one by one, so that
what belongs to the row stays in registers. Each step is done for several rows before the next, as it waits for the one
before. All ways compute the same for a row, and add up its terms in the same order. A NaN is passed over where the
highest entry is looked for and shows in the sum; a formula then gets NaN for both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from math import inf, nan
from typing import Any

import numba
from numba import types

from refnet.engine import table, trace
from refnet.engine.coefficients import EXP_45
from refnet.engine.elementary import exp_coarse
from refnet.engine.formulas import Reading
from refnet.engine.intrinsics import ACCESS, load_float64, select, store_float64
from refnet.engine.lanes import SUMS, added, lanes_at_once, over_lanes
from refnet.engine.machine import machine
from refnet.engine.rows import LANES, highest, spread, sum_of, top, total, total_apart
from refnet.engine.table import BLOCK, ROOMS
from refnet.engine.trace import Number
from refnet.engine.transposed import grouped, highest_of_rows, sums_of_rows, turned
from refnet.engine.vectors import NUMBERS

__all__ = ["LIVE", "WIDE", "by_length", "room", "rowwise", "senseless"]

EXP_IS_ZERO = -745.1332191019412  # ln 2^-1075: half of the smallest float64

#: exp(-700), or so
FAR_TERM = 1e-304

#: A sum with the 1 of the highest entry is off by at most 2^-53 for each entry of the lane that this is in, a sixteenth
#: of all, and for each of 4 additions of lanes. Where that could be 2^-28 of the rest, it is added up without the 1.
LITTLE = 2.0**-29

#: Columns from which on rows go one by one.
LONG = 64

#: How many long rows are computed together at most.
TOGETHER = 16

#: Into how many parts the registers are divided (see `refnet.engine.lanes.over_lanes`).
LIVE = 8

WIDE = "float64"

room = numba.njit(error_model="numpy")(table.room)


def rowwise(reading: Reading, share: Reading, stored: str) -> Any:
    """Return the kernel for a rowwise formula of x, highest, term and the share that is computed from the rest."""
    in_blocks, as_lanes = _in_blocks(reading, share, stored), _as_lanes(reading, share, stored)
    short = grouped(as_lanes, in_blocks, lanes_at_once(LIVE), NUMBERS[stored][1])
    return by_length(_one_by_one(reading, share, stored), short)


def by_length(long: Any, short: Any) -> Any:
    """Return the kernel that gives long rows to one function, and short ones to another."""

    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        if columns >= LONG:
            long(x, y, rows, columns, work)
        else:
            short(x, y, rows, columns, work)

    return run


def _term(x: Number, top: Number) -> Number:
    """Return exp(x - top), which is 1 at the top.

    x - top is exact, or so near it that it cannot matter for a result of fewer digits. Where float64's exp is 0 the
    term is 0 too: it decides the sign of a zero of log_softmax. From there to -700 any other number will do.
    """
    difference = (x - top).within(-700.0, 0.0)

    def far() -> Number:
        return trace.select(difference < EXP_IS_ZERO, x.constant(0.0), x.constant(FAR_TERM))

    return trace.seldom(difference < -700.0, far, exp_coarse(difference, EXP_45))


def _terms(x: Number, top: Number) -> tuple[Number]:
    return (_term(x, top),)


def _result(reading: Reading) -> Callable[..., tuple[Number]]:
    return lambda x, top, term, share: (reading(x, top, term, share),)


@numba.njit(error_model="numpy")
def _little(columns: int) -> float:
    """Return below what a row's sum without its 1 is so small that the 1 may have rounded it."""
    return LITTLE * (columns + 64)


@functools.cache  # three loops have it, and numba compiles it once
def _rest(stored: str) -> Any:
    """Return ``rest(x, columns, top, terms, rest)``: the sum of a row's terms without a highest one, which is 1.

    Given is the sum of all, less 1. Where that is little, adding the 1 has rounded it, and it is added up without.
    An infinite highest entry takes everything; several of them, or nothing but -inf, have no limit: NaN. The terms of
    such rows are written anew.
    """
    load, without = ACCESS[stored][1], total_apart(stored)

    @numba.njit(error_model="numpy")
    def infinite(x: int, columns: int, top: float, terms: int) -> float:
        equal = rest = 0.0
        for i in range(columns):
            entry = types.float64(load(x, i))
            equal += select(entry == top, 1.0, 0.0)
            rest += select(entry != entry, nan, 0.0)
        for i in range(columns):
            term = select(senseless(top, equal), nan, 1.0)
            store_float64(terms, i, select(types.float64(load(x, i)) == top, term, 0.0))
        return rest + (equal - 1.0)

    @numba.njit(error_model="numpy")
    def rest(x: int, columns: int, top: float, terms: int, rest: float) -> float:
        if abs(top) == inf:
            return infinite(x, columns, top, terms)
        return without(terms, columns, x, top) if rest < _little(columns) else rest

    return rest


@numba.njit(error_model="numpy")
def senseless(top: float, equal: float) -> bool:
    """Tell whether a row has no limit, given its highest entry and how many there are of it."""
    return top == -inf or (top == inf and equal > 1.0)


def _one_by_one(reading: Reading, share: Reading, stored: str) -> Any:
    """Return the function for long rows, up to `TOGETHER` at a time.

    The work space holds their terms, behind them for each row its highest entry and its rest, and in the same place its
    share; then the sums.
    """

    def terms_of(x: Number, top: Number) -> tuple[Number, ...]:
        term = _term(x, top)
        return term, term

    def result(x: Number, term: Number, top: Number, share: Number) -> tuple[Number]:
        return (reading(x, top, term, share),)

    size = NUMBERS[stored][1]
    find_top, rest_of = top(stored), _rest(stored)
    find_terms = over_lanes(terms_of, (stored,), (WIDE,), 1, live=LIVE, fold=added, ahead=(False, True))
    find_shares = over_lanes(lambda rest: (share(rest),), (WIDE,), (WIDE,), live=LIVE)
    find_results = over_lanes(result, (stored, WIDE), (stored,), 2, live=LIVE)

    @numba.njit(error_model="numpy")
    def run(x: int, y: int, rows: int, columns: int, work: int) -> None:
        together, length = max(1, min(TOGETHER, ROOMS * BLOCK // columns)), columns * size
        tops = work + ROOMS * 8 * room(columns)
        rests, sums = tops + 8 * TOGETHER, tops + 16 * TOGETHER
        for first in range(0, rows, together):
            count, here, there = min(together, rows - first), x + first * length, y + first * length
            for r in range(count):
                store_float64(tops, r, find_top(here + r * length, columns))
            for r in range(count):
                row, terms = here + r * length, work + 8 * r * columns
                highest = load_float64(tops, r)
                spread(0.0, SUMS, sums)
                find_terms(columns, (highest,), row + count * length, there + r * length, row, terms, sums)
                rest = rest_of(row, columns, highest, terms, sum_of(sums) - 1.0)
                store_float64(tops, r, nan if rest != rest else highest)
                store_float64(rests, r, rest)
            find_shares(count, 0, rests, rests)
            for r in range(count):
                row, terms = here + r * length, work + 8 * r * columns
                numbers = load_float64(tops, r), load_float64(rests, r)
                find_results(columns, numbers, row, terms, there + r * length)

    return run


def _in_blocks(reading: Reading, share: Reading, stored: str) -> Any:
    """Return the function for short rows, in blocks of about `BLOCK` numbers.

    The work space holds, for each number of the block, its row's highest entry, its term, and its row's share (see
    `refnet.activations.reading.row_terms`), then for each row its rest, and in the same place its share.
    """
    size = NUMBERS[stored][1]
    find_highest, rest_of = highest(stored), _rest(stored)
    find_terms = over_lanes(_terms, (stored, WIDE), (WIDE,), live=LIVE, ahead=(False, True))
    find_shares = over_lanes(lambda rest: (share(rest),), (WIDE,), (WIDE,), live=LIVE)
    find_results = over_lanes(_result(reading), (stored, WIDE, WIDE, WIDE), (stored,), live=LIVE)

    @numba.njit(error_model="numpy")
    def run(x: int, y: int, rows: int, columns: int, work: int) -> None:
        block, apart = max(1, BLOCK // max(1, columns)), 8 * room(columns)
        terms, shares, of_rows = work + apart, work + 2 * apart, work + 3 * apart
        for first in range(0, rows, block):
            count = min(block, rows - first)
            here, there = x + first * columns * size, y + first * columns * size
            for r in range(count):
                find_highest(here + r * columns * size, columns, work + 8 * r * columns)
            find_terms(count * columns, 0, here + count * columns * size, there, here, work, terms)
            for r in range(count):
                start = r * columns
                row, row_terms = here + start * size, terms + 8 * start
                top = load_float64(work, start)
                rest = rest_of(row, columns, top, row_terms, total(row_terms, columns) - 1.0)
                if rest != rest:
                    spread(nan, columns, work + 8 * start)
                store_float64(of_rows, r, rest)
            find_shares(count, 0, of_rows, of_rows)
            for r in range(count):
                spread(load_float64(of_rows, r), columns, shares + 8 * r * columns)
            find_results(count * columns, 0, here, work, terms, shares, there)

    return run


def _as_lanes(reading: Reading, share: Reading, stored: str) -> Any:
    """Return the function for short rows, a power of two times `lanes_at_once` of them.

    The work space holds x, and in its place y, and the terms, both column by column, and once more without those of the
    highest entries; then for each row its highest entry, its rest and its share, then what `_rests_of_columns` needs.
    """
    together, halves = lanes_at_once(LIVE), machine().whole_vectors
    size = NUMBERS[stored][1]

    to_columns, to_rows = turned(stored, of_rows=True), turned(stored, of_rows=False)
    find_tops, find_rests = highest_of_rows(stored, together), _rests_of_columns(stored)
    find_terms = over_lanes(
        _terms, (stored, WIDE), (WIDE,), live=LIVE, ahead=(False, True), repeated=(1,), halves=halves
    )
    find_shares = over_lanes(lambda rest: (share(rest),), (WIDE,), (WIDE,), live=LIVE)
    find_results = over_lanes(_result(reading), (stored, WIDE, WIDE, WIDE), (stored,), live=LIVE, repeated=(1, 3))

    @numba.njit(error_model="numpy")
    def run(x: int, y: int, rows: int, columns: int, work: int) -> None:
        whole, apart = rows * columns, ROOMS * 8 * room(columns)
        terms, tops = work + apart, work + 3 * apart
        rests, shares = tops + 8 * rows, tops + 16 * rows
        to_columns(x, rows, columns, work)
        for r in range(0, rows, together):
            find_tops(work + r * size, rows * size, columns, tops + 8 * r)
        find_terms(whole, 0, x + whole * size, y, work, tops, terms, rows)
        find_rests(x, work, terms, rows, columns, tops)
        find_shares(rows, 0, rests, shares)
        find_results(whole, 0, work, tops, terms, shares, work, rows)
        to_rows(y, rows, columns, work)

    return run


def _rests_of_columns(stored: str) -> Any:
    """Return ``find(x, lines, terms, rows, columns, tops)``: it finds what `_rest` does, for rows in columns.

    The lines are those of x; behind the terms there is as much room again, and behind the highest entries room for the
    rests, for as many numbers again, and for a sum of each row's lanes, or one row.
    """
    together = lanes_at_once(LIVE)
    find_rests, in_lanes = sums_of_rows(together, 1.0), _in_lanes()
    leave_out_tops, without_limit = _without_tops(stored, in_lanes), _without_limit(stored)

    @numba.njit(error_model="numpy")
    def find(x: int, lines: int, terms: int, rows: int, columns: int, tops: int) -> None:
        rests, asked = tops + 8 * rows, 0
        free = rests + 8 * rows
        lanes = in_lanes(terms, rows, columns, free + 8 * rows)
        for r in range(0, rows, together):
            asked += find_rests(lanes + 8 * r, 8 * rows, min(columns, LANES), _little(columns), rests + 8 * r)
        if asked > 0:
            leave_out_tops(lines, terms, rows, columns, tops, rests, free)
            without_limit(x, terms, rows, columns, tops, rests, free)

    return find


def _in_lanes() -> Any:
    """Return ``in_lanes(terms, rows, columns, sums)``: it adds up the columns j, j + `LANES`, ... for each lane j.

    It returns where these sums stand: columns without another to add are their own.
    """
    copy = over_lanes(lambda a: (a,), (WIDE,), (WIDE,), live=LIVE)
    add = over_lanes(lambda a, b: (a + b,), (WIDE, WIDE), (WIDE,), live=LIVE)

    @numba.njit(error_model="numpy")
    def in_lanes(terms: int, rows: int, columns: int, sums: int) -> int:
        column = 8 * rows
        if columns <= LANES:
            return terms
        more = min(LANES, columns - LANES)
        add(rows * more, 0, terms, terms + LANES * column, sums)
        copy(rows * (LANES - more), 0, terms + more * column, sums + more * column)
        for j in range(2 * LANES, columns, LANES):
            add(rows * min(LANES, columns - j), 0, sums, terms + j * column, sums)
        return sums

    return in_lanes


def _without_tops(stored: str, in_lanes: Any) -> Any:
    """Return the function that adds up rows without their highest entries, for those whose rest is little.

    Such a row has one highest entry: with two its rest is 1 or more.
    """
    together = lanes_at_once(LIVE)

    def without_top(x: Number, term: Number, top: Number) -> tuple[Number]:
        return (trace.select(x == top, x.constant(0.0), term),)

    def better(rest: Number, total: Number, least: Number) -> tuple[Number]:
        return (trace.select(rest < least, total, rest),)

    find_totals = sums_of_rows(together, 0.0)
    leave_out = over_lanes(without_top, (stored, WIDE, WIDE), (WIDE,), live=LIVE, repeated=(2,))
    choose = over_lanes(better, (WIDE, WIDE), (WIDE,), 1, live=LIVE)

    @numba.njit(error_model="numpy")
    def run(lines: int, terms: int, rows: int, columns: int, tops: int, rests: int, totals: int) -> None:
        others = terms + ROOMS * 8 * room(columns)
        leave_out(rows * columns, 0, lines, terms, tops, others, rows)
        lanes = in_lanes(others, rows, columns, totals + 8 * rows)
        for r in range(0, rows, together):
            find_totals(lanes + 8 * r, 8 * rows, min(columns, LANES), 0.0, totals + 8 * r)
        choose(rows, (_little(columns),), rests, totals, rests)

    return run


def _without_limit(stored: str) -> Any:
    """Return the function that finds the rests that are NaN; terms that `_rest` writes anew are put in their column."""
    together, rest_of = lanes_at_once(LIVE), _rest(stored)
    size = NUMBERS[stored][1]
    find_nan = sums_of_rows(together, 0.0)

    @numba.njit(error_model="numpy")
    def one(x: int, columns: int, top: float, terms: int, rows: int, row: int) -> float:
        for j in range(columns):
            store_float64(row, j, load_float64(terms, j * rows))
        rest = rest_of(x, columns, top, row, nan)
        for j in range(columns):
            store_float64(terms, j * rows, load_float64(row, j))
        return rest

    @numba.njit(error_model="numpy")
    def run(x: int, terms: int, rows: int, columns: int, tops: int, rests: int, totals: int) -> None:
        row = totals + 8 * rows
        for first in range(0, rows, together):
            if find_nan(rests + 8 * first, 0, 1, -inf, totals) == 0:  # as rows of one number: nothing else is below
                continue
            for r in range(first, first + together):
                rest, top = load_float64(rests, r), load_float64(tops, r)
                if rest != rest:
                    rest = one(x + r * columns * size, columns, top, terms + 8 * r, rows, row)
                    store_float64(rests, r, rest)
                    store_float64(tops, r, nan if rest != rest else top)

    return run
