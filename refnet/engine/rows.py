"""What is done with all entries of a row at once: softmax' highest entry and sum, and more for glu and sparsemax.

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

from refnet.engine.vectors import NUMBERS, constant, first_lanes, load, masked_load, pieces, size_of, splat, store

LANES = 16
SEVERAL = 4 * LANES  # entries at a time where the order is of no consequence
I32, I64, MASK = ir.IntType(32), ir.IntType(64), ir.IntType(LANES)
WIDE = ir.VectorType(ir.DoubleType(), LANES)


def highest(dtype: str) -> Any:
    """Return the intrinsic ``highest(x, columns, out) -> count`` for rows of a dtype.

    It writes the row's highest entry to out[0 : columns], as float64, and returns how many entries equal it.
    A NaN is passed over: its term is NaN, and so then is the sum, and with it the whole row's result.
    """
    kind = ir.VectorType(NUMBERS[dtype][0], LANES)

    @intrinsic
    def find(context: Any, x: Any, columns: Any, out: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, columns, out = args
            best, equal = _variable(builder, constant(kind, float("-inf"))), _variable(builder, I64(0))

            def improve(i: Any, mask: Any) -> None:
                v = _entries(builder, kind, x, i, mask, float("-inf"))
                builder.store(larger(builder, v, builder.load(best)), best)

            def count(i: Any, mask: Any) -> None:
                same = builder.fcmp_ordered("==", _entries(builder, kind, x, i, mask, float("nan")), everywhere)
                ones = builder.zext(builder.ctpop(builder.bitcast(same, MASK)), I64)
                builder.store(builder.add(builder.load(equal), ones), equal)
                store(builder, wide, _place(builder, out, i, 8), mask)

            _over_row(builder, columns, improve)
            everywhere = splat(builder, _one(builder, _tree(builder, builder.load(best), larger)), LANES)
            wide = everywhere if kind == WIDE else builder.fpext(everywhere, WIDE)
            _over_row(builder, columns, count)
            return builder.load(equal)

        return types.int64(types.int64, types.int64, types.int64), emit

    return find


def copy(dtype: str) -> Any:
    """Return the intrinsic ``copy(x, columns, out)`` for rows of a dtype."""
    number, size = NUMBERS[dtype]
    kind = ir.VectorType(number, LANES)

    @intrinsic
    def put(context: Any, x: Any, columns: Any, out: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, columns, out = args

            def move(i: Any, mask: Any) -> None:
                store(builder, _entries(builder, kind, x, i, mask, 0.0), _place(builder, out, i, size), mask)

            _over_row(builder, columns, move)
            return ctx.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), emit

    return put


def top(dtype: str) -> Any:
    """Return the intrinsic ``top(x, columns)``, the highest entry of a long row as a float64; NaN is passed over."""
    number, size = NUMBERS[dtype]
    kind, several = ir.VectorType(number, LANES), ir.VectorType(number, SEVERAL)

    @intrinsic
    def find(context: Any, x: Any, columns: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, columns = args
            bests = _variable(builder, constant(several, float("-inf")))
            whole = builder.and_(columns, I64(-SEVERAL))
            with cgutils.for_range_slice(builder, I64(0), whole, I64(SEVERAL), intp=I64) as (i, _):
                v = load(builder, several, _place(builder, x, i, size))
                builder.store(larger(builder, v, builder.load(bests)), bests)
            best = _variable(builder, _tree(builder, builder.load(bests), larger, LANES))

            def improve(i: Any, mask: Any) -> None:
                v = _entries(builder, kind, x, builder.add(whole, i), mask, float("-inf"))
                builder.store(larger(builder, v, builder.load(best)), best)

            _over_row(builder, builder.sub(columns, whole), improve)
            highest = _one(builder, _tree(builder, builder.load(best), larger))
            return builder.fpext(highest, ir.DoubleType()) if dtype == "float32" else highest

        return types.float64(types.int64, types.int64), emit

    return find


def not_below(dtype: str, lanes: int) -> Any:
    """Return the intrinsic ``not_below(x, i, left, limit)``: which entries from i on are >= limit or NaN, as bits.

    The limit is rounded to the dtype. Of `SEVERAL` lanes all must exist; of fewer, ``left`` of them.
    """
    number, size = NUMBERS[dtype]
    kind = ir.VectorType(number, lanes)

    @intrinsic
    def find(context: Any, x: Any, i: Any, left: Any, limit: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, i, left, limit = args
            mask = None if lanes == SEVERAL else first_lanes(builder, left, lanes)
            missing = constant(kind, float("-inf"))
            place = _place(builder, x, i, size)
            v = load(builder, kind, place) if mask is None else masked_load(builder, kind, place, mask, missing)
            rounded = builder.fptrunc(limit, number) if dtype == "float32" else limit
            found = builder.fcmp_unordered(">=", v, splat(builder, rounded, lanes))
            if mask is not None:
                found = builder.and_(found, mask)
            bits = builder.bitcast(found, ir.IntType(lanes))
            return bits if lanes == I64.width else builder.zext(bits, I64)

        return types.int64(types.int64, types.int64, types.int64, types.float64), emit

    return find


@intrinsic
def first_bit(context: Any, bits: Any) -> Any:
    """Return the place of the lowest bit that is set; one must be."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.IntType(1)(1))

    return types.int64(types.int64), emit


@intrinsic
def sum_of(context: Any, sums: Any) -> Any:
    """Return the sum of the sixteen float64 at an address, by the lanes' tree."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _one(builder, _tree(builder, load(builder, WIDE, args[0]), plus))

    return types.float64(types.int64), emit


@intrinsic
def sum_of_pairs(context: Any, sums: Any, errors: Any, extra: Any) -> Any:
    """Return extra + the sixteen sums at an address + their errors at another, as a tuple (high, low)."""
    returned = types.UniTuple(types.float64, 2)

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums, errors, extra = args
        return ctx.make_tuple(
            builder, returned, _pair_sum(builder, extra, load(builder, WIDE, sums), load(builder, WIDE, errors))
        )

    return returned(types.int64, types.int64, types.float64), emit


@intrinsic
def total(context: Any, x: Any, columns: Any) -> Any:
    """Return x[0] + ... + x[columns - 1].

    It is for results of fewer digits than float64, so the sum's own roundings need no care.
    """

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, columns = args
        sums = _variable(builder, constant(WIDE, 0.0))

        def add(i: Any, mask: Any) -> None:
            v = _entries(builder, WIDE, x, i, mask, 0.0)
            builder.store(builder.fadd(builder.load(sums), v), sums)

        _over_row(builder, columns, add)
        return _one(builder, _tree(builder, builder.load(sums), plus))

    return types.float64(types.int64, types.int64), emit


def total_apart(dtype: str) -> Any:
    """Return the intrinsic ``total_apart(terms, columns, x, top)``: `total` without one of the entries where x is top.

    The others of them are added last, as 1 each. It is a function that is never inlined, since few rows need it.
    """
    number = NUMBERS[dtype][0]
    kind = ir.VectorType(number, LANES)
    signature = types.float64(types.int64, types.int64, types.int64, types.float64)

    def write(function: Any) -> None:
        function.linkage = "internal"
        function.attributes.add("noinline")
        builder = ir.IRBuilder(function.append_basic_block())
        terms, columns, x, top = function.args
        sums, equal = _variable(builder, constant(WIDE, 0.0)), _variable(builder, I64(-1))
        everywhere = splat(builder, builder.fptrunc(top, number) if dtype == "float32" else top, LANES)

        def add(i: Any, mask: Any) -> None:
            same = builder.fcmp_ordered("==", _entries(builder, kind, x, i, mask, float("nan")), everywhere)
            v = builder.select(same, constant(WIDE, 0.0), _entries(builder, WIDE, terms, i, mask, 0.0))
            builder.store(builder.fadd(builder.load(sums), v), sums)
            ones = builder.zext(builder.ctpop(builder.bitcast(same, MASK)), I64)
            builder.store(builder.add(builder.load(equal), ones), equal)

        _over_row(builder, columns, add)
        rest = _one(builder, _tree(builder, builder.load(sums), plus))
        builder.ret(builder.fadd(rest, builder.sitofp(builder.load(equal), rest.type)))

    @intrinsic
    def run(context: Any, terms: Any, columns: Any, x: Any, top: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            name = f"refnet.total_apart.{dtype}"
            function = builder.module.globals.get(name)
            if function is None:
                function = ir.Function(builder.module, ir.FunctionType(WIDE.element, [I64] * 3 + [WIDE.element]), name)
                write(function)
            return builder.call(function, args)

        return signature, emit

    return run


@intrinsic
def spread(context: Any, value: Any, columns: Any, out: Any) -> Any:
    """Write a value to out[0 : columns]."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        value, columns, out = args
        everywhere = splat(builder, value, LANES)
        _over_row(builder, columns, lambda i, mask: store(builder, everywhere, _place(builder, out, i, 8), mask))
        return ctx.get_dummy_value()

    return types.void(types.float64, types.int64, types.int64), emit


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
        pair = _pair_sum(builder, extra, builder.load(sums), builder.load(errors))
        parts = [splat(builder, part, LANES) for part in pair]

        def spread(i: Any, mask: Any) -> None:
            for part, place in zip(parts, (out, out_lows), strict=True):
                store(builder, part, _place(builder, place, i, 8), mask)

        _over_row(builder, columns, spread)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 3, types.float64, *[types.int64] * 2), emit


def _pair_sum(builder: Any, extra: Any, sums: Any, errors: Any) -> tuple[Any, Any]:
    """Return extra + the lanes of ``sums`` + those of ``errors`` as (high, low)."""
    high, low = extra, _one(builder, _tree(builder, errors, plus))
    for lane in range(LANES):
        high, lost = _two_sum(builder, high, builder.extract_element(sums, I64(lane)))
        low = builder.fadd(low, lost)
    return _two_sum(builder, high, low)


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


def plus(builder: Any, a: Any, b: Any) -> Any:
    """Return a + b, lane by lane."""
    return builder.fadd(a, b)


def larger(builder: Any, a: Any, b: Any) -> Any:
    """Return the larger of each two lanes; b where either is NaN."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _tree(builder: Any, v: Any, join: Any, down_to: int = 1) -> Any:
    """Join the upper half of the lanes to the lower half, and so on, down to a vector of so many."""
    lanes = v.type.count
    while lanes > down_to:
        lanes //= 2
        v = join(builder, *pieces(builder, v, lanes))
    return v


def join_lanes(builder: Any, lanes: list[Any], join: Any) -> Any:
    """Return what `_tree` makes of a vector whose lanes these are; each may be a vector itself.

    Lanes at the end may be None: there is nothing to join then.
    """
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [a if b is None else join(builder, a, b) for a, b in zip(lanes[:half], lanes[half:], strict=True)]
    return lanes[0]


def _one(builder: Any, v: Any) -> Any:
    return builder.extract_element(v, I32(0))
