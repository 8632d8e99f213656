"""sparsemax of float32 where float64 does not round, so that pairs are not needed: most rows.

Let S be the sum of the gaps to the highest entry that are above -1, and all entries be 0 or at least (1 - S) `LEAST`,
in absolute value. Then all are multiples of (1 - S) 2^-52. So are the gaps, the sums of those that are kept, and
1 + k gap - sum, and none of these is above 1 - S, in absolute value, that decides a result: they have 53 bits at most.
Only the division by k rounds. So the steps are those of `refnet.engine.sparsemax`, and so are the bits. Rows with other
entries, a NaN, or an infinite highest entry are left to it.

Many short rows go as the lanes of vectors (`refnet.engine.transposed`), where 1 - S is `LONG` at most. Others go one by
one, if many of their entries may be kept.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from refnet.engine.intrinsics import load_float64
from refnet.engine.lanes import SUMS, added, lanes_at_once, over_lanes
from refnet.engine.rows import spread, sum_of
from refnet.engine.rowwise import LIVE, LONG, room
from refnet.engine.table import ROOMS
from refnet.engine.trace import Number, absolute, fma as number_fma, select
from refnet.engine.transposed import highest_of_rows, turned
from refnet.engine.vectors import constant, fma, load, loop, store

__all__ = ["alone", "as_lanes"]

#: A float32 of 2^-29 or more is a multiple of 2^-52.
LEAST = 2.0**-29

#: The bits of float32's `LONG` times `LEAST`, and of inf.
LEAST_BITS, INFINITE_BITS = (int(np.float32(value).view(np.uint32)) for value in (LONG * LEAST, inf))

I32, I64, F32, F64 = ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.DoubleType()


def as_lanes(one_row: Any) -> Any:
    """Return the function for a power of two times `lanes_at_once` short rows; ``one_row`` is for one of any kind.

    The work space holds x, and in its place y, and the gaps to the highest entries, both column by column, then for
    each row its highest entry, how many entries it keeps, and 1 - their sum.
    """
    together = lanes_at_once(LIVE)
    to_columns, to_rows = turned("float32", of_rows=True), turned("float32", of_rows=False)
    find_tops, mark, find_kept = highest_of_rows("float32", together), _mark(together), _kept(together)
    find_gaps = over_lanes(_gap, ("float32", "float64"), ("float64",), live=LIVE, ahead=(False, True), repeated=(1,))
    find_results = over_lanes(_result, ("float64",) * 3, ("float32",), live=LIVE, repeated=(1, 2))

    @numba.njit(error_model="numpy")
    def run(x: int, y: int, rows: int, columns: int, work: int) -> None:
        length, whole, marked = 4 * columns, rows * columns, 0
        gaps, tops = work + ROOMS * 8 * room(columns), work + 2 * ROOMS * 8 * room(columns)
        counts, rests = tops + 8 * rows, tops + 16 * rows
        to_columns(x, rows, columns, work)
        for r in range(0, rows, together):
            find_tops(work + 4 * r, 4 * rows, columns, tops + 8 * r)
            marked += mark(work + 4 * r, 4 * rows, columns, tops + 8 * r)
        find_gaps(whole, 0, x + rows * length, y, work, tops, gaps, rows)
        for r in range(0, rows, together):
            find_kept(gaps + 8 * r, 8 * rows, columns, counts + 8 * r, rests + 8 * r)
        find_results(whole, 0, gaps, counts, rests, work, rows)
        to_rows(y, rows, columns, work)
        if marked > 0:
            for r in range(rows):
                top = load_float64(tops, r)
                if top != top:
                    one_row(x + r * length, y + r * length, columns, work)

    return run


def alone() -> Any:
    """Return ``alone(x, y, columns, top, gaps, sums) -> done`` for one row, of any length.

    Nothing is written to y unless it is done. There is room for the row at ``gaps``, for 3 `SUMS` numbers at ``sums``.
    """

    def fine(x: Number, least: Number) -> tuple[Number]:
        zero, one = x.constant(0.0), x.constant(1.0)
        return (select(absolute(x) >= least, zero, select(x == 0.0, zero, one)),)

    def kept(gap: Number, k: Number, rest: Number) -> tuple[Number, Number]:
        zero, one = gap.constant(0.0), gap.constant(1.0)
        keep = number_fma(k, gap, rest) > 0.0
        return select(keep, one, zero), select(keep, gap, zero)

    find_gaps = over_lanes(_gap, ("float32",), ("float64",), 1, live=LIVE)
    find_kept = over_lanes(kept, ("float64",), (), 2, live=LIVE, fold=added)
    find_fine = over_lanes(fine, ("float32",), (), 1, live=LIVE, fold=added)
    find_results = over_lanes(_result, ("float64",), ("float32",), 2, live=LIVE)

    @numba.njit(error_model="numpy")
    def run(x: int, y: int, columns: int, top: float, gaps: int, sums: int) -> bool:
        find_gaps(columns, (top,), x, gaps)
        count, k, rest = 0.0, 1.0, 1.0
        while count != k:
            spread(0.0, 2 * SUMS, sums)
            find_kept(columns, (k, rest), gaps, sums)
            if count == 0.0:
                spread(0.0, SUMS, sums + 16 * SUMS)
                find_fine(columns, ((1.0 - sum_of(sums + 8 * SUMS)) * LEAST,), x, sums + 16 * SUMS)
                if abs(top) == inf or sum_of(sums + 16 * SUMS) > 0.0:
                    return False
            count, k, rest = k, sum_of(sums), 1.0 - sum_of(sums + 8 * SUMS)
        find_results(columns, (k, rest), gaps, y)
        return True

    return run


def _gap(x: Number, top: Number) -> tuple[Number]:
    return (x - top,)


def _result(gap: Number, k: Number, rest: Number) -> tuple[Number]:
    excess = number_fma(k, gap, rest)
    return (select(excess > 0.0, excess / k, 0.0),)


def _mark(rows: int) -> Any:
    """Return the intrinsic ``mark(x, apart, columns, tops) -> count``: the rows that are left to others get a NaN.

    x has their columns, ``apart`` bytes from one to the next. Twice a number's bits, as an integer, has no sign.
    """
    vector, wide, bits = (ir.VectorType(kind, rows) for kind in (F32, F64, I32))

    @intrinsic
    def mark(context: Any, x: Any, apart: Any, columns: Any, tops: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, apart, columns, tops = args

            def number(value: int) -> Any:
                return ir.Constant(bits, [I32(value)] * rows)

            def extremes(j: Any, state: list[Any]) -> list[Any]:
                least, most = state
                loaded = load(builder, vector, builder.add(x, builder.mul(j, apart)))
                twice = builder.shl(builder.bitcast(loaded, bits), number(1))
                but_0 = builder.sub(twice, number(1))  # so 0 is above all others
                lower = builder.icmp_unsigned("<", but_0, least)
                higher = builder.icmp_unsigned(">", twice, most)
                return [builder.select(lower, but_0, least), builder.select(higher, twice, most)]

            least, most = loop(builder, I64(0), columns, 1, [number(0xFFFFFFFF), number(0)], extremes)
            tiny = builder.icmp_unsigned("<", least, number(2 * LEAST_BITS - 1))
            has_nan = builder.icmp_unsigned(">", most, number(2 * INFINITE_BITS))
            top = load(builder, wide, tops)
            finite = builder.fcmp_ordered("==", builder.fmul(top, constant(wide, 0.0)), constant(wide, 0.0))
            marked = builder.or_(builder.or_(tiny, has_nan), builder.not_(finite))
            store(builder, builder.select(marked, constant(wide, float("nan")), top), tops)
            return builder.zext(builder.ctpop(builder.bitcast(marked, ir.IntType(rows))), I64)

        return types.int64(*[types.int64] * 4), emit

    return mark


def _kept(rows: int) -> Any:
    """Return the intrinsic ``find(gaps, apart, columns, counts, rests)``: how many entries each row keeps, and 1 - sum.

    At first those above -1 are kept, as if 1 were and their sum 0. The counts fall until they stay: in rows that are
    left to others they need not, so it is the lowest count so far that has to fall.
    """
    vector = ir.VectorType(F64, rows)
    one, zero = constant(vector, 1.0), constant(vector, 0.0)

    @intrinsic
    def find(context: Any, gaps: Any, apart: Any, columns: Any, counts: Any, rests: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            gaps, apart, columns, counts, rests = args

            def keep(j: Any, state: list[Any]) -> list[Any]:
                gap = load(builder, vector, builder.add(gaps, builder.mul(j, apart)))
                kept = builder.fcmp_ordered(">", fma(builder, k, gap, rest), zero)
                sums = (builder.fadd(value, more) for value, more in zip(state, (one, gap), strict=True))
                return [builder.select(kept, after, value) for after, value in zip(sums, state, strict=True)]

            before, again, after = builder.block, *map(builder.append_basic_block, ("again", "kept"))
            builder.branch(again)
            builder.position_at_end(again)
            lowest, k, rest = (builder.phi(vector) for _ in range(3))
            count, total = loop(builder, I64(0), columns, 1, [zero, zero], keep)
            left = builder.fsub(one, total)
            falls = builder.fcmp_ordered("<", count, lowest)
            following = builder.select(falls, count, lowest), count, left
            first = constant(vector, float("inf")), one, one
            for phi, value, start in zip((lowest, k, rest), following, first, strict=True):
                phi.add_incoming(start, before)
                phi.add_incoming(value, builder.block)
            bits = ir.IntType(rows)
            builder.cbranch(builder.icmp_unsigned("!=", builder.bitcast(falls, bits), bits(0)), again, after)
            builder.position_at_end(after)
            store(builder, count, counts)
            store(builder, left, rests)
            return ctx.get_dummy_value()

        return types.void(*[types.int64] * 5), emit

    return find
