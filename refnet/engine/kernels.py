"""formula -> kernel: the loop over an array that runs one activation, compiled.

A kernel takes six int64: the address of x, the address of y, rows, columns of x, the address of the parameters
(float64), and the address of a work space. x and y are contiguous, and have no byte in common. A number is
widened to float64, the formula runs, and the result is rounded once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numba
from numba import types

from refnet.activations.reading import itself
from refnet.engine import gated, pair_rows, rowwise, sparsemax, trace
from refnet.engine.formulas import Reading, in_numbers, in_pairs, in_two_parts, word_by_word
from refnet.engine.intrinsics import ACCESS, load_float64
from refnet.engine.lanes import over_lanes
from refnet.engine.machine import machine
from refnet.engine.split import over_two_parts
from refnet.engine.trace import Number
from refnet.engine.vectors import LINE, NUMBERS, fence

#: What a kernel loads and stores; "half" are float64 numbers that will be rounded to float16 or bfloat16.
STORED = {"float32": "float32", "float64": "float64", "half": "float64"}

SIGNATURE = types.void(*[types.int64] * 6)

#: Fused multiply-adds from which on a formula runs on half as many vectors at once, as its numbers need more registers
#: than there are: elu takes 0.9 of the time then on a Zen 4, where storing a register costs three cycles.
LONG = 4

#: Fused multiply-adds of a formula's main way from which on, and registers up to which it fills for 16 numbers, its
#: steps are cut in two on a processor whose units take whole vectors. On a Zen 5 softplus is 1.22, mish 1.2, silu,
#: sigmoid and exponential 1.15, tanh 1.1, tanh_shrink 1.05 times as fast then; gelu, which fills 93, 1.0 to 1.04, and
#: squareplus, which waits for a root and a quotient, 0.94.
CHAIN, ROOM = 5, 80


def kernel(
    formula: Callable[..., Any],
    kind: str,
    parameters: int,
    dtype: str,
    fixed: tuple[float, ...] | None = None,
    exceptions: tuple[tuple[float, float], ...] = (),
    streaming: bool = False,
    of_row: Callable[[Any], Any] = itself,
) -> Any:
    """Return the Python function to compile for one formula and dtype (see `SIGNATURE`).

    ``fixed`` are values to compile in for the parameters, which are then not read: a relu whose cap is known to be inf
    has none. ``exceptions`` are the float32 inputs, each with its result, whose float64 value is rounded to the wrong
    side. ``streaming`` kernels write past the caches; only elementwise ones do. ``of_row`` belongs to rowwise formulas.
    """
    if kind == "array":  # the book's only one with a kernel, see `refnet.engine.forward.has_kernel`
        return sparsemax.kernel(STORED[dtype])
    lows = {"rowwise": pair_rows.LOWS, "gated": (False, False)}.get(kind, (False,) * (1 + parameters))
    reading = in_pairs(formula, lows, of_row) if dtype == "float64" else in_numbers(formula, len(lows), dtype)
    if kind == "rowwise":
        share = in_numbers(of_row, 1, dtype)
        if reading is None or share is None:
            raise TypeError("a rowwise formula branches, or uses more than words, + - * / and comparisons")
        return pair_rows.rowwise(reading) if dtype == "float64" else rowwise.rowwise(reading, share, STORED[dtype])
    long = dtype == "float64" or _multiply_adds(reading, len(lows)) >= LONG
    live = 8 if long else 4
    if kind == "columnwise":
        assert reading is not None  # refnet's own
        return _columnwise(reading, parameters, STORED[dtype], live)
    if kind == "gated":
        assert reading is not None
        return gated.gated(reading, STORED[dtype], live)
    if reading is None:
        return _SCALAR[parameters](
            numba.njit(error_model="numpy")(word_by_word(formula, dtype)), *ACCESS[STORED[dtype]]
        )
    stored, left = STORED[dtype], parameters if fixed is None else 0
    moves = machine().vector_bytes == LINE and (left > 0 or not machine().whole_vectors)
    parts = in_two_parts(formula, len(lows)) if stored == "float32" and moves else None
    if parts is None or exceptions:
        whole = _corrected(_fixed(reading, fixed), exceptions)
        halves = stored == "float32" and machine().whole_vectors and _has_halves(whole, 1 + left)
        loop = over_lanes(_results(whole), (stored,), (stored,), left, live, streaming, halves=halves)
    else:
        parts = replace(parts, first=_fixed(parts.first, fixed), second=_fixed(parts.second, fixed))
        loop = over_two_parts(parts, left, live, streaming)
    return _elementwise(loop, streaming)


def _multiply_adds(reading: Reading | None, count: int) -> int:
    return 0 if reading is None else trace.trace(_results(reading), count)


def _has_halves(reading: Reading, count: int) -> bool:
    written, multiply_adds = trace.main_way(_results(reading), count, LINE // 4)
    return multiply_adds >= CHAIN and written <= ROOM * LINE


def _results(reading: Reading) -> Callable[..., tuple[Number, ...]]:
    return lambda *numbers: (reading(*numbers),)


def _fixed(reading: Any, values: tuple[float, ...] | None) -> Any:
    return reading if values is None else lambda x: reading(x, *map(x.constant, values))


def _corrected(reading: Reading, exceptions: tuple[tuple[float, float], ...]) -> Reading:
    def corrected(x: Number, *parameters: Number) -> Number:
        y = reading(x, *parameters)
        for given, result in exceptions:
            y = trace.select(x == given, x.constant(result), y)
        return y

    return corrected


def _elementwise(loop: Any, streaming: bool) -> Any:
    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        loop(rows * columns, parameters, x, y)
        if streaming:
            fence()

    return run


def _columnwise(reading: Reading, parameters: int, stored: str, live: int) -> Any:
    """Rows one by one; each parameter stands for all columns at ``parameters``, one array of them after the other."""
    size = NUMBERS[stored][1]
    loop = over_lanes(_results(reading), (stored,) * (1 + parameters), (stored,), live=live)

    def run1(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        for r in range(rows):
            first = r * columns * size
            loop(columns, 0, x + first, parameters, y + first)

    def run2(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        for r in range(rows):
            first = r * columns * size
            loop(columns, 0, x + first, parameters, parameters + columns * size, y + first)

    return (run1, run2)[parameters - 1]


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
