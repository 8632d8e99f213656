"""A function of Numbers -> a compiled loop over arrays, many lanes at a time.

The function runs on several vectors at once: its operations are a chain, each waiting for the one before, and a
processor looks only some hundred instructions ahead. One vector at a time is half as fast. What is left at the end
runs on fewer (`SHORT`), of which a mask says which are real.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refnet.engine.machine import machine
from refnet.engine.trace import Number
from refnet.engine.vectors import NUMBERS, address_as, first_lanes, load, splat, store

__all__ = ["over_lanes"]

#: Vectors of float64 that a function runs on for what is left at the end.
SHORT = 2

F64, I64 = ir.DoubleType(), ir.IntType(64)

#: Numbers in, numbers out.
Function = Callable[..., tuple[Number, ...]]


def over_lanes(
    function: Function, inputs: tuple[str, ...], outputs: tuple[str, ...], parameters: int = 0, live: int = 4
) -> Any:
    """Return the compiled ``run(count, values, *addresses)``.

    Parameters
    ----------
    function : callable
        Takes a Number for each input, then one for each parameter; returns a tuple, one Number for each output.
    inputs, outputs : tuple of {"float32", "float64"}
        What stands at the addresses, inputs first: ``count`` numbers each. They are widened to float64 and rounded
        from it. An output may be the same place as an input.
    parameters : int
        How many float64 stand at the address ``values``.
    live : int
        Into how many parts the vector registers are divided: the function runs on as many vectors at once as one part
        holds. 4 is right for a formula in Numbers, 8 for one in pairs.
    """
    long, short = machine().registers // live * machine().lanes(8), SHORT * machine().lanes(8)
    whole, part = (_step(function, inputs, outputs, parameters, *how) for how in ((long, False), (short, True)))

    @numba.njit(error_model="numpy")
    def run(count: int, values: int, *addresses: int) -> None:
        end = count - count % long
        for i in range(0, end, long):
            whole(i, long, values, *addresses)
        for i in range(end, count, short):
            part(i, count - i, values, *addresses)

    return run


def _step(
    function: Function, inputs: tuple[str, ...], outputs: tuple[str, ...], parameters: int, lanes: int, masked: bool
) -> Any:
    """Return the intrinsic ``step(i, left, values, *addresses)``: the numbers from i on, at most ``left`` of them."""
    wide = ir.VectorType(F64, lanes)

    @intrinsic
    def step(context: Any, i: Any, left: Any, values: Any, *addresses: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            i, left, values, packed = args
            mask = first_lanes(builder, left, lanes) if masked else None
            places = []
            for dtype, address in zip((*inputs, *outputs), cgutils.unpack_tuple(builder, packed), strict=True):
                number, size = NUMBERS[dtype]
                places.append((ir.VectorType(number, lanes), builder.add(address, builder.mul(i, I64(size)))))
            given = [load(builder, *place, mask) for place in places[: len(inputs)]]
            given = [value if value.type == wide else builder.fpext(value, wide) for value in given]
            given += [splat(builder, _value(builder, values, k), lanes) for k in range(parameters)]
            results = function(*(Number(builder, value) for value in given))
            for (kind, place), result in zip(places[len(inputs) :], results, strict=True):
                rounded = result.value if kind == wide else builder.fptrunc(result.value, kind)
                store(builder, rounded, place, mask)
            return ctx.get_dummy_value()

        star = types.StarArgTuple.from_types(addresses)
        return types.void(types.int64, types.int64, types.int64, star), emit

    return step


def _value(builder: Any, values: Any, k: int) -> Any:
    return builder.load(address_as(builder, builder.add(values, I64(8 * k)), F64))
