"""The matrix kernel: a block of z = x W + b held in vector registers, emitted as LLVM vector code.

The sum over k is part of refnet's contract: k ascends, one fused multiply-add each, in blocks of `BLOCK_K`
whose partial sums are added in order, then the bias is added. Every element of z is computed by this same
sequence, whatever the block around it, the vector width or the number of threads; so its bits are the same.
"""

from __future__ import annotations

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from refnet.engine.column import column_of
from refnet.engine.machine import machine
from refnet.engine.vectors import (
    NUMBERS,
    address_as,
    first_lanes,
    fma,
    masked_load,
    masked_store,
    prefetch,
    size_of,
    splat,
    unless_0,
)

#: Length of one partial sum. Over K = 64 to 4,096 and 1, 8 and 64 rows the mean error is 0.99 of that of NumPy's matmul
#: (1.08 with 128, 1.3 with 256, 0.88 with 64); 96 costs 1 % of speed against 256.
BLOCK_K = 96

#: Up to so many rows read weights as fast as they come; the processor then fetches the next ones by itself, and asking
#: for them only gets in its way (1 row of 1024*4 takes 1.1 to 1.3 times as long, 3 rows 1.3 to 1.4). With more, a block
#: of fewer than 8 asks so many bytes ahead; as panels and blocks of k lie one after another, also at their ends.
READING, AHEAD, LINE = 5, 2048, 64

#: From two blocks of rows on, each of the first so many asks for its share of the next block of k, a line per k: where
#: the weights come from memory, 64 rows of 1024*4 take 0.92 to 0.8 of the time.
ASKING = 4

I64 = ir.IntType(64)


def _block_of(dtype: str) -> Any:
    """Return the intrinsic that computes one block of z over one block of k.

    Its arguments: how many rows and vectors the block has; the addresses of x, of the weight panel and of z; the
    strides of x and z rows in numbers; how many k; how many columns of the last vector are real; the address of the
    bias or 0; whether to add to z; and an address to fetch a cache line from for every k, ahead of its use.
    """
    most_rows, most_vectors = machine().tile(NUMBERS[dtype][1])

    @intrinsic
    def block(
        context: Any,
        rows: Any,
        vectors: Any,
        x: Any,
        w: Any,
        z: Any,
        x_stride: Any,
        z_stride: Any,
        k: Any,
        columns: Any,
        bias: Any,
        add: Any,
        ahead: Any,
    ) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            after = builder.append_basic_block("block.end")
            unreachable = builder.append_basic_block("block.none")
            which = builder.add(builder.mul(args[0], I64(most_vectors)), args[1])
            choice = builder.switch(which, unreachable)
            for rows in range(1, most_rows + 1):
                for vectors in range(1, most_vectors + 1):
                    case = builder.append_basic_block(f"block.{rows}x{vectors}")
                    choice.add_case(I64(rows * most_vectors + vectors), case)
                    builder.position_at_end(case)
                    builder.call(_micro_kernel(builder.module, dtype, rows, vectors), args[2:])
                    builder.branch(after)
            builder.position_at_end(unreachable)
            builder.unreachable()
            builder.position_at_end(after)
            return ctx.get_dummy_value()

        return types.void(*[types.int64] * 12), emit

    return block


def _micro_kernel(module: Any, dtype: str, rows: int, vectors: int) -> Any:
    """Return the function for a block of ``rows`` x ``vectors`` vectors (arguments: see `_block_of`, from x on)."""
    name = f"refnet.block.{dtype}.{rows}x{vectors}"
    if name in module.globals:
        return module.globals[name]
    number, size = NUMBERS[dtype]
    vector = ir.VectorType(number, machine().lanes(size))
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 10), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    x, w, z, x_stride, z_stride, k, columns, bias, add, ahead = function.args
    sums = _sum_over_k(builder, (x, w, x_stride, k, ahead), rows, vectors, vector)
    mask = first_lanes(builder, columns, vector.count)
    _store(builder, sums, (z, z_stride, bias, add), mask, rows, vectors, vector)
    builder.ret_void()
    return function


def _sum_over_k(builder: Any, operands: Any, rows: int, vectors: int, vector: Any) -> list[list[Any]]:
    """Emit the loop: per k, load the panel's vectors, broadcast each row's x, one fma each."""
    x, w, x_stride, k, ahead = operands
    number, lanes = vector.element, vector.count
    size = size_of(number)
    width = vectors * lanes * size
    before = builder.block
    loop, after = builder.append_basic_block("k"), builder.append_basic_block("k.end")
    row_addresses = [builder.add(x, builder.mul(x_stride, I64(r * size))) for r in range(rows)]
    zero = ir.Constant(vector, None)
    builder.cbranch(builder.icmp_signed(">", k, I64(0)), loop, after)

    builder.position_at_end(loop)
    i = builder.phi(I64)
    sums = [[builder.phi(vector) for _ in range(vectors)] for _ in range(rows)]
    panel = builder.add(w, builder.mul(i, I64(width)))
    if rows >= 8:
        prefetch(builder, builder.add(ahead, builder.mul(i, I64(LINE))), level=2)
    elif rows > READING:
        for line in range(0, width, LINE):
            prefetch(builder, builder.add(panel, I64(AHEAD + line)))
    weight = []
    for v in range(vectors):
        weight.append(builder.load(address_as(builder, builder.add(panel, I64(v * lanes * size)), vector)))
        weight[-1].align = size
    offset = builder.mul(i, I64(size))
    updated = []
    for r in range(rows):
        value = builder.load(address_as(builder, builder.add(row_addresses[r], offset), number))
        broadcast = splat(builder, value, lanes)
        updated.append([fma(builder, broadcast, weight[v], sums[r][v]) for v in range(vectors)])
    following = builder.add(i, I64(1))
    i.add_incoming(I64(0), before)
    i.add_incoming(following, loop)
    for r in range(rows):
        for v in range(vectors):
            sums[r][v].add_incoming(zero, before)
            sums[r][v].add_incoming(updated[r][v], loop)
    builder.cbranch(builder.icmp_signed("<", following, k), loop, after)

    builder.position_at_end(after)
    results = [[builder.phi(vector) for _ in range(vectors)] for _ in range(rows)]
    for r in range(rows):
        for v in range(vectors):
            results[r][v].add_incoming(zero, before)
            results[r][v].add_incoming(updated[r][v], loop)
    return results


def _store(builder: Any, sums: Any, target: Any, mask: Any, rows: int, vectors: int, vector: Any) -> None:
    """Emit z = (z if add else 0) + sums, plus the bias if there is one; only the real columns of the last vector."""
    z, z_stride, bias, add = target
    size = size_of(vector.element)
    masks = [ir.Constant(mask.type, [1] * vector.count)] * (vectors - 1) + [mask]
    offsets = [I64(v * vector.count * size) for v in range(vectors)]
    z_rows = [builder.add(z, builder.mul(z_stride, I64(r * size))) for r in range(rows)]

    def load(address: Any, v: int) -> Any:
        return masked_load(builder, vector, builder.add(address, offsets[v]), masks[v], ir.Constant(vector, None))

    def add_to_sums() -> Any:
        return [[builder.fadd(load(z_rows[r], v), sums[r][v]) for v in range(vectors)] for r in range(rows)]

    def add_bias() -> Any:
        biases = [load(bias, v) for v in range(vectors)]
        return [[builder.fadd(sums[r][v], biases[v]) for v in range(vectors)] for r in range(rows)]

    sums = unless_0(builder, add, sums, add_to_sums)
    sums = unless_0(builder, bias, sums, add_bias)
    for r in range(rows):
        for v in range(vectors):
            masked_store(builder, sums[r][v], builder.add(z_rows[r], offsets[v]), masks[v])


def matmul(dtype: str) -> Any:
    """Return the function that computes rows of z = x W + b from a packed weight (see `refnet.engine.pack`).

    It computes the columns from ``begin`` to before ``end``; a panel starts at ``begin``.
    """
    size = NUMBERS[dtype][1]
    lanes = machine().lanes(size)
    most_rows, most_vectors = machine().tile(size)
    block, column = _block_of(dtype), column_of(dtype)

    @numba.njit(error_model="numpy")
    def run(x: int, w: int, z: int, rows: int, inner: int, columns: int, bias: int, begin: int, end: int) -> None:
        panel = w + begin * inner * size
        for first in range(begin, end, most_vectors * lanes):
            left = columns - first
            vectors = min(most_vectors, (left + lanes - 1) // lanes)
            real = min(lanes, left - (vectors - 1) * lanes)
            start = 0
            while True:  # once for no k at all: z is the bias
                k = min(BLOCK_K, inner - start)
                end_bias = bias + first * size if bias and start + k == inner else 0
                add = 1 if start else 0
                here = panel + start * vectors * lanes * size
                following = here + k * vectors * lanes * size
                alone = rows - rows % lanes if columns == 1 else 0
                for r in range(0, alone, lanes):
                    column(x + (r * inner + start) * size, here, z + r * size, inner, k, end_bias, add)
                for r in range(alone, rows, most_rows):
                    a, b = x + (r * inner + start) * size, z + (r * columns + first) * size
                    asking = rows > most_rows and r < ASKING * most_rows
                    ahead = following + r // most_rows * k * LINE if asking else here
                    block(min(most_rows, rows - r), vectors, a, here, b, inner, columns, k, real, end_bias, add, ahead)
                start += k
                if start >= inner:
                    break
            panel += inner * vectors * lanes * size

    return run
