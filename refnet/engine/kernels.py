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

from refnet.engine import pair_rows
from refnet.engine.elementary import COMPILED, exp_single
from refnet.engine.formulas import in_pairs, with_words
from refnet.engine.intrinsics import ACCESS, load_float64, select, store_float64
from refnet.engine.rows import highest, total
from refnet.engine.table import BLOCK

EXP_IS_ZERO = -745.1332191019412  # ln 2^-1075: half of the smallest float64

SIGNATURE = types.void(*[types.int64] * 6)


def compiled_formula(formula: Callable[..., Any], dtype: str) -> Any:
    """Return the formula with every word of `refnet.elementary` replaced by its compiled reading."""
    twin = with_words(formula, COMPILED[dtype])
    return numba.njit(error_model="numpy", forceinline=True)(twin)


def kernel(
    formula: Callable[..., Any],
    kind: str,
    parameters: int,
    dtype: str,
    exceptions: tuple[tuple[float, float], ...] = (),
) -> Any:
    """Return the Python function to compile for one formula and dtype (see `SIGNATURE`).

    ``exceptions`` are the float32 inputs, each with its result, whose float64 value is rounded to the wrong side.
    """
    lows = pair_rows.LOWS if kind == "rowwise" else (False,) * (1 + parameters)
    paired = in_pairs(formula, lows) if dtype == "float64" else None
    if paired is not None and kind == "rowwise":
        return pair_rows.rowwise(paired)
    compiled = compiled_formula(formula, dtype) if paired is None else paired
    if kind == "rowwise":
        return _rowwise(compiled, dtype)
    if exceptions and dtype == "float32":
        compiled = _corrected(compiled, exceptions)
    return _ELEMENTWISE[parameters](compiled, *ACCESS[dtype])


def _corrected(formula: Any, exceptions: tuple[tuple[float, float], ...]) -> Any:
    inputs, results = zip(*exceptions, strict=True)

    @numba.njit(error_model="numpy", forceinline=True)
    def corrected(x: float, *parameters: float) -> float:
        y = formula(x, *parameters)
        for i in range(len(inputs)):
            y = select(x == inputs[i], results[i], y)
        return y

    return corrected


def _elementwise0(formula: Any, number: Any, load: Any, store: Any) -> Any:
    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        for i in range(rows * columns):
            store(y, i, number(formula(types.float64(load(x, i)))))

    return run


def _elementwise1(formula: Any, number: Any, load: Any, store: Any) -> Any:
    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        a = load_float64(parameters, 0)
        for i in range(rows * columns):
            store(y, i, number(formula(types.float64(load(x, i)), a)))

    return run


def _elementwise2(formula: Any, number: Any, load: Any, store: Any) -> Any:
    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        a, b = load_float64(parameters, 0), load_float64(parameters, 1)
        for i in range(rows * columns):
            store(y, i, number(formula(types.float64(load(x, i)), a, b)))

    return run


def _elementwise3(formula: Any, number: Any, load: Any, store: Any) -> Any:
    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        a, b, c = load_float64(parameters, 0), load_float64(parameters, 1), load_float64(parameters, 2)
        for i in range(rows * columns):
            store(y, i, number(formula(types.float64(load(x, i)), a, b, c)))

    return run


_ELEMENTWISE = (_elementwise0, _elementwise1, _elementwise2, _elementwise3)


@numba.njit(error_model="numpy", forceinline=True)
def _term_below(x: float, top: float) -> float:
    """Return exp(x - top), and 0 at the top itself, which is kept out of the sum.

    x - top is exact, or so near it that it cannot matter for a result of fewer digits. Where float64's exp is 0 the
    term is 0 too: it decides the sign of a zero of log_softmax.
    """
    difference = x - top
    return select((x == top) | (difference < EXP_IS_ZERO), 0.0, exp_single(difference))


def _rowwise(formula: Any, dtype: str) -> Any:
    """Rows in blocks of about `BLOCK` numbers: two passes row by row, and between them loops over the whole block.

    The work space holds, for each number of the block and in float64, its row's highest entry, its term, and its
    row's rest (see `refnet.activations.reading.row_terms`), then for each row how many entries are the highest.
    """
    number, load, store = ACCESS[dtype]
    size = 4 if dtype == "float32" else 8
    find_highest = highest("float32" if dtype == "float32" else "float64")

    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        block, room = max(1, BLOCK // max(1, columns)), max(BLOCK, columns)
        terms, rests, counts = work + 8 * room, work + 16 * room, work + 24 * room
        for first in range(0, rows, block):
            count = min(block, rows - first)
            here, there = x + first * columns * size, y + first * columns * size
            for r in range(count):
                equal = find_highest(here + r * columns * size, columns, work + 8 * r * columns)
                store_float64(counts, r, types.float64(equal))
            for i in range(count * columns):
                store_float64(terms, i, _term_below(types.float64(load(here, i)), load_float64(work, i)))
            for r in range(count):
                start, equal = r * columns, load_float64(counts, r)
                total(terms + 8 * start, columns, equal - 1.0, rests + 8 * start)
                top = load_float64(work, start)
                if top == -inf or (top == inf and equal > 1.0):
                    for i in range(start, start + columns):  # there is no limit: NaN at the highest entries
                        store_float64(terms, i, select(types.float64(load(here, i)) == top, nan, 0.0))
            for i in range(count * columns):
                value, top, term = types.float64(load(here, i)), load_float64(work, i), load_float64(terms, i)
                term = select(value == top, 1.0 + term, term)
                store(there, i, number(formula(value, top, term, load_float64(rests, i))))

    return run
