"""The bits of a float64 as an integer: tables, powers of two, and a number taken apart into exponent and fraction."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from refnet.engine.machine import machine
from refnet.engine.trace import F64, Number, like
from refnet.engine.vectors import joined, pieces

__all__ = ["ROUNDER", "Bits", "bits_of", "exponent_and_fraction", "from_bits", "looked_up", "permuted", "power_of_two"]

I64 = ir.IntType(64)

#: Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits.
ROUNDER = 6755399441055744.0

SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
ONE_BITS = 0x3FF0000000000000
MANTISSA = 0x000FFFFFFFFFFFFF
ALL_BUT_SIGN = 0x7FFFFFFFFFFFFFFF

#: 2^52 as bits, whose lowest bits take an integer; and 2^52 with the bias of a float64's exponent.
INTEGER_BITS, INTEGER_BIASED = 0x4330000000000000, 4503599627370496.0 + 1023.0


class Bits:
    """The 64 bits of a Number, to compute with as an integer."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def _emit(self, instruction: str, other: Bits | int) -> Bits:
        value = other.value if isinstance(other, Bits) else like(self.value.type, I64(other))
        return Bits(self.builder, getattr(self.builder, instruction)(self.value, value))

    def __add__(self, other: Bits | int) -> Bits:
        return self._emit("add", other)

    def __and__(self, other: Bits | int) -> Bits:
        return self._emit("and_", other)

    def __or__(self, other: Bits | int) -> Bits:
        return self._emit("or_", other)

    def __xor__(self, other: Bits | int) -> Bits:
        return self._emit("xor", other)

    def __lshift__(self, count: int) -> Bits:
        return self._emit("shl", count)

    def __rshift__(self, count: int) -> Bits:
        return self._emit("lshr", count)

    def filled_with_sign(self) -> Bits:
        """Return -1 where the sign bit is set, else 0."""
        return self._emit("ashr", 63)


def looked_up(table: tuple[int, ...], bits: Bits) -> Bits:
    """Return the entry of a table of 16 whose number is in the lowest four bits.

    With AVX-512 the table stays in two registers; elsewhere each lane reads it from memory.
    """
    builder, kind = bits.builder, bits.value.type
    lanes = kind.count if isinstance(kind, ir.VectorType) else 1
    if lanes >= 8 and machine().vector_bytes == 64:
        return Bits(builder, permuted(builder, table, bits.value))
    place = _table(builder.module, table)
    entries = (bits & (len(table) - 1)).value
    if lanes == 1:
        return Bits(builder, builder.load(builder.gep(place, [I64(0), entries])))
    found = ir.Constant(kind, ir.Undefined)
    for lane in range(lanes):
        entry = builder.load(builder.gep(place, [I64(0), builder.extract_element(entries, I64(lane))]))
        found = builder.insert_element(found, entry, I64(lane))
    return Bits(builder, found)


def permuted(builder: Any, table: tuple[int, ...], entries: Any) -> Any:
    """Return entries of a table of 16 integers of 64 bits, or 32 of 32 bits, by the lowest bits of a vector's lanes.

    An instruction of AVX-512 finds them in two registers.
    """
    number, half = entries.type.element, len(table) // 2
    kind = ir.VectorType(number, half)
    name = f"llvm.x86.avx512.vpermi2var.{'q' if half == 8 else 'd'}.512"
    function = builder.module.globals.get(name) or ir.Function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
    low, high = (ir.Constant(kind, [number(entry) for entry in part]) for part in (table[:half], table[half:]))
    return joined(builder, [builder.call(function, [low, part, high]) for part in pieces(builder, entries, half)])


def _table(module: Any, table: tuple[int, ...]) -> Any:
    """Return the table as a constant of the module."""
    kind = ir.ArrayType(I64, len(table))
    name = f"refnet.table.{hash(table):x}"
    place = module.globals.get(name)
    if place is None:
        place = ir.GlobalVariable(module, kind, name)
        place.initializer = ir.Constant(kind, [I64(entry) for entry in table])
        place.linkage, place.global_constant = "internal", True
    return place


def bits_of(x: Number) -> Bits:
    """Return the 64 bits of a number."""
    kind = x.value.type
    integers = ir.VectorType(I64, kind.count) if isinstance(kind, ir.VectorType) else I64
    return Bits(x.builder, x.builder.bitcast(x.value, integers))


def from_bits(bits: Bits) -> Number:
    """Return the float64 with these bits."""
    kind = bits.value.type
    numbers = ir.VectorType(F64, kind.count) if isinstance(kind, ir.VectorType) else F64
    return Number(bits.builder, bits.builder.bitcast(bits.value, numbers))


def power_of_two(n: Number) -> Number:
    """Return 2^n for an integer -1022 <= n <= 1023 held in a float64."""
    return from_bits((bits_of(n + ROUNDER) + 1023) << 52)


def exponent_and_fraction(u: Number) -> tuple[Number, Number, Number]:
    """Return k, m and 2 / 2^k: u = 2^k m, and m is from sqrt(1/2) to below sqrt(2); for a normal u above 0.

    The third is 0 if k is 1024.
    """
    shifted = bits_of(u) + (ONE_BITS - SQRT_HALF_BITS)
    k = from_bits((shifted >> 52) | INTEGER_BITS) - INTEGER_BIASED
    return k, from_bits((shifted & MANTISSA) + SQRT_HALF_BITS), from_bits((shifted | MANTISSA) ^ ALL_BUT_SIGN)
