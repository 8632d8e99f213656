"""operations -> Plan: an immutable table of steps; what a forward pass is."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.engine.blocks import run_converted
from refnet.engine.capi import usable
from refnet.engine.forward import (
    activation_kernel,
    column_kernel,
    columns_code,
    door,
    has_kernel,
    parameter_values,
    walk_code,
    walk_door,
)
from refnet.engine.machine import machine
from refnet.engine.objects import name_of
from refnet.engine.pack import pack, panel_columns, unit_columns
from refnet.engine.records import ARRAY_CLASS, CODE, COLUMNS, DTYPE, MOST, PYTHON, SCRATCH, SHAPE, TABLE
from refnet.engine.table import ACTIVATION_WORK, FIRST, KERNEL, MATMUL, WORDS, work_size
from refnet.engine.threads import require_valid
from refnet.engine.workers import Ticket, team
from refnet.errors import ShapeError
from refnet.layers.inputs import Shape, as_input, check_input, converted
from refnet.layers.operations import Activate, Call, Columnwise, Matmul, Operation

__all__ = ["Plan", "buffers"]

#: Bytes of intermediate results that a tile of rows may have; about half of a core's second-level cache.
TILE_BYTES = 512 * 1024
TILE_ROWS = 256

#: Bytes of one weight matrix that no longer stays in cache from tile to tile, and the rows of a tile then. On the Zen 5
#: 256 rows through 4096-4096 took 128 milliseconds in tiles of 8 rows, 44 in tiles of 64, 40 in tiles of 128.
LARGE_WEIGHT, LARGE_TILE_ROWS = 8 * 1024 * 1024, 128

#: Multiply-adds of a call, about 4 microseconds of them, that keep the GIL and are run by the shortest way.
SHORT_WORK = 200_000

#: Multiply-adds below which a second thread costs more than it brings. On the Zen 5, on one thread and on two, in
#: microseconds: 68,000 in rows of 5-10-10-10 1.9 and 1.9, 150,000 3.5 and 2.7; 200,000 in rows of 37-101-53-7 3.6 and
#: 2.8; 285,000 in rows of 30-64-32-1 4.3 and 3.1. Below it the shortest way is faster than the first of each pair.
PARALLEL_WORK = SHORT_WORK

#: Few rows, or such as cannot be dealt out evenly, are shared by columns. From 16 rows on that takes 8 to 20 % longer
#: than equal parts of rows do, unless the weights are large.
COLUMN_ROWS = 64

#: Multiply-adds of a row that a unit of columns should have, as taking one costs some 0.1 microseconds. One row of
#: 100-1000-10 took 6.9 microseconds by single panels, 3.4 by such units, and 3.4 on one thread.
UNIT_WORK = 12_000

#: What two threads that share columns lose, as multiply-adds of one row: once, and at each step where they wait. On the
#: Zen 5, on one thread and by columns, in microseconds: 96-96-96 1.0 and 1.4, 128-128-128 1.3 and 1.8, 256-256-256
#: 3.4 and 3.0, 2000-100-1 7.3 and 4.7, 512-512-512 19 and 11.
HANDOVER_WORK, STEP_WORK = 15_000, 8_000

#: Multiply-adds after which a pass returns to Python for a moment, so that Ctrl-C can stop it: some 50 milliseconds.
LONG_WORK = 2_000_000_000


class Chain:
    """Steps that run in one call of compiled code: products and the book's activations.

    Immutable once made. ``table`` is what the walk reads (see `refnet.engine.table`); ``arrays`` are the
    weights, biases and parameters whose addresses stand in it. The walk checks nothing: what does not fit is found
    here, and ``who`` begins the sentence.
    """

    def __init__(
        self, operations: Sequence[Operation], width: int, dtype: np.dtype[Any], who: str = "the model"
    ) -> None:
        self.width, self.dtype, self.who = width, dtype, who
        self.arrays: list[NDArray[Any]] = []
        self.texts: list[str] = []
        self.work = 0  # multiply-adds, and activations counted as `ACTIVATION_WORK`, per row
        self.units: list[list[int]] = []  # for each step the work of its units, where threads divide columns
        widths = [width]
        rows: list[list[int]] = []
        for operation in operations:
            rows.append(self._step(operation, widths))
            self._add_units(rows)
        self.out_width = widths[-1]
        widest = max([0, *widths[1:-1]])
        self.large = max([0, *(row[3] * row[4] for row in rows if row[0] == MATMUL)]) * dtype.itemsize > LARGE_WEIGHT
        fitting = max(8, TILE_BYTES // max(1, 2 * widest * dtype.itemsize) // 8 * 8)
        self.tile = LARGE_TILE_ROWS if self.large else int(min(TILE_ROWS, fitting))
        buffer = -(-self.tile * widest * dtype.itemsize // 64) * 64
        count = self._place(rows, buffer)
        work_numbers = max([0, *(work_size(row[3]) for row in rows if row[0] == KERNEL)])
        self.scratch_bytes = count * buffer + 8 * work_numbers + 64
        head = [len(rows), self.tile, count * buffer, *[0] * (WORDS - 3)]
        self.parallel_rows = max(1, -(-PARALLEL_WORK // max(1, self.work)))
        self.long_rows = max(1, LONG_WORK // max(1, self.work) // self.tile) * self.tile
        self.table = np.array([head, *rows], dtype=np.int64)
        self.address = self.table.ctypes.data
        # By columns nobody may write where another thread still reads, so a buffer rests for a step.
        buffer = -(-COLUMN_ROWS * widest * dtype.itemsize // 64) * 64
        self.column_bytes = buffer * self._place(rows, buffer, rest=1)
        self.column_table = np.array([head, *rows, [0] * WORDS], dtype=np.int64)
        self.by_columns = min(widths) > 0 and _cost_by_columns(self.units) < 0.9 * self.work
        self.walk = walk_door(dtype.name)
        self._free: list[tuple[int, NDArray[np.uint8]]] = []
        self._tickets: list[Ticket] = []

    def _step(self, operation: Operation, widths: list[int]) -> list[int]:
        """Return an operation as a row of the table."""
        inner = widths[-1]
        if isinstance(operation, Matmul):
            shape, bias = operation.weight.shape, operation.bias
            columns = shape[-1]
            self._require(shape == (inner, columns), f"weight of shape {shape}", f"({inner}, columns)")
            if bias is not None:
                self._require(bias.shape == (columns,), f"bias of shape {bias.shape}", f"({columns},)")
            packed = self._keep(pack(operation.weight.astype(self.dtype, copy=False)))
            bias_address = 0 if bias is None else self._keep(np.array(bias, dtype=self.dtype))
            panel = panel_columns(self.dtype.itemsize)
            cut = f"{-(-columns // panel)} x {panel}" if columns > panel else f"1 x {columns}"
            self.texts.append(f"z = x W{'' if bias is None else ' + b'}   ({inner}, {columns})   panels {cut}")
            self.work += inner * columns
            widths.append(columns)
            return [MATMUL, 0, 0, inner, columns, packed, bias_address, 0]
        if isinstance(operation, Columnwise):
            for each in operation.parameters:
                self._require(each.shape in ((), (1,), (inner,)), f"parameter of shape {each.shape}", f"({inner},)")
            arrays = [np.broadcast_to(each, (inner,)).astype(self.dtype) for each in operation.parameters]
            kernel = column_kernel(operation.formula, len(arrays), self.dtype.name)
            self.texts.append(f"{operation.text}   ({inner},)")
            self.work += ACTIVATION_WORK * inner
            widths.append(inner)
            return [KERNEL, 0, 0, inner, inner, kernel, self._keep(np.concatenate(arrays)), 0]
        assert isinstance(operation, Activate)
        activation = operation.activation
        if activation.kind == "gated":
            self._require(inner % 2 == 0, f"{activation.name} of rows of {inner}", "rows of an even length")
        kernel = activation_kernel(activation, self.dtype.name)
        parameters = self._keep(parameter_values(activation, self.dtype))
        self.texts.append(f"{activation!r}   ({inner},)")
        self.work += ACTIVATION_WORK * inner
        widths.append(inner // 2 if activation.kind == "gated" else inner)
        return [KERNEL, 0, 0, inner, widths[-1], kernel, parameters, int(activation.kind == "elementwise")]

    def _require(self, fits: bool, found: str, accepted: str) -> None:
        if not fits:
            raise ShapeError(f"{self.who}: step {len(self.texts) + 1} has a {found}; accepted: {accepted}")

    def _add_units(self, rows: list[list[int]]) -> None:
        """Divide the last step into units for `refnet.engine.walk.walk_columns`; write how many there are up to it."""
        operation, inner, columns, elementwise = (rows[-1][place] for place in (0, 3, 4, 7))
        if operation == MATMUL:
            panel, lanes = panel_columns(self.dtype.itemsize), machine().lanes(self.dtype.itemsize)
            width = panel * -(-UNIT_WORK // max(1, inner * panel))
            width = unit_columns(columns, max(1, -(-columns // width)), panel, lanes)
            starts = range(0, max(1, columns - lanes), width)
            self.units.append([inner * (end - first) for first, end in pairwise([*starts, columns])])
        elif elementwise and len(rows) > 1 and rows[-2][0] == MATMUL:
            self.units[-1] = [work + ACTIVATION_WORK * columns // len(self.units[-1]) for work in self.units[-1]]
        else:
            self.units.append([ACTIVATION_WORK * columns])
        rows[-1][7] = sum(map(len, self.units))

    def lines(self) -> list[str]:
        """Return a line per step: from where to where (x, y or the number of a buffer), what it does, and how."""
        names = [str(number + 1) for number in buffers(range(1, len(self.texts)))]
        kernels = [self._kernel_text(row[0], row[4], row[5]) for row in self.table[1:].tolist()]
        return [
            f"{source} -> {target}   {text}   {kernel}"
            for source, target, text, kernel in zip(["x", *names], [*names, "y"], self.texts, kernels, strict=True)
        ]

    def _kernel_text(self, operation: int, columns: int, address: int) -> str:
        """Return the name of a step's kernel, or of what blocks a product is made."""
        if operation == KERNEL:
            return name_of(address)
        (rows, vectors), lanes = machine().tile, machine().lanes(self.dtype.itemsize)
        if columns == 1:
            return f"{lanes} rows as lanes"
        return f"blocks {rows} x {min(vectors, -(-columns // lanes))} vectors"

    def _keep(self, array: NDArray[Any]) -> int:
        self.arrays.append(array)
        return int(array.ctypes.data)

    @staticmethod
    def _place(rows: list[list[int]], buffer: int, rest: int = 0) -> int:
        """Write each step's source and target: x, buffers of so many bytes, y. Return how many buffers there are.

        In a chain each step reads what the one before has made.
        """
        numbers = buffers(range(1, len(rows)), rest)
        offsets = [number * buffer for number in numbers]
        for row, source, target in zip(rows, [FIRST, *offsets], [*offsets, FIRST], strict=True):
            row[1:3] = [source, target]
        return max(numbers, default=-1) + 1

    def __call__(self, x: NDArray[Any], y: NDArray[Any] | None = None) -> NDArray[Any]:
        """x (rows, in), C-contiguous and of the chain's dtype -> y (rows, out), in the memory given or in its own."""
        # Another thread may set x.shape meanwhile. The width may be one of NumPy's integers.
        rows = int(x.size // self.width) if self.width else len(x)
        if y is None:
            y = np.empty((rows, self.out_width), self.dtype)
        threads = team(rows * self.work) if rows >= self.parallel_rows else 1
        part = self._part(rows, threads) if threads > 1 else rows
        if part < rows:
            self._share(x, y, threads, part)
        else:
            for first in range(0, rows, self.long_rows):
                self._run(x, y, first, min(rows, first + self.long_rows))
        return y

    def _part(self, rows: int, threads: int) -> int:
        """Return in parts of how many rows the threads share a call; 0 if they share it by columns."""
        parts = threads * -(-rows // (self.tile * threads))
        part = -(-rows // (8 * parts)) * 8  # the matrix kernel is at its best with blocks of 8 rows
        uneven = part * threads > 1.2 * rows
        return 0 if self.by_columns and rows <= COLUMN_ROWS and (uneven or self.large) else part

    def _run(self, x: NDArray[Any], y: NDArray[Any], first: int, last: int) -> None:
        try:
            scratch = self._free.pop()
        except IndexError:
            scratch = self._scratch()
        self.walk(self.address, x, y, first, last, scratch[0])
        self._free.append(scratch)

    def _scratch(self) -> tuple[int, NDArray[np.uint8]]:
        """Return the address of new scratch memory, and what keeps it alive."""
        memory = np.empty(self.scratch_bytes, np.uint8)
        return -(-memory.ctypes.data // 64) * 64, memory

    def door(self, python: Callable[[Any], NDArray[Any]]) -> Callable[[Any], NDArray[Any]]:
        """Return ``python``, a function of x, with a short way for few rows (see `refnet.engine.doors.forward`)."""
        if not usable():
            return python
        scratch, memory = self._scratch()
        code = {CODE: walk_code(self.dtype.name), TABLE: self.address, SCRATCH: scratch}
        classes = {ARRAY_CLASS: id(np.ndarray), DTYPE: id(self.dtype)}
        limits = {COLUMNS: self.width, MOST: SHORT_WORK // max(1, self.work), SHAPE + 1: self.out_width}
        return door("forward", {**code, **classes, **limits, PYTHON: id(python)}, python, self, memory)

    def _share(self, x: NDArray[Any], y: NDArray[Any], threads: int, part: int) -> None:
        """Run on several threads, in parts of so many rows, or by columns if that is 0."""
        ticket = self._tickets.pop() if self._tickets else None
        if ticket is None or ticket.threads != threads:
            columns = (columns_code(self.dtype.name), self.column_table.ctypes.data) if self.by_columns else (0, 0)
            shared = self.column_bytes if self.by_columns else 0
            ticket = Ticket(threads, self.scratch_bytes, (walk_code(self.dtype.name), self.address), columns, shared)
        rows = len(y)
        step = threads * self.long_rows if part else rows
        for first in range(0, rows, step):
            ticket.run(x, y, first, min(rows, first + step), part, rows * self.work)
        self._tickets.append(ticket)


def _cost_by_columns(steps: list[list[int]]) -> int:
    """Return what a row costs two threads that share each step's units, as a number of multiply-adds."""
    cost = HANDOVER_WORK
    for units in steps:
        one = other = 0
        for work in units:
            one, other = sorted((one + work, other))
        cost += STEP_WORK + other
    return cost


def buffers(last_readers: Sequence[int], rest: int = 0) -> list[int]:
    """Return in which buffer each step leaves what it makes, as few of them as will do.

    No step works in place: a product reads a row again for every panel. So a buffer can be written again by the step
    after the last one that reads it, and ``rest`` steps later where threads do not all stand at the same step.

    Parameters
    ----------
    last_readers : sequence of int
        For each step, the number of the last one that reads its result.
    rest : int, optional

    Examples
    --------
    A chain, where each result is read by the step after it, and one in which the first is needed again at the end:

    >>> buffers([1, 2, 3, 4]), buffers([4, 2, 3, 4]), buffers([1, 2, 3, 4], rest=1)
    ([0, 1, 0, 1], [0, 1, 2, 1], [0, 1, 2, 0])
    """
    numbers, free_from = [], list[int]()
    for step, last in enumerate(last_readers):
        number = next((n for n, first in enumerate(free_from) if first <= step), len(free_from))
        free_from[number : number + 1] = [last + 1 + rest]
        numbers.append(number)
    return numbers


class Plan:
    """A forward pass, ready to run: chains of compiled steps, and Python functions between them.

    Parameters
    ----------
    operations : sequence of Operation
        What the layers ask for, in order.
    in_features : int
        The last dimension of the input.
    dtype : {"float32", "float64"}
    who : str
        Who to name in messages.
    in_shape : tuple of int or None, optional
        The shape to accept, batch first. Without it any rank from 2 up will do, and the last axis counts.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        in_features: int,
        dtype: Any,
        who: str = "the model",
        in_shape: Shape | None = None,
    ) -> None:
        require_valid()
        self.in_features, self.dtype, self.who, self.in_shape = in_features, np.dtype(dtype), who, in_shape
        self.parts: tuple[Chain | Call, ...] = tuple(_parts(operations, in_features, self.dtype, who))
        only = self.parts[0] if len(self.parts) == 1 else None
        self._only = only if isinstance(only, Chain) and (in_shape is None or len(in_shape) == 2) else None

    def __call__(self, x: Any) -> NDArray[Any]:
        """x (..., in), real numbers in any layout -> y (..., out) in the plan's dtype. x is never modified."""
        if (
            self._only is None
            or type(x) is not np.ndarray
            or x.dtype != self.dtype
            or x.ndim != 2
            or x.shape[1] != self.in_features
            or not x.flags.carray  # contiguous, aligned and writeable; a read-only array takes the slower way
        ):
            return self._general(x)
        return self._only(x)

    def door(self) -> Callable[[Any], NDArray[Any]]:
        """Return the plan as a function that does the same in less time, where x is small and plain."""
        return self if self._only is None else self._only.door(self)

    def _general(self, x: Any) -> NDArray[Any]:
        shape = self.in_shape or (None, self.in_features)
        checked = check_input if self.parts and isinstance(self.parts[0], Chain) else as_input
        y = checked(x, shape, self.dtype, self.who, any_rank=self.in_shape is None)
        if not self.parts:
            return y.copy()
        for part in self.parts:
            if isinstance(part, Chain):
                y = run_converted(part, y)
            else:
                y = converted(part.function(y), self.dtype)
        return y

    def __str__(self) -> str:
        lines = [f"Plan of {self.who}: {self.dtype} on {machine().cpu}, vectors of {machine().vector_bytes} bytes"]
        for part in self.parts:
            if isinstance(part, Chain):
                lines.append(f"  tiles of {part.tile} rows through")
                lines += [f"    {line}" for line in part.lines()]
            else:
                lines.append(f"  Python: {part.text}")
        return os.linesep.join(lines)


def _parts(operations: Sequence[Operation], width: int, dtype: np.dtype[Any], who: str) -> list[Chain | Call]:
    parts: list[Chain | Call] = []
    chain: list[Operation] = []

    def close() -> None:
        nonlocal width
        if chain:
            parts.append(Chain(tuple(chain), width, dtype, who))
            width = parts[-1].out_width  # type: ignore[union-attr]
            chain.clear()

    for operation in operations:
        if isinstance(operation, Activate) and operation.activation.name == "linear":
            continue
        if isinstance(operation, Activate):
            if not has_kernel(operation.activation):
                operation = Call(operation.activation.numpy, repr(operation.activation))
            elif width < 0:  # after a Python function the width is known only when it has run
                operation = Call(operation.activation, repr(operation.activation))
        if isinstance(operation, Columnwise) and (width < 0 or max(each.ndim for each in operation.parameters) > 1):
            operation = Call(operation, operation.text)
        if isinstance(operation, Call):
            close()
            parts.append(operation)
            width = -1
        else:
            if width < 0 and isinstance(operation, Matmul):
                width = operation.weight.shape[0]
            chain.append(operation)
    close()
    return parts
