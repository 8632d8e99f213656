"""Many short rows with rows as the lanes of vectors: no lane is empty, and nothing is exchanged between lanes.

Some rows are transposed in registers, a square at a time, so that each of their columns lies in one piece, and back
when all is done. What the entries of a row share is then found for all of these rows at once, in the order that
`refnet.engine.rows` has for one; so the bits are the same.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from refnet.engine.machine import machine
from refnet.engine.rows import LANES, join_lanes, larger, plus
from refnet.engine.table import BLOCK, ROOMS
from refnet.engine.vectors import (
    NUMBERS,
    by_count,
    constant,
    each,
    first_lanes,
    joined,
    load,
    loop,
    pieces,
    splat,
    store,
    transposed,
)

__all__ = ["grouped", "highest_of_rows", "sums_of_rows", "turned"]

I64 = ir.IntType(64)

#: How many rows are computed together at most.
MOST = 256


def grouped(as_lanes: Any, few: Any, together: int, size: int) -> Any:
    """Return the kernel for short rows of numbers of ``size`` bytes.

    It gives as many of them as it can to ``as_lanes``, a power of two times ``together`` at once, and others to
    ``few``. Both are functions of x, y, rows, columns and the address of the work space.
    """

    @numba.njit(error_model="numpy")
    def run(x: int, y: int, rows: int, columns: int, work: int) -> None:
        first, length, count = 0, columns * size, together
        while 2 * count <= MOST and 2 * count * columns <= ROOMS * BLOCK:
            count *= 2
        while columns > 0 and 2 * (rows - first) >= together <= rows:
            while count > max(together, rows - first):
                count //= 2
            first = min(first, rows - count)  # some rows twice rather than one by one
            as_lanes(x + first * length, y + first * length, count, columns, work)
            first += count
        few(x + first * length, y + first * length, rows - first, columns, work)

    return run


def turned(dtype: str, of_rows: bool) -> Any:
    """Return the compiled ``turned(rows, count, columns, lines)``: rows become columns, one after the other, or back.

    ``count`` is a multiple of a vector's lanes; ``of_rows`` says that the rows are read and the columns written. The
    squares are no wider than they need be.
    """
    lanes = machine().lanes(NUMBERS[dtype][1])
    quarter, half = max(1, lanes // 4), max(1, lanes // 2)
    in_quarters, in_halves, in_wholes = (_squares(dtype, of_rows, side) for side in (quarter, half, lanes))

    @numba.njit(error_model="numpy", forceinline=True)
    def run(rows: int, count: int, columns: int, lines: int) -> None:
        if columns <= quarter:
            in_quarters(rows, count, columns, lines)
        elif columns <= half:
            in_halves(rows, count, columns, lines)
        else:
            in_wholes(rows, count, columns, lines)

    return run


def _squares(dtype: str, of_rows: bool, side: int) -> Any:
    """Return the intrinsic that does what `turned` does with ``side`` columns at a time.

    Of these the last may not exist: they are read as 0, and not written to rows. Rows that are ``side`` apart lie in
    one vector, so that it has squares side by side.
    """
    number, size = NUMBERS[dtype]
    lanes = machine().lanes(size)
    part, line = ir.VectorType(number, side), ir.VectorType(number, lanes)

    @intrinsic
    def run(context: Any, rows: Any, count: Any, columns: Any, lines: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            rows, count, columns, lines = args
            length, apart = builder.mul(columns, I64(size)), builder.mul(count, I64(size))

            def turn(r: Any, j: Any) -> None:
                first = builder.add(builder.add(rows, builder.mul(r, length)), builder.mul(j, I64(size)))
                start = builder.add(builder.add(lines, builder.mul(j, apart)), builder.mul(r, I64(size)))
                mask = first_lanes(builder, builder.sub(columns, j), side)
                parts = [builder.add(first, builder.mul(length, I64(i))) for i in range(lanes)]
                whole = [builder.add(start, builder.mul(apart, I64(i))) for i in range(side)]
                if of_rows:
                    read = [load(builder, part, place, mask) for place in parts]
                    squares = [joined(builder, read[i::side]) for i in range(side)]
                    for place, column in zip(whole, transposed(builder, squares), strict=True):
                        store(builder, column, place)
                else:
                    squares = transposed(builder, [load(builder, line, place) for place in whole])
                    for i, square in enumerate(squares):
                        for place, row in zip(parts[i::side], pieces(builder, square, side), strict=True):
                            store(builder, row, place, mask)

            each(builder, I64(0), count, lanes, lambda r: each(builder, I64(0), columns, side, lambda j: turn(r, j)))
            return ctx.get_dummy_value()

        return types.void(*[types.int64] * 4), emit

    return run


def highest_of_rows(dtype: str, rows: int) -> Any:
    """Return the intrinsic ``find(x, apart, columns, out)``: the highest entry of each of so many rows, as float64.

    x has their columns, ``apart`` bytes from one to the next. A NaN is passed over.
    """
    number, _ = NUMBERS[dtype]
    vector, wide = ir.VectorType(number, rows), ir.VectorType(ir.DoubleType(), rows)

    @intrinsic
    def find(context: Any, x: Any, apart: Any, columns: Any, out: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, apart, columns, out = args

            def improve(j: Any, best: list[Any]) -> list[Any]:
                return [larger(builder, load(builder, vector, builder.add(x, builder.mul(j, apart))), *best)]

            (best,) = loop(builder, I64(0), columns, 1, [constant(vector, float("-inf"))], improve)
            store(builder, best if vector == wide else builder.fpext(best, wide), out)
            return ctx.get_dummy_value()

        return types.void(*[types.int64] * 4), emit

    return find


def sums_of_rows(rows: int, less: float) -> Any:
    """Return the intrinsic ``find(terms, apart, columns, least, out)``: the sum of each of so many rows, less a number.

    The rows are of `LANES` float64 at most, and read as `highest_of_rows` does. What it returns is how many of the
    results are NaN or less than ``least``.
    """
    vector = ir.VectorType(ir.DoubleType(), rows)

    @intrinsic
    def find(context: Any, terms: Any, apart: Any, columns: Any, least: Any, out: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            terms, apart, columns, least, out = args

            def total(count: int) -> Any:
                places = (builder.add(terms, builder.mul(apart, I64(j))) for j in range(count))
                entries = [load(builder, vector, place) for place in places]
                return join_lanes(builder, [*entries, *[None] * (LANES - count)], plus)

            rest = builder.fsub(by_count(builder, columns, LANES, total), constant(vector, less))
            store(builder, rest, out)
            below = builder.fcmp_unordered("<", rest, splat(builder, least, rows))
            return builder.zext(builder.ctpop(builder.bitcast(below, ir.IntType(rows))), I64)

        return types.int64(*[types.int64] * 3, types.float64, types.int64), emit

    return find
