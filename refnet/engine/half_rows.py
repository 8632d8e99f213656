"""Rows whose halves are short: sixteen numbers of either half in a register, from where they lie among the others.

With halves of h numbers, entry j of all first halves, row after row, is number j + j // h * h of x. Sixteen of them
span more than a register, but for h up to 8 two registers hold them, and an instruction of AVX-512 picks its lanes from
two. Which lanes, and from where, is a table; it repeats after h registers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from refnet.engine.vectors import LINE, NUMBERS, address_as, joined, load

__all__ = ["SHORT", "in_two_registers", "load_half", "places"]

F32, SIZE = NUMBERS["float32"]
I8, I32, I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
LANES = LINE // SIZE
FLOATS, INTEGERS, BYTES = (ir.VectorType(kind, LANES) for kind in (F32, I32, I8))

#: Numbers of a half up to which two registers hold sixteen entries of one.
SHORT = 8

#: Bytes of a table's entry: which lanes, then the distances in bytes of the first register from the table's first
#: entry, and of the second from the first.
ENTRY = 32


def in_two_registers(half: int, column: int) -> tuple[list[int], int]:
    """Return for sixteen entries from a column on which lanes of two registers, and how far apart these are.

    Distances are in numbers; the first register begins with the first entry.

    Examples
    --------
    >>> in_two_registers(8, 6)
    ([0, 1, 10, 11, 12, 13, 14, 15, 16, 17, 26, 27, 28, 29, 30, 31], 16)
    """
    places = [lane + (column + lane) // half * half for lane in range(LANES)]
    apart = places[-1] - (LANES - 1)
    return [place if place < LANES else place - apart + LANES for place in places], apart


def places(rows: int) -> Any:
    """Return the intrinsic ``places(half)``: the address of the table for so many rows, a multiple of sixteen."""
    content = bytearray()
    for half in range(1, SHORT + 1):
        table = bytearray()
        for first in range(0, rows * half, LANES):
            row, column = divmod(first, half)
            lanes, apart = in_two_registers(half, column)
            distances = (SIZE * (2 * half * row + column), SIZE * apart)
            table += bytes(lanes) + b"".join(each.to_bytes(4, "little") for each in distances) + bytes(8)
        content += table.ljust(_length(rows), b"\0")

    @intrinsic
    def find(context: Any, half: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            name = f"refnet.halves.{rows}"
            table = builder.module.globals.get(name)
            if table is None:
                kind = ir.ArrayType(I8, len(content))
                table = ir.GlobalVariable(builder.module, kind, name)
                table.initializer = ir.Constant(kind, content)
                table.linkage, table.global_constant = "internal", True
            past = builder.mul(builder.sub(args[0], I64(1)), I64(_length(rows)))
            return builder.add(builder.ptrtoint(table, I64), past)

        return types.int64(types.int64), emit

    return find


def _length(rows: int) -> int:
    return rows * SHORT // LANES * ENTRY


def load_half(builder: Any, x: Any, table: Any, i: Any, lanes: int) -> Any:
    """Load so many entries of one half from entry i on; x is where that half of the table's first row begins."""
    kind = ir.FunctionType(FLOATS, [FLOATS, INTEGERS, FLOATS])
    name = "llvm.x86.avx512.vpermi2var.ps.512"
    pick = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    found = []
    for first in range(0, lanes, LANES):
        entry = builder.add(table, builder.mul(builder.add(i, I64(first)), I64(ENTRY // LANES)))
        chosen = builder.zext(load(builder, BYTES, entry), INTEGERS)
        start, apart = (_distance(builder, entry, place) for place in (LANES, LANES + 4))
        one = builder.add(x, start)
        two = builder.add(one, apart)
        found.append(builder.call(pick, [load(builder, FLOATS, one), chosen, load(builder, FLOATS, two)]))
    return joined(builder, found)


def _distance(builder: Any, entry: Any, place: int) -> Any:
    return builder.zext(builder.load(address_as(builder, builder.add(entry, I64(place)), I32)), I64)
