"""The compiled forward pass: rows in tiles through every step of a Plan's table.

It is compiled once per dtype and serves every model: the table says which weights, and the addresses in it
say which activation kernels.
"""

from __future__ import annotations

from typing import Any

from numba import types

from refnet.engine.gemm import matmul
from refnet.engine.intrinsics import call_kernel, data_of, load_int64
from refnet.engine.table import COLUMNS, MATMUL, X, Y

SIGNATURE = types.void(*[types.int64] * 6)


def walk(dtype: str) -> Any:
    """Return the Python function to compile for one dtype.

    Its arguments: the address of the table (see `refnet.engine.table`); the ndarray objects x (rows, in) and
    y (rows, out); the first row and the row after the last; the address of the scratch memory.
    """
    product = matmul(dtype)
    size = 4 if dtype == "float32" else 8

    def run(table: int, x_array: int, y_array: int, first: int, last: int, scratch: int) -> None:
        x, y = data_of(x_array), data_of(y_array)
        steps, tile = load_int64(table, 0), load_int64(table, 1)
        x_width, y_width = load_int64(table, 2), load_int64(table, 3)
        work = scratch + load_int64(table, 4)
        for row in range(first, last, tile):
            rows = min(tile, last - row)
            for i in range(steps):
                step = table + (i + 1) * COLUMNS * 8
                source, target = load_int64(step, 1), load_int64(step, 2)
                a = scratch + source if source != X else x + row * x_width * size
                b = scratch + target if target != Y else y + row * y_width * size
                inner, columns = load_int64(step, 3), load_int64(step, 4)
                if load_int64(step, 0) == MATMUL:
                    product(a, load_int64(step, 5), b, rows, inner, columns, load_int64(step, 6))
                else:
                    call_kernel(load_int64(step, 5), a, b, rows, inner, load_int64(step, 6), work)

    return run
