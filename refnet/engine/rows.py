"""What a row of softmax needs from all its entries at once: its highest entry, and the sum of its terms.

LLVM may not reorder floating-point sums, so it leaves such loops scalar. Here the order is fixed as sixteen lanes,
lane j taking the entries j, j + 16, ..., and then the lanes in pairs, whatever the CPU's vectors; so the bits are the
same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refnet.engine.vectors import NUMBERS, constant, load, masked_load, size_of, splat, store

LANES = 16
I32, I64, MASK = ir.IntType(32), ir.IntType(64), ir.IntType(LANES)
WIDE = ir.VectorType(ir.DoubleType(), LANES)


def highest(dtype: str) -> Any:
    """Return the intrinsic ``highest(x, columns, out) -> count`` for rows of a dtype.

    It writes the row's highest entry to out[0 : columns], in the same dtype, and returns how many entries equal it.
    A NaN is passed over: its term is NaN, and so then is the sum, and with it the whole row's result.
    """
    number, size = NUMBERS[dtype]
    kind = ir.VectorType(number, LANES)

    @intrinsic
    def find(context: Any, x: Any, columns: Any, out: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, columns, out = args
            best, equal = _variable(builder, constant(kind, float("-inf"))), _variable(builder, I64(0))

            def improve(i: Any, mask: Any) -> None:
                v = _entries(builder, kind, x, i, mask, float("-inf"))
                builder.store(_larger(builder, v, builder.load(best)), best)

            def count(i: Any, mask: Any) -> None:
                same = builder.fcmp_ordered("==", _entries(builder, kind, x, i, mask, float("nan")), everywhere)
                ones = builder.zext(builder.ctpop(builder.bitcast(same, MASK)), I64)
                builder.store(builder.add(builder.load(equal), ones), equal)
                store(builder, everywhere, _place(builder, out, i, size), mask)

            _over_row(builder, columns, improve)
            everywhere = splat(builder, _tree(builder, builder.load(best), _larger), LANES)
            _over_row(builder, columns, count)
            return builder.load(equal)

        return types.int64(types.int64, types.int64, types.int64), emit

    return find


@intrinsic
def total(context: Any, x: Any, columns: Any, extra: Any, out: Any) -> Any:
    """Write extra + x[0] + ... + x[columns - 1] to out[0 : columns].

    It is for results of fewer digits than float64, so the sum's own roundings need no care.
    """

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, columns, extra, out = args
        sums = _variable(builder, constant(WIDE, 0.0))

        def add(i: Any, mask: Any) -> None:
            v = _entries(builder, WIDE, x, i, mask, 0.0)
            builder.store(builder.fadd(builder.load(sums), v), sums)

        _over_row(builder, columns, add)
        everywhere = splat(builder, builder.fadd(extra, _tree(builder, builder.load(sums), _plus)), LANES)
        _over_row(builder, columns, lambda i, mask: store(builder, everywhere, _place(builder, out, i, 8), mask))
        return ctx.get_dummy_value()

    return types.void(types.int64, types.int64, types.float64, types.int64), emit


@intrinsic
def total_of_pairs(context: Any, x: Any, lows: Any, columns: Any, extra: Any, out: Any, out_lows: Any) -> Any:
    """`total` where each x[i] has a low part: the sum goes to out[0 : columns], its own low part to out_lows.

    Every lane's sum carries its rounding errors.
    """

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, lows, columns, extra, out, out_lows = args
        sums, errors = (_variable(builder, constant(WIDE, 0.0)) for _ in range(2))

        def add(i: Any, mask: Any) -> None:
            v, low = (_entries(builder, WIDE, place, i, mask, 0.0) for place in (x, lows))
            after, lost = _two_sum(builder, builder.load(sums), v)
            builder.store(after, sums)
            builder.store(builder.fadd(builder.load(errors), builder.fadd(lost, low)), errors)

        _over_row(builder, columns, add)
        high, low = extra, _tree(builder, builder.load(errors), _plus)
        for lane in range(LANES):
            high, lost = _two_sum(builder, high, builder.extract_element(builder.load(sums), I64(lane)))
            low = builder.fadd(low, lost)
        parts = [splat(builder, part, LANES) for part in _two_sum(builder, high, low)]

        def spread(i: Any, mask: Any) -> None:
            for part, place in zip(parts, (out, out_lows), strict=True):
                store(builder, part, _place(builder, place, i, 8), mask)

        _over_row(builder, columns, spread)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 3, types.float64, *[types.int64] * 2), emit


def _two_sum(builder: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Return a + b rounded, and what the rounding lost (Knuth)."""
    s = builder.fadd(a, b)
    kept = builder.fsub(s, a)
    return s, builder.fadd(builder.fsub(a, builder.fsub(s, kept)), builder.fsub(b, kept))


def _variable(builder: Any, value: Any) -> Any:
    place = cgutils.alloca_once(builder, value.type)
    builder.store(value, place)
    return place


def _place(builder: Any, start: Any, i: Any, size: int) -> Any:
    return builder.add(start, builder.mul(i, I64(size)))


def _entries(builder: Any, kind: Any, start: Any, i: Any, mask: Any, missing: float) -> Any:
    """Load sixteen entries; those that the mask leaves out are ``missing``."""
    place = _place(builder, start, i, size_of(kind.element))
    if mask is None:
        return load(builder, kind, place)
    return masked_load(builder, kind, place, mask, constant(kind, missing))


def _over_row(builder: Any, columns: Any, body: Callable[[Any, Any], None]) -> None:
    """Emit ``body(first column, mask)`` for sixteen columns at a time, then for the rest, the only part with a mask.

    The mask depends on nothing but the number of columns, so LLVM makes it once for all rows.
    """
    rest = builder.and_(columns, I64(LANES - 1))
    whole = builder.sub(columns, rest)
    with cgutils.for_range_slice(builder, I64(0), whole, I64(LANES), intp=I64) as (i, _):
        body(i, None)
    with builder.if_then(builder.icmp_signed(">", rest, I64(0))):
        bits = builder.sub(builder.shl(I64(1), rest), I64(1))
        body(whole, builder.bitcast(builder.trunc(bits, MASK), ir.VectorType(ir.IntType(1), LANES)))


def _plus(builder: Any, a: Any, b: Any) -> Any:
    return builder.fadd(a, b)


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _tree(builder: Any, v: Any, join: Any) -> Any:
    """Join the upper half of the lanes to the lower half, and so on, down to one number."""
    lanes = LANES
    while lanes > 1:
        lanes //= 2
        halves = [
            builder.shuffle_vector(v, v, ir.Constant(ir.VectorType(I32, lanes), [*range(first, first + lanes)]))
            for first in (0, lanes)
        ]
        v = join(builder, *halves)
    return builder.extract_element(v, I32(0))
