"""Many short rows with rows as the lanes of vectors: no lane is empty, and nothing is exchanged between lanes.

Some rows are transposed in registers, a square at a time, so that each of their columns lies in one piece, and back
when all is done. What the entries of a row share is then found for all of these rows at once, in the order that
`refnet.engine.rows` has for one; so the bits are the same.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from refnet.engine.machine import machine
from refnet.engine.rows import LANES, join_lanes, larger, plus
from refnet.engine.vectors import NUMBERS, constant, first_lanes, load, loop, masked_load, splat, store, transposed

__all__ = ["highest_of_rows", "rests_of_rows", "transpose"]

I64 = ir.IntType(64)


def transpose(dtype: str, of_rows: bool) -> Any:
    """Return the intrinsic ``turn(x, x_step, columns, out, out_step)``: line i of out is column i of x.

    Both have as many lines, and columns, as a vector has lanes; the steps from line to line are in bytes. ``of_rows``
    says that x has the rows, of which only ``columns`` entries exist, and the others are read as 0; else out has them,
    and no others are written.
    """
    number, size = NUMBERS[dtype]
    vector = ir.VectorType(number, machine().lanes(size))

    @intrinsic
    def turn(context: Any, x: Any, x_step: Any, columns: Any, out: Any, out_step: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, x_step, columns, out, out_step = args
            mask = first_lanes(builder, columns, vector.count)
            reads, writes = (mask, None) if of_rows else (None, mask)
            places = [builder.add(x, builder.mul(x_step, I64(i))) for i in range(vector.count)]
            lines = transposed(builder, [load(builder, vector, place, reads) for place in places])
            for i, line in enumerate(lines):
                store(builder, line, builder.add(out, builder.mul(out_step, I64(i))), writes)
            return ctx.get_dummy_value()

        return types.void(*[types.int64] * 5), emit

    return turn


def highest_of_rows(dtype: str, rows: int) -> Any:
    """Return the intrinsic ``find(x, columns, out)``: the highest entry of each of so many rows, as float64.

    x has their columns, one after the other. A NaN is passed over.
    """
    number, size = NUMBERS[dtype]
    vector, wide = ir.VectorType(number, rows), ir.VectorType(ir.DoubleType(), rows)

    @intrinsic
    def find(context: Any, x: Any, columns: Any, out: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, columns, out = args

            def improve(j: Any, best: list[Any]) -> list[Any]:
                return [larger(builder, load(builder, vector, builder.add(x, builder.mul(j, I64(rows * size)))), *best)]

            (best,) = loop(builder, I64(0), columns, 1, [constant(vector, float("-inf"))], improve)
            store(builder, best if vector == wide else builder.fpext(best, wide), out)
            return ctx.get_dummy_value()

        return types.void(*[types.int64] * 3), emit

    return find


def rests_of_rows(rows: int) -> Any:
    """Return the intrinsic ``find(terms, columns, least, out)``: the sum of each of so many rows, less 1.

    The rows are of `LANES` float64 at most, and read as `highest_of_rows` does. What it returns is how many of the
    results are NaN or less than ``least``.
    """
    vector = ir.VectorType(ir.DoubleType(), rows)

    @intrinsic
    def find(context: Any, terms: Any, columns: Any, least: Any, out: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            terms, columns, least, out = args

            def entry(j: int) -> Any:
                exists, place = builder.icmp_signed("<", I64(j), columns), builder.add(terms, I64(8 * rows * j))
                return masked_load(builder, vector, place, splat(builder, exists, rows), constant(vector, 0.0))

            total = join_lanes(builder, [entry(j) for j in range(LANES)], plus)
            rest = builder.fsub(total, constant(vector, 1.0))
            store(builder, rest, out)
            below = builder.fcmp_unordered("<", rest, splat(builder, least, rows))
            return builder.zext(builder.ctpop(builder.bitcast(below, ir.IntType(rows))), I64)

        return types.int64(types.int64, types.int64, types.float64, types.int64), emit

    return find
