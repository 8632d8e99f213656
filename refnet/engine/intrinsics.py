"""The few instructions that Python has no word for, as numba intrinsics.

Kernels see memory as addresses (int64) with a type, never as NumPy arrays: an address can be passed
from Python, stored in a Plan's table, and called.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

F64, I64 = ir.DoubleType(), ir.IntType(64)


@intrinsic
def select(context: Any, condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b; both are computed."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(*args)

    return types.float64(types.boolean, types.float64, types.float64), emit


def _pointer(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _accessors(number: Any, kind: Any) -> tuple[Any, Any]:
    """Return (load, store) of one number at address + index."""

    @intrinsic
    def load(context: Any, address: Any, index: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.load(builder.gep(_pointer(builder, args[0], kind), [args[1]], source_etype=kind))

        return number(types.int64, types.int64), emit

    @intrinsic
    def store(context: Any, address: Any, index: Any, value: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            builder.store(args[2], builder.gep(_pointer(builder, args[0], kind), [args[1]], source_etype=kind))
            return ctx.get_dummy_value()

        return types.void(types.int64, types.int64, number), emit

    return load, store


load_float32, store_float32 = _accessors(types.float32, ir.FloatType())
load_float64, store_float64 = _accessors(types.float64, F64)
load_int64, store_int64 = _accessors(types.int64, I64)

#: dtype name -> (numba type, load, store); a kernel for half precision reads and writes float64
ACCESS = {
    "float32": (types.float32, load_float32, store_float32),
    "float64": (types.float64, load_float64, store_float64),
    "half": (types.float64, load_float64, store_float64),
}


@intrinsic
def call_kernel(context: Any, kernel: Any, x: Any, y: Any, rows: Any, columns: Any, parameters: Any, work: Any) -> Any:
    """Call the activation kernel that stands at an address."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = ir.FunctionType(ir.VoidType(), [I64] * 6)
        builder.call(builder.inttoptr(args[0], function.as_pointer()), args[1:])
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 7), emit


@intrinsic
def data_of(context: Any, array: Any) -> Any:
    """The address of the data of the ndarray object at an address.

    NumPy's C API keeps it fixed: PyArrayObject_fields has the data pointer right after PyObject_HEAD (two words).
    """

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(builder.gep(_pointer(builder, args[0], I64), [I64(2)], source_etype=I64))

    return types.int64(types.int64), emit
