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
)

#: Length of one partial sum. Short sums keep the error small; 256 costs no speed.
BLOCK_K = 256

#: Fewer than 8 rows need the weights faster than the processor fetches them by itself from the third-level cache: ask
#: for them so many bytes ahead. Panels and blocks of k lie one after another, so this is also right at their ends.
AHEAD, LINE = 2048, 64

I64, I1 = ir.IntType(64), ir.IntType(1)


def _micro_kernel(dtype: str, rows: int, vectors: int) -> Any:
    """Return the intrinsic for a block of ``rows`` x ``vectors`` vectors over one block of k.

    Its arguments: addresses of x, of the weight panel and of z; strides of x and z rows in numbers; how many k;
    how many columns of the last vector are real; the address of the bias or 0; and whether to add to z.
    """
    number, size = NUMBERS[dtype]
    lanes = machine().lanes(size)
    vector = ir.VectorType(number, lanes)

    @intrinsic
    def micro(
        context: Any, x: Any, w: Any, z: Any, x_stride: Any, z_stride: Any, k: Any, columns: Any, bias: Any, add: Any
    ) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, w, z, x_stride, z_stride, k, columns, bias, add = args
            sums = _sum_over_k(builder, (x, w, x_stride, k), rows, vectors, vector)
            mask = first_lanes(builder, columns, lanes)
            _store(builder, sums, (z, z_stride, bias, add), mask, rows, vectors, vector)
            return ctx.get_dummy_value()

        return types.void(*[types.int64] * 9), emit

    return micro


def _sum_over_k(builder: Any, operands: Any, rows: int, vectors: int, vector: Any) -> list[list[Any]]:
    """Emit the loop: per k, load the panel's vectors, broadcast each row's x, one fma each."""
    x, w, x_stride, k = operands
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
    if rows < 8:
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
    none, every = ir.Constant(mask.type, None), ir.Constant(mask.type, [1] * vector.count)
    none_yet = ir.Constant(vector, None)
    masks = [mask if v == vectors - 1 else every for v in range(vectors)]
    offsets = [I64(v * vector.count * size) for v in range(vectors)]
    adding, biased = builder.trunc(add, I1), builder.icmp_signed("!=", bias, I64(0))
    # Without a bias the load's mask is empty, but its address must be a real one: a load from page 0 that no lane
    # needs is not a fault, yet the processor takes a thousand cycles to find that out.
    real = builder.select(biased, bias, z)
    biases = [
        masked_load(builder, vector, builder.add(real, offsets[v]), builder.select(biased, masks[v], none), none_yet)
        for v in range(vectors)
    ]
    for r in range(rows):
        row = builder.add(z, builder.mul(z_stride, I64(r * size)))
        for v in range(vectors):
            place = builder.add(row, offsets[v])
            before = masked_load(builder, vector, place, builder.select(adding, masks[v], none), none_yet)
            total = builder.select(adding, builder.fadd(before, sums[r][v]), sums[r][v])
            total = builder.select(biased, builder.fadd(total, biases[v]), total)
            masked_store(builder, total, place, masks[v])


def matmul(dtype: str) -> Any:
    """Return the function that computes rows of z = x W + b from a packed weight (see `refnet.engine.pack`)."""
    size = NUMBERS[dtype][1]
    lanes = machine().lanes(size)
    most_rows, most_vectors = machine().tile(size)
    blocks = {
        (rows, vectors): _block(dtype, rows, vectors)
        for rows in (8, 4, 2, 1)
        if rows <= most_rows
        for vectors in range(1, most_vectors + 1)
    }
    groups = [_rows_of(size, *(blocks.get((rows, vectors)) for rows in (8, 4, 2, 1))) for vectors in (1, 2, 3)]
    one, two, three = groups

    @numba.njit(error_model="numpy")
    def run(x: int, w: int, z: int, rows: int, inner: int, columns: int, bias: int) -> None:
        panel = w
        for first in range(0, columns, most_vectors * lanes):
            left = columns - first
            vectors = min(most_vectors, (left + lanes - 1) // lanes)
            real = min(lanes, left - (vectors - 1) * lanes)
            here = bias + first * size if bias else 0
            start = 0
            while True:
                k = min(BLOCK_K, inner - start)
                end_bias = here if start + k == inner else 0
                arguments = (
                    x + start * size,
                    panel + start * vectors * lanes * size,
                    z + first * size,
                    rows,
                    inner,
                    columns,
                    k,
                    real,
                    end_bias,
                    1 if start else 0,
                )
                if vectors == 3:
                    three(*arguments)
                elif vectors == 2:
                    two(*arguments)
                else:
                    one(*arguments)
                start += k
                if start >= inner:
                    break
            panel += inner * vectors * lanes * size

    return run


def _block(dtype: str, rows: int, vectors: int) -> Any:
    micro = _micro_kernel(dtype, rows, vectors)

    @numba.njit(error_model="numpy", inline="never")
    def block(x: int, w: int, z: int, xs: int, zs: int, k: int, real: int, bias: int, add: int) -> None:
        micro(x, w, z, xs, zs, k, real, bias, add)

    return block


def _rows_of(size: int, eight: Any, four: Any, two: Any, one: Any) -> Any:
    """Return the loop over rows: as many as fit at a time, then half as many, down to one."""
    most = 8 if eight is not None else 4
    largest = eight if eight is not None else four

    @numba.njit(error_model="numpy")
    def loop(x: int, w: int, z: int, rows: int, xs: int, zs: int, k: int, real: int, bias: int, add: int) -> None:
        r = 0
        while rows - r >= most:
            largest(x + r * xs * size, w, z + r * zs * size, xs, zs, k, real, bias, add)
            r += most
        if rows - r >= 4:
            four(x + r * xs * size, w, z + r * zs * size, xs, zs, k, real, bias, add)
            r += 4
        if rows - r >= 2:
            two(x + r * xs * size, w, z + r * zs * size, xs, zs, k, real, bias, add)
            r += 2
        if rows - r >= 1:
            one(x + r * xs * size, w, z + r * zs * size, xs, zs, k, real, bias, add)

    return loop
