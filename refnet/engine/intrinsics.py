"""The few instructions that Python has no word for, as numba intrinsics.

Kernels see memory as addresses (int64) with a type, never as NumPy arrays: an address can be passed
from Python, stored in a Plan's table, and called.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from refnet.engine.capi import DATA
from refnet.engine.vectors import address_as

F64, I64 = ir.DoubleType(), ir.IntType(64)


@intrinsic
def select(context: Any, condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b; both are computed."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(*args)

    return types.float64(types.boolean, types.float64, types.float64), emit


def _accessors(number: Any, kind: Any) -> tuple[Any, Any]:
    """Return (load, store) of one number at address + index."""

    @intrinsic
    def load(context: Any, address: Any, index: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.load(builder.gep(address_as(builder, args[0], kind), [args[1]], source_etype=kind))

        return number(types.int64, types.int64), emit

    @intrinsic
    def store(context: Any, address: Any, index: Any, value: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.store(args[2], builder.gep(address_as(builder, args[0], kind), [args[1]], source_etype=kind))
            return ctx.get_dummy_value()

        return types.void(types.int64, types.int64, number), emit

    return load, store


load_float32, store_float32 = _accessors(types.float32, ir.FloatType())
load_float64, store_float64 = _accessors(types.float64, F64)
load_int64, store_int64 = _accessors(types.int64, I64)

#: dtype name -> (numba type, load, store)
ACCESS = {
    "float32": (types.float32, load_float32, store_float32),
    "float64": (types.float64, load_float64, store_float64),
}


@intrinsic
def call_kernel(context: Any, code: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
    """Call the compiled function of six int64 that stands at an address: a kernel or a walk."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = ir.FunctionType(ir.VoidType(), [I64] * 6)
        builder.call(address_as(builder, args[0], function), args[1:])
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 7), emit


@intrinsic
def data_of(context: Any, array: Any) -> Any:
    """The address of the data of the ndarray object at an address (see `refnet.engine.capi`)."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(builder.gep(address_as(builder, args[0], I64), [I64(DATA)], source_etype=I64))

    return types.int64(types.int64), emit
