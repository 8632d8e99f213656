"""The compiled forward pass: rows in tiles through every step of a Plan's table, or columns shared by threads.

Both are compiled once per dtype and serve every model: the table says which weights, and the addresses in it
say which activation kernels.
"""

from __future__ import annotations

from typing import Any

from numba import njit, types

from refnet.engine.atomics import add, read, swap
from refnet.engine.gemm import matmul
from refnet.engine.handover import wait
from refnet.engine.intrinsics import call_kernel, data_of, load_int64
from refnet.engine.machine import machine
from refnet.engine.pack import panel_columns, unit_columns
from refnet.engine.table import FIRST, MATMUL, WORDS
from refnet.engine.vectors import NUMBERS
from refnet.engine.workers import DONE, NEXT, SHARED

SIGNATURE = types.void(*[types.int64] * 6)


@njit(error_model="numpy", forceinline=True)
def place(where: int, buffers: int, arrays: int, offset: int) -> int:
    """Return the address that a source or a target stands for: in the buffers, or so far into an array of the call."""
    return buffers + where if where >= 0 else data_of(load_int64(arrays, FIRST - where)) + offset


def walk(dtype: str) -> Any:
    """Return the Python function to compile for one dtype.

    Its arguments: the address of the table (see `refnet.engine.table`); the addresses of the list of inputs and of that
    of outputs, each the addresses of ndarray objects (rows, width); the first row and the row after the last; the
    address of the scratch memory.
    """
    product = matmul(dtype)
    size = NUMBERS[dtype][1]

    def run(table: int, inputs: int, outputs: int, first: int, last: int, scratch: int) -> None:
        steps, tile = load_int64(table, 0), load_int64(table, 1)
        work = scratch + load_int64(table, 2)
        for row in range(first, last, tile):
            rows = min(tile, last - row)
            for i in range(steps):
                step = table + (i + 1) * WORDS * 8
                inner, columns = load_int64(step, 3), load_int64(step, 4)
                a = place(load_int64(step, 1), scratch, inputs, row * inner * size)
                b = place(load_int64(step, 2), scratch, outputs, row * columns * size)
                if load_int64(step, 0) == MATMUL:
                    product(a, load_int64(step, 5), b, rows, inner, columns, load_int64(step, 6), 0, columns)
                else:
                    call_kernel(load_int64(step, 5), a, b, rows, inner, load_int64(step, 6), work)

    return run


def walk_columns(dtype: str) -> Any:
    """Return the Python function to compile for a pass of few rows that several threads share.

    A unit of work is some panels of a product for all rows, with the elementwise activation after it, or a whole step
    of another kind. Word 7 of a step counts the units up to its end; those of a product have as many columns each, but
    for the last. A thread waits until all units of the steps before are done and only then takes one, so that nobody
    ever waits for what a waiting thread has taken.

    Its arguments: the address of the table (see `refnet.engine.table`); the address of the ticket (see
    `refnet.engine.workers`); the lists of inputs and of outputs, as in `walk`; the number of rows; the address of the
    thread's scratch memory.
    """
    product = matmul(dtype)
    size = NUMBERS[dtype][1]
    panel, lanes = panel_columns(size), machine().lanes(size)
    columns_of = njit(error_model="numpy")(unit_columns)

    @njit(error_model="numpy")
    def run_unit(step: int, unit: int, units: int, places: Any, rows: int, work: int) -> None:
        inputs, outputs, shared = places
        end = load_int64(step, 7)
        a = place(load_int64(step, 1), shared, inputs, 0)
        b = place(load_int64(step, 2), shared, outputs, 0)
        inner, columns = load_int64(step, 3), load_int64(step, 4)
        if load_int64(step, 0) != MATMUL:
            call_kernel(load_int64(step, 5), a, b, rows, inner, load_int64(step, 6), work)
            return
        width = columns_of(columns, units, panel, lanes)
        first = unit * width
        last = first + width if unit + 1 < units else columns
        product(a, load_int64(step, 5), b, rows, inner, columns, load_int64(step, 6), first, last)
        step += WORDS * 8
        if load_int64(step, 7) == end:  # an activation that has no unit of its own
            c = place(load_int64(step, 2), shared, outputs, 0)
            for r in range(rows):
                start = (r * columns + first) * size
                call_kernel(load_int64(step, 5), b + start, c + start, 1, last - first, load_int64(step, 6), work)

    def run(table: int, ticket: int, inputs: int, outputs: int, rows: int, scratch: int) -> None:
        places = inputs, outputs, load_int64(ticket, SHARED)
        work = scratch + load_int64(table, 2)
        before = 0
        for i in range(1, load_int64(table, 0) + 1):
            step = table + i * WORDS * 8
            end = load_int64(step, 7)
            if end > before:
                wait(ticket, DONE, before)
                unit = read(ticket, NEXT)
                while unit < end:
                    if swap(ticket, NEXT, unit, unit + 1):
                        run_unit(step, unit - before, end - before, places, rows, work)
                        add(ticket, DONE, 1)
                    unit = read(ticket, NEXT)
                before = end

    return run
