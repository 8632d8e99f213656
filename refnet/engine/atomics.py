"""Words in memory that several threads read and write, as numba intrinsics.

Every one of them is sequentially consistent: all threads see what they do in the same order, and what a thread
wrote before one is there for whoever has read that word after it.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

I32, I64, POINTER = ir.IntType(32), ir.IntType(64), ir.IntType(64).as_pointer()
ORDER = "seq_cst"

#: LLVM's name of what tells a core that its thread is only waiting, and its arguments.
PAUSE = {
    "x86_64": ("llvm.x86.sse2.pause", ()),
    "AMD64": ("llvm.x86.sse2.pause", ()),
    "aarch64": ("llvm.aarch64.hint", (1,)),
    "arm64": ("llvm.aarch64.hint", (1,)),
}.get(platform.machine())


def _place(builder: Any, address: Any, index: Any) -> Any:
    return builder.gep(builder.inttoptr(address, POINTER), [index], source_etype=I64)


@intrinsic
def read(context: Any, address: Any, index: Any) -> Any:
    """Return the word at address + index."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(_place(builder, *args), ORDER, 8, typ=I64)

    return types.int64(types.int64, types.int64), emit


@intrinsic
def write(context: Any, address: Any, index: Any, value: Any) -> Any:
    """Set the word at address + index."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store_atomic(args[2], _place(builder, *args[:2]), ORDER, 8)
        return ctx.get_dummy_value()

    return types.void(*[types.int64] * 3), emit


@intrinsic
def add(context: Any, address: Any, index: Any, value: Any) -> Any:
    """Add to the word at address + index, and return what it was."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _place(builder, *args[:2]), args[2], ORDER)

    return types.int64(*[types.int64] * 3), emit


@intrinsic
def swap(context: Any, address: Any, index: Any, expected: Any, value: Any) -> Any:
    """Set the word at address + index if it is what is expected; return whether it was."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(builder, *args[:2])
        return builder.extract_value(builder.cmpxchg(place, args[2], args[3], ORDER, ORDER), 1)

    return types.boolean(*[types.int64] * 4), emit


@intrinsic
def pause(context: Any) -> Any:
    """Wait for some ten nanoseconds."""

    def emit(ctx: Any, builder: Any, kind: Any, args: Any) -> Any:
        if PAUSE is not None:
            name, values = PAUSE
            signature = ir.FunctionType(ir.VoidType(), [I32] * len(values))
            function = builder.module.globals.get(name) or ir.Function(builder.module, signature, name)
            builder.call(function, [I32(value) for value in values])
        return ctx.get_dummy_value()

    return types.void(), emit
