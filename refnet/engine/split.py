"""A formula in two parts -> a compiled loop that computes the second part for those numbers alone that need it.

A vector computes both sides of a `where` for all of its lanes. Here the numbers of a block that need the second part are
first moved together, so that whole vectors of them run through it, and then put back between the others. AVX-512 has
an instruction for either way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refnet.engine.lanes import over_lanes, parameters_at, widened
from refnet.engine.trace import Condition, Number
from refnet.engine.vectors import LINE, NUMBERS, first_lanes, load, store, stream

__all__ = ["over_two_parts"]

#: Numbers of a block: what is moved together stays in the first-level cache.
BLOCK = 2048

F32, SIZE = NUMBERS["float32"]
I1, I64 = ir.IntType(1), ir.IntType(64)
LANES = LINE // SIZE
VECTOR, WIDE = ir.VectorType(F32, LANES), ir.VectorType(ir.DoubleType(), LANES)

#: A number and the parameters -> whether the first part is right for it, and that part.
First = Callable[..., tuple[Condition, Number]]


def over_two_parts(first: First, second: Callable[..., Number], parameters: int, live: int, streaming: bool) -> Any:
    """Return the compiled ``run(count, values, x, y)`` for arrays of float32.

    Parameters
    ----------
    first, second : callable
        Take a Number for x, then one for each parameter.
    parameters, live, streaming
        As in `refnet.engine.lanes.over_lanes`.
    """
    apart = over_lanes(lambda *numbers: (second(*numbers),), ("float32",), ("float32",), parameters, live)
    collect, collect_part = (_step(first, parameters, True, masked, False) for masked in (False, True))
    spread, spread_part = (_step(first, parameters, False, masked, streaming) for masked in (False, True))

    @numba.njit(error_model="numpy")
    def block(count: int, values: int, x: int, y: int, held: int) -> None:
        end, place = count - count % LANES, held
        for i in range(0, end, LANES):
            place += collect(i, LANES, values, x, y, place)
        if end < count:
            place += collect_part(end, count - end, values, x, y, place)
        apart((place - held) // SIZE, values, held, held)
        place = held
        for i in range(0, end, LANES):
            place += spread(i, LANES, values, x, y, place)
        if end < count:
            spread_part(end, count - end, values, x, y, place)

    @numba.njit(error_model="numpy")
    def run(count: int, values: int, x: int, y: int) -> None:
        held = _memory()
        start = min(count, (-y % LINE) // SIZE) if streaming else 0
        if start > 0:
            block(start, values, x, y, held)
        for i in range(start, count, BLOCK):
            block(min(BLOCK, count - i), values, x + i * SIZE, y + i * SIZE, held)

    return run


@intrinsic
def _memory(context: Any) -> Any:
    """Return the address of memory on the stack for what is moved together, and one vector more."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = cgutils.alloca_once(builder, VECTOR, I64(BLOCK // LANES + 1))
        return builder.ptrtoint(place, I64)

    return types.int64(), emit


def _step(first: First, parameters: int, collecting: bool, masked: bool, streaming: bool) -> Any:
    """Return the intrinsic ``step(i, left, values, x, y, place)`` for the numbers from i on, at most ``left`` of them.

    It moves those that need the second part to ``place``, or else writes y, with these from ``place``. It returns how
    many bytes of them there are.
    """
    name = "compress" if collecting else "expand"

    @intrinsic
    def step(context: Any, i: Any, left: Any, values: Any, x: Any, y: Any, place: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            i, left, values, x, y, place = args
            offset = builder.mul(i, I64(SIZE))
            real = first_lanes(builder, left, LANES) if masked else None
            given = load(builder, VECTOR, builder.add(x, offset), real)
            condition, value = first(widened(builder, given, WIDE), *parameters_at(builder, values, parameters, LANES))
            moved = builder.not_(condition.value)
            if real is not None:
                moved = builder.and_(moved, real)
            kind = ir.FunctionType(VECTOR, [VECTOR, VECTOR, moved.type])
            move = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.avx512.mask.{name}.v{LANES}f32")
            if collecting:
                store(builder, builder.call(move, [given, ir.Constant(VECTOR, None), moved]), place)
            else:
                others = builder.fptrunc(value.value, VECTOR)
                result = builder.call(move, [load(builder, VECTOR, place), others, moved])
                if streaming and not masked:
                    stream(builder, result, builder.add(y, offset))
                else:
                    store(builder, result, builder.add(y, offset), real)
            bits = builder.zext(builder.bitcast(moved, ir.IntType(LANES)), I64)
            return builder.mul(builder.ctpop(bits), I64(SIZE))

        return types.int64(*[types.int64] * 6), emit

    return step
