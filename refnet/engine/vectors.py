"""LLVM's vector instructions, in the few forms that the matrix kernel and the row kernels use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

I32, I64 = ir.IntType(32), ir.IntType(64)

#: Bytes of a cache line, and of the longest vector.
LINE = 64

#: dtype name -> (LLVM's type, bytes)
NUMBERS = {"float32": (ir.FloatType(), 4), "float64": (ir.DoubleType(), 8)}


def size_of(number: Any) -> int:
    """Return the bytes of an LLVM float or double."""
    return 4 if number == ir.FloatType() else 8


def bytes_of(value: Any) -> int:
    """Return the bytes of a vector of numbers or integers; a mask has none, nor has anything else."""
    kind = value.type
    if not isinstance(kind, ir.VectorType):
        return 0
    number = kind.element
    return int(kind.count) * (number.width // 8 if isinstance(number, ir.IntType) else size_of(number))


def constant(vector: Any, value: float) -> Any:
    """Return a vector of one value."""
    return ir.Constant(vector, [ir.Constant(vector.element, value)] * vector.count)


def address_as(builder: Any, address: Any, kind: Any) -> Any:
    """Return an int64 address as a pointer."""
    return builder.inttoptr(address, kind.as_pointer())


def splat(builder: Any, value: Any, lanes: int) -> Any:
    """Return a vector with ``value`` in every lane."""
    undefined = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(undefined, value, I32(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(I32, lanes), None))


def pieces(builder: Any, value: Any, lanes: int) -> list[Any]:
    """Return a vector cut into vectors of so many lanes."""
    if value.type.count == lanes:
        return [value]
    kind = ir.VectorType(I32, lanes)
    parts = ([*range(first, first + lanes)] for first in range(0, value.type.count, lanes))
    return [builder.shuffle_vector(value, value, ir.Constant(kind, part)) for part in parts]


def joined(builder: Any, parts: list[Any]) -> Any:
    """Return vectors of equal length, a power of two of them, as one vector."""
    while len(parts) > 1:
        every = ir.Constant(ir.VectorType(I32, 2 * parts[0].type.count), [*range(2 * parts[0].type.count)])
        parts = [builder.shuffle_vector(*pair, every) for pair in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the columns of squares that lie side by side in vectors, by exchanging halves of halves."""
    side, lanes = len(rows), range(rows[0].type.count)
    kind, step = ir.VectorType(I32, len(lanes)), side // 2
    while step:
        low = [j if not j & step else len(lanes) + j - step for j in lanes]
        high = [j + step if not j & step else len(lanes) + j for j in lanes]
        exchanged = list(rows)
        for r in (r for r in range(side) if not r & step):
            pair = rows[r], rows[r + step]
            exchanged[r] = builder.shuffle_vector(*pair, ir.Constant(kind, low))
            exchanged[r + step] = builder.shuffle_vector(*pair, ir.Constant(kind, high))
        rows, step = exchanged, step // 2
    return rows


def first_lanes(builder: Any, count: Any, lanes: int) -> Any:
    """Return the mask of the lanes below ``count``."""
    steps = ir.Constant(ir.VectorType(I64, lanes), list(range(lanes)))
    return builder.icmp_signed("<", steps, splat(builder, count, lanes))


def fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once."""
    return builder.call(_intrinsic(builder, "fma", a.type, ir.FunctionType(a.type, [a.type] * 3)), [a, b, c])


def masked_load(builder: Any, vector: Any, address: Any, mask: Any, missing: Any) -> Any:
    """Load the lanes of the mask; the others are ``missing`` and their memory is not touched."""
    pointer = address_as(builder, address, vector)
    signature = ir.FunctionType(vector, [pointer.type, I32, mask.type, vector])
    function = _intrinsic(builder, "masked.load", vector, signature)
    return builder.call(function, [pointer, I32(size_of(vector.element)), mask, missing])


def masked_store(builder: Any, value: Any, address: Any, mask: Any) -> None:
    """Store the lanes of the mask; the memory of the others is not touched."""
    pointer = address_as(builder, address, value.type)
    signature = ir.FunctionType(ir.VoidType(), [value.type, pointer.type, I32, mask.type])
    function = _intrinsic(builder, "masked.store", value.type, signature)
    builder.call(function, [value, pointer, I32(size_of(value.type.element)), mask])


def load(builder: Any, vector: Any, address: Any, mask: Any = None) -> Any:
    """Load a vector, or its lanes of the mask; the others are 0."""
    if mask is not None:
        return masked_load(builder, vector, address, mask, ir.Constant(vector, None))
    loaded = builder.load(address_as(builder, address, vector))
    loaded.align = size_of(vector.element)
    return loaded


def store(builder: Any, value: Any, address: Any, mask: Any = None) -> None:
    """Store a vector, or its lanes of the mask."""
    if mask is not None:
        masked_store(builder, value, address, mask)
    else:
        builder.store(value, address_as(builder, address, value.type)).align = size_of(value.type.element)


def stream(builder: Any, value: Any, address: Any) -> None:
    """Store a vector past the caches; the address must be a multiple of `LINE`. A `fence` must follow at the end."""
    stored = builder.store(value, address_as(builder, address, value.type))
    stored.align = LINE
    stored.set_metadata("nontemporal", builder.module.add_metadata([I32(1)]))


@intrinsic
def fence(context: Any) -> Any:
    """Let no later store be seen before the streamed ones, which alone are not kept in order (on x86 a locked or)."""

    def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return ctx.get_dummy_value()

    return types.void(), emit


def prefetch(builder: Any, address: Any, write: bool = False, level: int = 1) -> None:
    """Ask for the cache line at an address, into a level of the caches; the address need not exist."""
    pointer = address_as(builder, address, I64)
    name = "llvm.prefetch.p0"
    signature = ir.FunctionType(ir.VoidType(), [pointer.type, I32, I32, I32])
    function = builder.module.globals.get(name) or ir.Function(builder.module, signature, name)
    builder.call(function, [pointer, I32(int(write)), I32(4 - level), I32(1)])  # LLVM's 3 is the first level; data


def unless_0(builder: Any, condition: Any, values: list[Any], other: Callable[[], list[Any]]) -> list[Any]:
    """Emit: the values that ``other`` computes if the condition is not 0, else these."""
    before = builder.block
    branch, after = builder.append_basic_block("other"), builder.append_basic_block("other.end")
    builder.cbranch(builder.icmp_signed("!=", condition, I64(0)), branch, after)
    builder.position_at_end(branch)
    others = other()
    builder.branch(after)
    builder.position_at_end(after)
    return _either(builder, (values, before), (others, branch))


def loop(
    builder: Any, first: Any, end: Any, step: int, values: list[Any], body: Callable[[Any, list[Any]], list[Any]]
) -> list[Any]:
    """Emit: for i from first to before end in steps: values = body(i, values). Return the last values."""
    before = builder.block
    again, after = builder.append_basic_block("loop"), builder.append_basic_block("loop.end")
    builder.cbranch(builder.icmp_signed("<", first, end), again, after)
    builder.position_at_end(again)
    i, *state = [builder.phi(kind) for kind in (I64, *(value.type for value in values))]
    changed = body(i, state)
    following = builder.add(i, I64(step))
    builder.cbranch(builder.icmp_signed("<", following, end), again, after)
    last = builder.block
    for phi, value, next_value in zip([i, *state], [first, *values], [following, *changed], strict=True):
        phi.add_incoming(value, before)
        phi.add_incoming(next_value, last)
    builder.position_at_end(after)
    return _either(builder, (values, before), (changed, last))


def each(builder: Any, first: Any, end: Any, step: int, body: Callable[[Any], None]) -> None:
    """Emit: for i from first to before end in steps: body(i)."""

    def once(i: Any, _: list[Any]) -> list[Any]:
        body(i)
        return []

    loop(builder, first, end, step, [], once)


def by_count(builder: Any, count: Any, most: int, body: Callable[[int], Any]) -> Any:
    """Emit: the value of body(count). There is code for each count from 1 to ``most``; it must be one of these."""
    blocks = [builder.append_basic_block("count") for _ in range(most)]
    choice, after = builder.switch(count, blocks[-1]), builder.append_basic_block("count.end")
    values = []
    for known, block in enumerate(blocks, start=1):
        choice.add_case(I64(known), block)
        builder.position_at_end(block)
        values.append(body(known))
        builder.branch(after)
    builder.position_at_end(after)
    result = builder.phi(values[0].type)
    for value, block in zip(values, blocks, strict=True):
        result.add_incoming(value, block)
    return result


def _either(builder: Any, one: tuple[list[Any], Any], other: tuple[list[Any], Any]) -> list[Any]:
    """Return the values of the block that control comes from."""
    results = []
    for value, other_value in zip(one[0], other[0], strict=True):
        results.append(builder.phi(value.type))
        results[-1].add_incoming(value, one[1])
        results[-1].add_incoming(other_value, other[1])
    return results


def _intrinsic(builder: Any, name: str, vector: Any, signature: Any) -> Any:
    kind = f"v{vector.count}f{8 * size_of(vector.element)}"
    full = f"llvm.{name}.{kind}" + (".p0" if name.startswith("masked") else "")
    return builder.module.globals.get(full) or ir.Function(builder.module, signature, full)
