"""The matrix kernel for a weight of one column, as in the last layer of a regression or of a choice between two.

There the lanes of a vector are rows, since there are no other columns to fill them. Squares of x are transposed in
registers, so that each k has a vector of one number per row. The sum is the one of `refnet.engine.gemm`: k ascends, one
fused multiply-add each. So the bits are the same.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from refnet.engine.machine import machine
from refnet.engine.vectors import NUMBERS, address_as, fma, load, loop, size_of, splat, store, transposed, unless_0

__all__ = ["column_of"]

I32, I64 = ir.IntType(32), ir.IntType(64)


def column_of(dtype: str) -> Any:
    """Return the intrinsic that computes one column of z over one block of k, for as many rows as a vector has lanes.

    Its arguments: the addresses of x, of the weight panel and of z, where the rows' results lie one after another; the
    stride of x's rows in numbers; how many k; the address of the bias or 0; and whether to add to z.
    """
    number, size = NUMBERS[dtype]
    vector = ir.VectorType(number, machine().lanes(size))

    @intrinsic
    def column(context: Any, x: Any, w: Any, z: Any, x_stride: Any, k: Any, bias: Any, add: Any) -> Any:
        def emit(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            x, w, z, x_stride, k, bias, add = args
            lanes = vector.count
            rows = [builder.add(x, builder.mul(x_stride, I64(r * size))) for r in range(lanes)]
            squares = builder.sub(k, builder.srem(k, I64(lanes)))
            zero = ir.Constant(vector, None)
            sums = loop(builder, I64(0), squares, lanes, [zero], lambda i, sums: [_square(builder, rows, w, i, *sums)])
            sums = loop(builder, squares, k, 1, sums, lambda i, sums: [_single(builder, rows, w, i, *sums)])
            totals = unless_0(builder, add, sums, lambda: [builder.fadd(load(builder, vector, z), *sums)])
            (result,) = unless_0(builder, bias, totals, lambda: [builder.fadd(*totals, _spread(builder, bias, vector))])
            store(builder, result, z)
            return ctx.get_dummy_value()

        return types.void(*[types.int64] * 7), emit

    return column


def _square(builder: Any, rows: list[Any], w: Any, i: Any, sums: Any) -> Any:
    """Add the products of as many k as there are rows, from i on."""
    vector = sums.type
    offset = builder.mul(i, I64(size_of(vector.element)))
    square = transposed(builder, [load(builder, vector, builder.add(row, offset)) for row in rows])
    for step, values in enumerate(square):
        sums = fma(builder, values, _weight(builder, w, builder.add(i, I64(step)), vector), sums)
    return sums


def _single(builder: Any, rows: list[Any], w: Any, i: Any, sums: Any) -> Any:
    """Add the product of one k."""
    vector = sums.type
    offset = builder.mul(i, I64(size_of(vector.element)))
    values = ir.Constant(vector, ir.Undefined)
    for r, row in enumerate(rows):
        value = builder.load(address_as(builder, builder.add(row, offset), vector.element))
        values = builder.insert_element(values, value, I32(r))
    return fma(builder, values, _weight(builder, w, i, vector), sums)


def _weight(builder: Any, w: Any, i: Any, vector: Any) -> Any:
    """Return the weight of one k in every lane: the first number of its line in the panel."""
    return _spread(builder, builder.add(w, builder.mul(i, I64(vector.count * size_of(vector.element)))), vector)


def _spread(builder: Any, address: Any, vector: Any) -> Any:
    return splat(builder, builder.load(address_as(builder, address, vector.element)), vector.count)
