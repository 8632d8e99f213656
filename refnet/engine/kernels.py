"""formula -> kernel: the loop over an array that runs one activation, compiled.

A kernel takes six int64: the address of x, the address of y, rows, columns, the address of the parameters
(float64), and the address of a work space. x and y are contiguous, and may be the same place. A number is
widened to float64, the formula runs, and the result is rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

import numba
from numba import types

from refnet.engine import pair_rows, trace
from refnet.engine.elementary import exp
from refnet.engine.formulas import Reading, in_numbers, in_pairs, word_by_word
from refnet.engine.intrinsics import ACCESS, load_float64, select, store_float64
from refnet.engine.lanes import over_lanes
from refnet.engine.rows import highest, total
from refnet.engine.table import APART, BLOCK
from refnet.engine.trace import Number
from refnet.engine.vectors import NUMBERS

EXP_IS_ZERO = -745.1332191019412  # ln 2^-1075: half of the smallest float64

#: What a kernel loads and stores; "half" are float64 numbers that will be rounded to float16 or bfloat16.
STORED = {"float32": "float32", "float64": "float64", "half": "float64"}

SIGNATURE = types.void(*[types.int64] * 6)


def kernel(
    formula: Callable[..., Any],
    kind: str,
    parameters: int,
    dtype: str,
    fixed: tuple[float, ...] | None = None,
    exceptions: tuple[tuple[float, float], ...] = (),
) -> Any:
    """Return the Python function to compile for one formula and dtype (see `SIGNATURE`).

    ``fixed`` are values to compile in for the parameters, which are then not read: a relu whose cap is known to be inf
    has none. ``exceptions`` are the float32 inputs, each with its result, whose float64 value is rounded to the wrong
    side.
    """
    rowwise = kind == "rowwise"
    lows = pair_rows.LOWS if rowwise else (False,) * (1 + parameters)
    reading = in_pairs(formula, lows) if dtype == "float64" else in_numbers(formula, len(lows))
    if rowwise:
        assert reading is not None  # rowwise formulas are the book's
        return pair_rows.rowwise(reading) if dtype == "float64" else _rowwise(reading, STORED[dtype])
    if reading is None:
        return _SCALAR[parameters](numba.njit(error_model="numpy")(word_by_word(formula, dtype)), *ACCESS[dtype])
    if fixed is not None:
        reading, parameters = _fixed(reading, fixed), 0
    return _elementwise(_corrected(reading, exceptions), parameters, STORED[dtype], 8 if dtype == "float64" else 4)


def _fixed(reading: Reading, values: tuple[float, ...]) -> Reading:
    return lambda x: reading(x, *map(x.constant, values))


def _corrected(reading: Reading, exceptions: tuple[tuple[float, float], ...]) -> Reading:
    def corrected(x: Number, *parameters: Number) -> Number:
        y = reading(x, *parameters)
        for given, result in exceptions:
            y = trace.select(x == given, x.constant(result), y)
        return y

    return corrected


def _elementwise(reading: Reading, parameters: int, stored: str, live: int) -> Any:
    loop = over_lanes(lambda *numbers: (reading(*numbers),), (stored,), (stored,), parameters, live)

    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        loop(rows * columns, parameters, x, y)

    return run


def _scalar0(formula: Any, number: Any, load: Any, store: Any) -> Any:
    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        for i in range(rows * columns):
            store(y, i, number(formula(types.float64(load(x, i)))))

    return run


def _scalar1(formula: Any, number: Any, load: Any, store: Any) -> Any:
    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        a = load_float64(parameters, 0)
        for i in range(rows * columns):
            store(y, i, number(formula(types.float64(load(x, i)), a)))

    return run


def _scalar2(formula: Any, number: Any, load: Any, store: Any) -> Any:
    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        a, b = load_float64(parameters, 0), load_float64(parameters, 1)
        for i in range(rows * columns):
            store(y, i, number(formula(types.float64(load(x, i)), a, b)))

    return run


def _scalar3(formula: Any, number: Any, load: Any, store: Any) -> Any:
    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        a, b, c = load_float64(parameters, 0), load_float64(parameters, 1), load_float64(parameters, 2)
        for i in range(rows * columns):
            store(y, i, number(formula(types.float64(load(x, i)), a, b, c)))

    return run


_SCALAR = (_scalar0, _scalar1, _scalar2, _scalar3)


def _term_below(x: Number, top: Number) -> tuple[Number]:
    """Return exp(x - top), and 0 at the top itself, which is kept out of the sum.

    x - top is exact, or so near it that it cannot matter for a result of fewer digits. Where float64's exp is 0 the
    term is 0 too: it decides the sign of a zero of log_softmax.
    """
    difference = x - top
    return (trace.select((x == top) | (difference < EXP_IS_ZERO), x.constant(0.0), exp(difference)),)


def _rowwise(reading: Reading, stored: str) -> Any:
    """Rows in blocks of about `BLOCK` numbers: two passes row by row, and between them loops over the whole block.

    The work space holds, for each number of the block, its row's highest entry (in x's dtype), its term, and its row's
    rest (see `refnet.activations.reading.row_terms`), then for each row how many entries are the highest.
    """

    def result(x: Number, top: Number, term: Number, rest: Number) -> tuple[Number]:
        return (reading(x, top, trace.select(x == top, 1.0 + term, term), rest),)

    size = NUMBERS[stored][1]
    load = ACCESS[stored][1]
    wide = "float64"
    find_highest = highest(stored)
    find_terms = over_lanes(_term_below, (stored, stored), (wide,))
    find_results = over_lanes(result, (stored, stored, wide, wide), (stored,))

    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        block, room = max(1, BLOCK // max(1, columns)), max(BLOCK, columns) + APART
        terms, rests, counts = work + 8 * room, work + 16 * room, work + 24 * room
        for first in range(0, rows, block):
            count = min(block, rows - first)
            here, there = x + first * columns * size, y + first * columns * size
            for r in range(count):
                equal = find_highest(here + r * columns * size, columns, work + r * columns * size)
                store_float64(counts, r, types.float64(equal))
            find_terms(count * columns, 0, here, work, terms)
            for r in range(count):
                start, equal = r * columns, load_float64(counts, r)
                total(terms + 8 * start, columns, equal - 1.0, rests + 8 * start)
                top = types.float64(load(work, start))
                if top == -inf or (top == inf and equal > 1.0):
                    for i in range(start, start + columns):  # there is no limit: NaN at the highest entries
                        store_float64(terms, i, select(types.float64(load(here, i)) == top, nan, 0.0))
            find_results(count * columns, 0, here, work, terms, rests, there)

    return run
