"""The matrix kernel: a block of z = x W + b held in vector registers, emitted as LLVM vector code.

The sum over k is part of refnet's contract: k ascends, one fused multiply-add each, in blocks of `BLOCK_K`
whose partial sums are added in order, then the bias is added. Every element of z is computed by this same
sequence, whatever the block around it, the vector width or the number of threads; so its bits are the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from refnet.engine.column import column_of
from refnet.engine.machine import machine
from refnet.engine.pack import panel_vectors
from refnet.engine.vectors import (
    LINE,
    NUMBERS,
    address_as,
    first_lanes,
    fma,
    load,
    loop,
    prefetch,
    size_of,
    splat,
    store,
    unless_0,
)

#: Length of one partial sum. Over K = 64 to 4,096 and 1, 8 and 64 rows the mean error is 0.99 of that of NumPy's matmul
#: (1.08 with 128, 1.3 with 256, 0.88 with 64); 96 costs 1 % of speed against 256.
BLOCK_K = 96

#: How many k, whole blocks of them, a block of rows goes through at once, at most. A panel of so many, 110 kB, stays in
#: the second-level cache for the next block of rows; that rows come back for every block of k costs 1 to 4 % more.
CHUNK_K = 6 * BLOCK_K

#: Up to so many rows read weights as fast as they come; the processor then fetches the next ones by itself, and asking
#: for them only gets in its way (1 row of 1024*4 takes 1.1 to 1.3 times as long, 3 rows 1.3 to 1.4). With more, a block
#: of fewer than 8 asks so many bytes ahead; as panels and blocks of k lie one after another, also at their ends.
READING, AHEAD = 5, 2048

#: From two blocks of rows on, each of the first so many asks for its share of the weights that follow, a line per k.
#: Where these come from memory, 64 rows of 1024*4 take 0.92 to 0.8 of the time.
ASKING = 4

#: Many rows of so many vectors at most take so many k (a power of two) at a time: 1,024 rows of 5-10 and of 10-10 are
#: 1.2 to 1.4, of 10-30 1.1 times as fast then. With three vectors that makes no difference.
NARROW, UNROLLED = 2, 4

I64 = ir.IntType(64)


def _blocks_of(dtype: str) -> Any:
    """Return the intrinsic that computes blocks of z, one below the other, over some k.

    Its arguments: how many rows and vectors a block has; how many blocks; the addresses of x, of the weight panel and
    of z; the strides of x and z rows in numbers; how many k; how many columns of the last vector are real; the address
    of the bias or 0; whether to add to z; and the address of the weights that are needed next.
    """
    most_rows, most_vectors = machine().tile

    @intrinsic
    def blocks(
        context: Any,
        rows: Any,
        vectors: Any,
        count: Any,
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
            after = builder.append_basic_block("blocks.end")
            unreachable = builder.append_basic_block("blocks.none")
            which = builder.add(builder.mul(args[0], I64(most_vectors)), args[1])
            choice = builder.switch(which, unreachable)
            for rows in range(1, most_rows + 1):
                for vectors in range(1, most_vectors + 1):
                    case = builder.append_basic_block(f"blocks.{rows}x{vectors}")
                    choice.add_case(I64(rows * most_vectors + vectors), case)
                    builder.position_at_end(case)
                    builder.call(_micro_kernel(builder.module, dtype, rows, vectors), args[2:])
                    builder.branch(after)
            builder.position_at_end(unreachable)
            builder.unreachable()
            builder.position_at_end(after)
            return ctx.get_dummy_value()

        return types.void(*[types.int64] * 13), emit

    return blocks


def _micro_kernel(module: Any, dtype: str, rows: int, vectors: int) -> Any:
    """Return the function for blocks of ``rows`` x ``vectors`` vectors (arguments: see `_blocks_of`, from count on)."""
    name = f"refnet.blocks.{dtype}.{rows}x{vectors}"
    if name in module.globals:
        return module.globals[name]
    number, size = NUMBERS[dtype]
    vector = ir.VectorType(number, machine().lanes(size))
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * 11), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    count, x, w, z, x_stride, z_stride, k, columns, bias, add, ahead = function.args
    shape = _Shape(rows, vectors, vector)
    totals = _memory(builder, shape)
    masks = [*[None] * (vectors - 1), first_lanes(builder, columns, vector.count)] * rows

    def block(i: Any, values: list[Any]) -> list[Any]:
        first = builder.mul(i, I64(rows * size))
        places = _places(builder, shape, builder.add(z, builder.mul(z_stride, first)), z_stride)
        asked = builder.add(ahead, builder.mul(i, builder.mul(k, I64(LINE))))
        asked = builder.select(builder.icmp_signed("<", i, I64(ASKING)), asked, w)
        operands = builder.add(x, builder.mul(x_stride, first)), w, x_stride, k, asked
        unless_0(builder, add, [], lambda: _copy(builder, vector, places, masks, totals))
        sums = _sum_over_blocks(builder, shape, operands, totals, add)
        sums = unless_0(builder, bias, sums, lambda: _add_bias(builder, shape, bias, masks, sums))
        for place, mask, value in zip(places, masks, sums, strict=True):
            store(builder, value, place, mask)
        return values

    if rows == machine().tile[0]:
        loop(builder, I64(0), count, 1, [], block)
    else:
        block(I64(0), [])
    builder.ret_void()
    return function


class _Shape(NamedTuple):
    """How a block of z lies in registers: so many rows of so many vectors, row after row."""

    rows: int
    vectors: int
    vector: Any

    @property
    def size(self) -> int:
        """Bytes of one number."""
        return size_of(self.vector.element)

    @property
    def bytes(self) -> int:
        """Bytes of one vector."""
        return self.vector.count * self.size


def _memory(builder: Any, shape: _Shape) -> list[Any]:
    """Emit room for a block of z, in whole cache lines; return the addresses of its vectors."""
    count = shape.rows * shape.vectors
    start = builder.ptrtoint(builder.alloca(ir.IntType(8), I64(count * shape.bytes + LINE)), I64)
    start = builder.and_(builder.add(start, I64(LINE - 1)), I64(-LINE))
    return [builder.add(start, I64(place * shape.bytes)) for place in range(count)]


def _places(builder: Any, shape: _Shape, z: Any, z_stride: Any) -> list[Any]:
    """Return the addresses of a block's vectors in z."""
    rows = [builder.add(z, builder.mul(z_stride, I64(r * shape.size))) for r in range(shape.rows)]
    return [builder.add(row, I64(v * shape.bytes)) for row in rows for v in range(shape.vectors)]


def _copy(builder: Any, vector: Any, places: list[Any], masks: list[Any], totals: list[Any]) -> list[Any]:
    """Emit: the totals are what is in z. Return no values."""
    for place, mask, total in zip(places, masks, totals, strict=True):
        store(builder, load(builder, vector, place, mask), total)
    return []


def _add_bias(builder: Any, shape: _Shape, bias: Any, masks: list[Any], sums: list[Any]) -> list[Any]:
    vectors = range(shape.vectors)
    biases = [load(builder, shape.vector, builder.add(bias, I64(v * shape.bytes)), masks[v]) for v in vectors]
    return [builder.fadd(value, biases[place % shape.vectors]) for place, value in enumerate(sums)]


def _sum_over_blocks(builder: Any, shape: _Shape, operands: Any, totals: list[Any], add: Any) -> list[Any]:
    """Emit the loop over blocks of k. The total of those before waits in memory, if ``add`` is not 0 from the start."""
    k = operands[3]
    before = builder.block
    block, more, after = (builder.append_basic_block(name) for name in ("k.block", "k.more", "k.done"))
    builder.branch(block)

    builder.position_at_end(block)
    start = builder.phi(I64)
    end = builder.add(start, I64(BLOCK_K))
    end = builder.select(builder.icmp_signed("<", end, k), end, k)
    sums = _sum_over_k(builder, shape, operands, start, end)

    def add_totals() -> list[Any]:
        pairs = zip(totals, sums, strict=True)
        return [builder.fadd(load(builder, shape.vector, total), value) for total, value in pairs]

    results = unless_0(builder, builder.or_(start, add), sums, add_totals)
    builder.cbranch(builder.icmp_signed("<", end, k), more, after)

    builder.position_at_end(more)
    for total, value in zip(totals, results, strict=True):
        store(builder, value, total)
    start.add_incoming(I64(0), before)
    start.add_incoming(end, more)
    builder.branch(block)
    builder.position_at_end(after)
    return results


def _sum_over_k(builder: Any, shape: _Shape, operands: Any, start: Any, end: Any) -> list[Any]:
    """Emit the loop over a block of k: per k, load the panel's vectors, broadcast each row's x, one fma each."""
    x, w, x_stride, _, ahead = operands
    rows, vectors, vector = shape
    width = vectors * shape.bytes
    row_addresses = [builder.add(x, builder.mul(x_stride, I64(r * shape.size))) for r in range(rows)]

    def step(i: Any, sums: list[Any]) -> list[Any]:
        panel = builder.add(w, builder.mul(i, I64(width)))
        if rows >= 8:
            prefetch(builder, builder.add(ahead, builder.mul(i, I64(LINE))), level=2)
        elif rows > READING:
            for line in range(0, width, LINE):
                prefetch(builder, builder.add(panel, I64(AHEAD + line)))
        weight = [load(builder, vector, builder.add(panel, I64(v * shape.bytes))) for v in range(vectors)]
        offset = builder.mul(i, I64(shape.size))
        updated = []
        for r in range(rows):
            value = builder.load(address_as(builder, builder.add(row_addresses[r], offset), vector.element))
            value = splat(builder, value, vector.count)
            updated += [fma(builder, value, weight[v], sums[r * vectors + v]) for v in range(vectors)]
        return updated

    def steps(i: Any, sums: list[Any]) -> list[Any]:
        for following in range(UNROLLED):
            sums = step(builder.add(i, I64(following)), sums)
        return sums

    sums = [ir.Constant(vector, None)] * (rows * vectors)
    if rows == machine().tile[0] and vectors <= NARROW:
        whole = builder.sub(end, builder.and_(builder.sub(end, start), I64(UNROLLED - 1)))
        sums = loop(builder, start, whole, UNROLLED, sums, steps)
        start = whole
    return loop(builder, start, end, 1, sums, step)


def matmul(dtype: str) -> Any:
    """Return the function that computes rows of z = x W + b from a packed weight (see `refnet.engine.pack`).

    It computes the columns from ``begin`` to before ``end``; a panel starts at either, or the columns end there.
    """
    size = NUMBERS[dtype][1]
    lanes = machine().lanes(size)
    most_rows, most_vectors = machine().tile
    blocks, column, next_vectors = _blocks_of(dtype), column_of(dtype), numba.njit(error_model="numpy")(panel_vectors)

    @numba.njit(error_model="numpy")
    def run(x: int, w: int, z: int, rows: int, inner: int, columns: int, bias: int, begin: int, end: int) -> None:
        panel = w + begin * inner * size
        blocks_k, chunks = (inner + BLOCK_K - 1) // BLOCK_K, max(1, (inner + CHUNK_K - 1) // CHUNK_K)
        chunk = (blocks_k + chunks - 1) // chunks * BLOCK_K  # all of them about as long
        first = begin
        while first < end:
            left = columns - first
            vectors = next_vectors((left + lanes - 1) // lanes, most_vectors)
            real = min(lanes, left - (vectors - 1) * lanes)
            start = 0
            while True:  # once for no k at all: z is the bias
                k = min(BLOCK_K if columns == 1 else chunk, inner - start)
                end_bias = bias + first * size if bias and start + k == inner else 0
                add = 1 if start else 0
                here = panel + start * vectors * lanes * size
                following = here + k * vectors * lanes * size
                a, b = x + start * size, z + first * size
                r = 0
                if columns == 1:
                    for r in range(0, rows - rows % lanes, lanes):
                        column(a + r * inner * size, here, b + r * size, inner, k, end_bias, add)
                    r = rows - rows % lanes
                full = (rows - r) // most_rows
                if full:
                    a_r, b_r = a + r * inner * size, b + r * columns * size
                    ahead = following if full > 1 else here
                    blocks(most_rows, vectors, full, a_r, here, b_r, inner, columns, k, real, end_bias, add, ahead)
                    r += full * most_rows
                if r < rows:
                    a_r, b_r = a + r * inner * size, b + r * columns * size
                    blocks(rows - r, vectors, 1, a_r, here, b_r, inner, columns, k, real, end_bias, add, here)
                start += k
                if start >= inner:
                    break
            panel += inner * vectors * lanes * size
            first += vectors * lanes

    return run
