"""A formula in two parts -> a compiled loop that computes the second part for those numbers alone that need it.

A vector computes both sides of a `where` for all of its lanes. Here the numbers of a block that need the second part
are first moved together, so that whole vectors of them run through it, and then put back between the others. AVX-512
has an instruction for either way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refnet.engine.lanes import lanes_at_once, over_lanes, parameters_at, widened
from refnet.engine.trace import Condition, Number
from refnet.engine.vectors import LINE, NUMBERS, first_lanes, load, pieces, store, stream

__all__ = ["Parts", "over_two_parts"]

#: Numbers of a block: what is moved together stays in the first-level cache.
BLOCK = 1024

#: A processor takes a load for one of what was stored just before if their addresses agree in the last twelve bits, and
#: waits. So a block is moved to where these bits are so many bytes from x's: it fills half as fast as x is read, and
#: comes no nearer. On a Zen 5 16 numbers of elu took 12.4 to 18 cycles, by where the stack was; so 12.7 to 13.8.
PAGE, AHEAD = 4096, 3072

F32, SIZE = NUMBERS["float32"]
F64, I64 = ir.DoubleType(), ir.IntType(64)
LANES = LINE // SIZE
VECTOR = ir.VectorType(F32, LANES)


@dataclass(frozen=True)
class Parts:
    """A formula whose last word is `split`.

    Attributes
    ----------
    first : callable
        Takes a Number for x, then one for each parameter; returns whether the first part is right, and that part.
    second : callable
        Takes the same, and returns the second part.
    """

    first: Callable[..., tuple[Condition, Number]]
    second: Callable[..., Number]


def over_two_parts(parts: Parts, parameters: int, live: int, streaming: bool) -> Any:
    """Return the compiled ``run(count, values, x, y)`` for arrays of float32.

    ``parameters``, ``live`` and ``streaming`` are those of `refnet.engine.lanes.over_lanes`.
    """
    first, second, long = parts.first, parts.second, lanes_at_once(live)
    apart = over_lanes(lambda *numbers: (second(*numbers),), ("float32",), ("float32",), parameters, live)
    collect, collect_some = (_step(first, parameters, True, n, n < long, False) for n in (long, LANES))
    spread, spread_some = (_step(first, parameters, False, n, n < long, streaming) for n in (long, LANES))

    @numba.njit(error_model="numpy")
    def block(count: int, values: int, x: int, y: int, held: int) -> None:
        held += (x + AHEAD - held) % PAGE // LINE * LINE
        end, place = count - count % long, held
        for i in range(0, end, long):
            place += collect(i, long, values, x, y, place)
        for i in range(end, count, LANES):
            place += collect_some(i, count - i, values, x, y, place)
        apart((place - held) // SIZE, values, held, held)
        place = held
        for i in range(0, end, long):
            place += spread(i, long, values, x, y, place)
        for i in range(end, count, LANES):
            place += spread_some(i, count - i, values, x, y, place)

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
    """Return the address of memory on the stack for what is moved together, a vector more, and a page to choose in."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = cgutils.alloca_once(builder, VECTOR, I64(BLOCK // LANES + 1 + PAGE // LINE))
        return builder.ptrtoint(place, I64)

    return types.int64(), emit


def _step(first: Any, parameters: int, collecting: bool, lanes: int, masked: bool, streaming: bool) -> Any:
    """Return the intrinsic ``step(i, left, values, x, y, place)`` for the numbers from i on, at most ``left`` of them.

    It moves those that need the second part to ``place``, or else writes y, with these from ``place``. It returns how
    many bytes of them there are.
    """
    whole, wide = ir.VectorType(F32, lanes), ir.VectorType(F64, lanes)

    @intrinsic
    def step(context: Any, i: Any, left: Any, values: Any, x: Any, y: Any, place: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            i, left, values, x, y, place = args
            offset = builder.mul(i, I64(SIZE))
            real = first_lanes(builder, left, lanes) if masked else None
            given = load(builder, whole, builder.add(x, offset), real)
            condition, value = first(widened(builder, given, wide), *parameters_at(builder, values, parameters, lanes))
            needing = builder.not_(condition.value)
            if real is not None:
                needing = builder.and_(needing, real)
            numbers = given if collecting else builder.fptrunc(value.value, whole)
            start = place
            for part, moved in zip(pieces(builder, numbers, LANES), pieces(builder, needing, LANES), strict=True):
                if collecting:
                    store(builder, _move(builder, "compress", part, ir.Constant(VECTOR, None), moved), place)
                else:
                    result = _move(builder, "expand", load(builder, VECTOR, place), part, moved)
                    if streaming and not masked:
                        stream(builder, result, builder.add(y, offset))
                    else:
                        store(builder, result, builder.add(y, offset), real)
                    offset = builder.add(offset, I64(LINE))
                bits = builder.zext(builder.bitcast(moved, ir.IntType(LANES)), I64)
                place = builder.add(place, builder.mul(builder.ctpop(bits), I64(SIZE)))
            return builder.sub(place, start)

        return types.int64(*[types.int64] * 6), emit

    return step


def _move(builder: Any, name: str, numbers: Any, others: Any, mask: Any) -> Any:
    """Move the mask's lanes to the front ("compress"), or those at the front to the mask's lanes ("expand")."""
    kind = ir.FunctionType(VECTOR, [VECTOR, VECTOR, mask.type])
    move = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.avx512.mask.{name}.v{LANES}f32")
    return builder.call(move, [numbers, others, mask])
