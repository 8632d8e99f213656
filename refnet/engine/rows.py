"""What a row of softmax needs from all its entries at once: its highest entry, and the sum of its terms.

LLVM may not reorder floating-point sums, so it leaves such loops scalar. Here the order is fixed as eight lanes,
lane j taking the entries j, j + 8, ..., whatever the CPU's vectors; so the bits are the same everywhere.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refnet.engine.vectors import NUMBERS, constant, first_lanes, masked_load, masked_store, splat

LANES = 8
I64, MASK = ir.IntType(64), ir.IntType(LANES)
WIDE = ir.VectorType(ir.DoubleType(), LANES)


def highest(dtype: str) -> Any:
    """Return the intrinsic ``highest(x, columns, out) -> count`` for rows of a dtype.

    It writes the row's highest entry (NaN if the row holds a NaN) to out[0 : columns], as float64, and returns how
    many entries equal it.
    """
    number, size = NUMBERS[dtype]

    @intrinsic
    def find(context: Any, x: Any, columns: Any, out: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, columns, out = args

            def entries(i: Any, mask: Any, missing: float) -> Any:
                place = builder.add(x, builder.mul(i, I64(size)))
                kind = ir.VectorType(number, LANES)
                loaded = masked_load(builder, kind, place, mask, constant(kind, missing))
                return loaded if size == 8 else builder.fpext(loaded, WIDE)

            best = _variable(builder, constant(WIDE, float("-inf")))
            unordered = _variable(builder, MASK(0))
            with _chunks(builder, columns) as (i, mask):
                v = entries(i, mask, float("-inf"))
                before = builder.load(best)
                builder.store(builder.select(builder.fcmp_ordered(">", v, before), v, before), best)
                nan = builder.bitcast(builder.fcmp_unordered("uno", v, v), MASK)
                builder.store(builder.or_(nan, builder.load(unordered)), unordered)
            top = _tree(builder, builder.load(best), _larger)
            ordered = builder.icmp_unsigned("==", builder.load(unordered), MASK(0))
            top = builder.select(ordered, top, ir.Constant(top.type, float("nan")))
            everywhere = splat(builder, top, LANES)
            equal = _variable(builder, I64(0))
            with _chunks(builder, columns) as (i, mask):
                same = builder.fcmp_ordered("==", entries(i, mask, float("nan")), everywhere)
                ones = builder.zext(builder.ctpop(builder.bitcast(same, MASK)), I64)
                builder.store(builder.add(builder.load(equal), ones), equal)
                masked_store(builder, everywhere, builder.add(out, builder.mul(i, I64(8))), mask)
            return builder.load(equal)

        return types.int64(types.int64, types.int64, types.int64), emit

    return find


@intrinsic
def total(context: Any, x: Any, columns: Any, extra: Any, out: Any) -> Any:
    """Write extra + x[0] + ... + x[columns - 1] to out[0 : columns]; every lane's sum carries its rounding errors."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, columns, extra, out = args
        zero = constant(WIDE, 0.0)
        sums, errors = _variable(builder, zero), _variable(builder, zero)
        with _chunks(builder, columns) as (i, mask):
            v = masked_load(builder, WIDE, builder.add(x, builder.mul(i, I64(8))), mask, zero)
            before = builder.load(sums)
            after = builder.fadd(before, v)
            added = builder.fsub(after, before)
            lost = builder.fadd(builder.fsub(before, builder.fsub(after, added)), builder.fsub(v, added))
            builder.store(after, sums)
            builder.store(builder.fadd(builder.load(errors), lost), errors)
        both = builder.fadd(_tree(builder, builder.load(sums), _plus), _tree(builder, builder.load(errors), _plus))
        everywhere = splat(builder, builder.fadd(extra, both), LANES)
        with _chunks(builder, columns) as (i, mask):
            masked_store(builder, everywhere, builder.add(out, builder.mul(i, I64(8))), mask)
        return ctx.get_dummy_value()

    return types.void(types.int64, types.int64, types.float64, types.int64), emit


@intrinsic
def total_of_pairs(context: Any, x: Any, lows: Any, columns: Any, extra: Any, out: Any, out_lows: Any) -> Any:
    """`total` where each x[i] has a low part: the sum goes to out[0 : columns], its own low part to out_lows."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, lows, columns, extra, out, out_lows = args
        zero = constant(WIDE, 0.0)
        sums, errors = _variable(builder, zero), _variable(builder, zero)
        with _chunks(builder, columns) as (i, mask):
            place = builder.mul(i, I64(8))
            v = masked_load(builder, WIDE, builder.add(x, place), mask, zero)
            low = masked_load(builder, WIDE, builder.add(lows, place), mask, zero)
            after, lost = _two_sum(builder, builder.load(sums), v)
            builder.store(after, sums)
            builder.store(builder.fadd(builder.load(errors), builder.fadd(lost, low)), errors)
        high, low = extra, _tree(builder, builder.load(errors), _plus)
        for lane in range(LANES):
            high, lost = _two_sum(builder, high, builder.extract_element(builder.load(sums), I64(lane)))
            low = builder.fadd(low, lost)
        high, low = _two_sum(builder, high, low)
        high, low = splat(builder, high, LANES), splat(builder, low, LANES)
        with _chunks(builder, columns) as (i, mask):
            place = builder.mul(i, I64(8))
            masked_store(builder, high, builder.add(out, place), mask)
            masked_store(builder, low, builder.add(out_lows, place), mask)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 3, types.float64, *[types.int64] * 2), emit


def _two_sum(builder: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Return a + b rounded, and what the rounding lost, exactly (Knuth)."""
    s = builder.fadd(a, b)
    kept = builder.fsub(s, a)
    return s, builder.fadd(builder.fsub(a, builder.fsub(s, kept)), builder.fsub(b, kept))


def _variable(builder: Any, value: Any) -> Any:
    place = cgutils.alloca_once(builder, value.type)
    builder.store(value, place)
    return place


class _chunks:  # noqa: N801  (a context manager that reads like a loop)
    """Emit a loop over the columns, eight at a time: the first column, and which of the eight exist."""

    def __init__(self, builder: Any, columns: Any) -> None:
        self.builder, self.columns = builder, columns
        self.loop = cgutils.for_range_slice(builder, I64(0), columns, I64(LANES), intp=I64)

    def __enter__(self) -> tuple[Any, Any]:
        i, _ = self.loop.__enter__()
        return i, first_lanes(self.builder, self.builder.sub(self.columns, i), LANES)

    def __exit__(self, *error: Any) -> None:
        self.loop.__exit__(*error)


def _plus(builder: Any, a: Any, b: Any) -> Any:
    return builder.fadd(a, b)


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _tree(builder: Any, v: Any, join: Any) -> Any:
    """Join the lanes in pairs, the pairs in pairs, and so on."""
    parts = [builder.extract_element(v, I64(lane)) for lane in range(LANES)]
    while len(parts) > 1:
        parts = [join(builder, a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]
