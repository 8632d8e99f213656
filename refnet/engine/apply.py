"""One activation over one array: axes, dtypes, the result's memory, and threads."""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.activations.activation import Activation
from refnet.activations.reading import halved, narrow
from refnet.engine import forward
from refnet.engine.capi import usable
from refnet.engine.forward import activation_kernel, has_kernel, kernel_door, parameter_values
from refnet.engine.records import ARRAY_CLASS, BYTES, CODE, DTYPE, HALVED, HELD, MOST, NONE, PYTHON, ROW, SCRATCH, TABLE
from refnet.engine.table import ACTIVATION_WORK, BLOCK, work_size
from refnet.engine.threads import require_valid
from refnet.engine.workers import address_of, share_kernel, team
from refnet.errors import ArgumentError, DTypeError, ShapeError

__all__ = ["apply", "door"]

#: Elements below which a second thread costs more than it brings. On the Zen 5, on one thread by the door and on two,
#: in microseconds: of 2^16 float32 relu 2.4 and 7.2, sigmoid 27 and 18, softmax of rows of 64 53 and 30; of 2^17 relu
#: 6.4 and 9.4, sigmoid 54 and 32, softmax 97 and 52.
PARALLEL_ELEMENTS = 1 << 17

#: Bytes of x and y together from which on y is written past the caches: the size of the Zen 5's last cache. relu of so
#: many, 4 Mi float32, goes from 5.8 to 10.3 G elements/s; of half as many it would go from 12.8 to 10.3.
STREAMED_BYTES = 1 << 25

#: Elements up to which a kernel keeps the GIL: it takes 10 microseconds at most in float32, gelu of float64 50.
SHORT_ELEMENTS = 4096

#: Bytes of rows up to which a kernel of rows keeps the GIL and the one work space: 15 microseconds of float32.
SHORT_ROWS = 1 << 15

#: Bytes of work space, for rows of some 26,000 numbers, that a thread keeps for its next call.
KEPT_BYTES = 1 << 20

_local = threading.local()


def apply(
    activation: Activation, x: NDArray[Any], axis: int | tuple[int, ...] | None = -1, out: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Return ``activation`` of ``x``, by the compiled kernel; see `Activation.__call__`.

    float16 and bfloat16 are computed in float64 and rounded once, directly.
    """
    if activation.kind == "elementwise":
        if out is not None:
            _check_out(out, x.shape, x.dtype, activation)
        return _run(activation, x, out, x.shape, 1)
    axes = _axes(axis, x.ndim, activation)
    if len(axes) != 1 and activation.kind != "rowwise":
        raise ArgumentError(f"activation {activation.name!r}: axis {axis!r} names {len(axes)} axes; accepted: one")
    if activation.kind == "gated":  # a row is all that lies from this axis on: the halves are as long as they are wide
        shape = (
            *x.shape[: axes[0]],
            halved(x.shape[axes[0]], f"activation {activation.name!r}"),
            *x.shape[axes[0] + 1 :],
        )
        if out is not None:
            _check_out(out, shape, x.dtype, activation)
        return _run(activation, x, out, shape, math.prod(x.shape[axes[0] :]))
    if axes == (x.ndim - 1,) and has_kernel(activation):
        if out is not None:
            _check_out(out, x.shape, x.dtype, activation)
        return _run(activation, x, out, x.shape, x.shape[-1])
    return _along(axes, activation, x, out)


def _along(axes: tuple[int, ...], activation: Activation, x: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any]:
    """Return the activation of rows that do not lie as a kernel reads them, or for which there is none."""
    last = range(x.ndim - len(axes), x.ndim)
    moved = np.moveaxis(x, axes, last)
    lead, shape = moved.shape[: last.start], list(x.shape)
    rows = moved.reshape(*lead, math.prod(moved.shape[last.start :]))
    if not has_kernel(activation):
        y = activation.numpy(rows)
        shape[axes[0]] = y.shape[-1]
    if out is not None:
        _check_out(out, tuple(shape), x.dtype, activation)
    if has_kernel(activation):
        y = _run(activation, rows, None, rows.shape, rows.shape[-1])
    y = np.moveaxis(y.reshape((*lead, *(shape[a] for a in axes))), last, axes)
    if out is None:
        return np.asarray(y, order="C")
    out[...] = y
    return out


def _check_out(out: Any, shape: tuple[int, ...], dtype: Any, activation: Activation) -> None:
    who = f"activation {activation.name!r}"
    if not isinstance(out, np.ndarray):
        raise DTypeError(f"{who}: out is a {type(out).__name__}; accepted: a NumPy array")
    if out.shape != shape:
        raise ShapeError(f"{who}: out has shape {out.shape}; accepted: {shape}")
    if out.dtype != dtype:
        raise DTypeError(f"{who}: out has dtype {out.dtype}; accepted: {dtype}")
    if not out.flags.writeable:
        raise ArgumentError(f"{who}: out is read-only; accepted: an array that can be written")
    if not out.flags.forc and _overlaps_itself(out):
        raise ArgumentError(f"{who}: elements of out share memory; accepted: an array with room for each result")


def _overlaps_itself(array: NDArray[Any]) -> bool:
    """Return whether two elements of an array have a byte in common."""
    axes = sorted((abs(stride), size) for stride, size in zip(array.strides, array.shape, strict=True) if size != 1)
    if array.size == 0:
        return False
    reach, apart = array.itemsize, True  # what the axes so far span, and whether each steps over all before it
    for stride, size in axes:
        apart = apart and stride >= reach
        reach += stride * (size - 1)
    if apart or array.size * array.itemsize > reach:
        return not apart
    starts = np.zeros(1, np.int64)  # interleaved: there are no more elements than the memory has bytes
    for stride, size in axes:
        starts = np.add.outer(starts, stride * np.arange(size)).ravel()
    starts.sort()
    return bool((np.diff(starts) < array.itemsize).any())


def _axes(axis: Any, ndim: int, activation: Activation) -> tuple[int, ...]:
    """Return the axes of a row as distinct numbers from 0 up."""
    who = f"activation {activation.name!r}"
    if axis is None:
        return tuple(range(ndim))
    given = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    axes = []
    for one in given:
        try:
            number = operator.index(one)
        except TypeError:
            number = ndim
        if isinstance(one, bool) or not -ndim <= number < ndim:
            raise ArgumentError(f"{who}: axis {one!r} does not exist; the input has {ndim} dimensions")
        axes.append(number % ndim)
    if len(set(axes)) < len(axes):
        raise ArgumentError(f"{who}: axis {axis!r} names an axis twice")
    return tuple(axes)


@dataclasses.dataclass(frozen=True)
class _Kernel:
    """A kernel with its parameters, and the dtype of the numbers that it reads and writes."""

    code: int
    door: Callable[..., None]
    parameters: NDArray[np.float64]
    address: int
    dtype: np.dtype[Any]


@functools.lru_cache(maxsize=1024)
def _kernel(activation: Activation, dtype: np.dtype[Any], streaming: bool = False) -> _Kernel:
    require_valid()
    kind = dtype.name if dtype.name in ("float32", "float64") else "half"
    parameters = parameter_values(activation, dtype)
    wide = dtype if kind != "half" else np.dtype(np.float64)
    code = activation_kernel(activation, kind, streaming)
    return _Kernel(code, kernel_door(code), parameters, parameters.ctypes.data, wide)


def door(
    activation: Activation, dtype: np.dtype[Any], python: Callable[[Any, Any], NDArray[Any]]
) -> Callable[[Any, Any], NDArray[Any]]:
    """Return ``python``, a function of x and out, with a short way for plain arrays of ``dtype``.

    See `refnet.engine.doors.activate`.
    """
    if not has_kernel(activation) or dtype not in (np.float32, np.float64) or not dtype.isnative or not usable():
        return python
    kernel, rowwise = _kernel(activation, dtype), activation.kind != "elementwise"
    work = _short_work() if rowwise else None
    code = {CODE: kernel.code, TABLE: kernel.address, SCRATCH: 0 if work is None else work.ctypes.data}
    classes = {ARRAY_CLASS: id(np.ndarray), DTYPE: id(dtype), BYTES: dtype.itemsize, NONE: id(None)}
    held, row = (SHORT_ROWS // dtype.itemsize, BLOCK) if rowwise else (SHORT_ELEMENTS, 0)
    limits = {MOST: PARALLEL_ELEMENTS - 1, HELD: held, ROW: row, HALVED: int(activation.kind == "gated")}
    return forward.door("activate", {**code, **classes, **limits, PYTHON: id(python)}, python, kernel, work, dtype)


@functools.cache
def _short_work() -> NDArray[np.float64]:
    """Return the work space of all kernels that run on short rows while the GIL is held."""
    return _new_work(BLOCK)


def _run(
    activation: Activation, x: NDArray[Any], out: NDArray[Any] | None, shape: tuple[int, ...], columns: int
) -> NDArray[Any]:
    """Run a kernel over the whole array, in parts if it is long; a row is ``columns`` numbers in a line."""
    streaming = activation.kind == "elementwise" and x.dtype.itemsize > 2 and 2 * x.nbytes >= STREAMED_BYTES
    kernel = _kernel(activation, x.dtype, streaming)
    # Where they overlap in part, a vector would read what the one before has written, so neither is the other.
    overlapping = out is not None and np.may_share_memory(x, out)
    source = np.array(x, dtype=kernel.dtype, order="C", copy=True if overlapping else None)
    direct = out is not None and out.dtype == kernel.dtype and out.flags.carray
    target = out if direct and out is not None else np.empty(shape, kernel.dtype)
    rows = x.size // columns if columns else 0
    there = columns // 2 if activation.kind == "gated" else columns
    count = team(ACTIVATION_WORK * x.size) if x.size >= PARALLEL_ELEMENTS else 1
    if count > 1:
        share_kernel((kernel.code, kernel.address), source, target, rows, (columns, there), count)
    else:
        # Held here until the kernel returns, whatever becomes of `_local` meanwhile.
        work, address = _work(columns) if activation.kind != "elementwise" else (None, 0)
        kernel.door(address_of(source), address_of(target), rows, columns, kernel.address, address)
        del work
    if target is out:
        return target
    y = target if kernel.dtype == x.dtype else narrow(target, x.dtype)
    if out is None:
        return y
    out[...] = y
    return out


def _work(columns: int) -> tuple[NDArray[np.float64], int]:
    """Return work space for rows of ``columns``, and its address; a thread keeps what is not large."""
    memory, address = getattr(_local, "work", (None, 0))
    if memory is None or memory.size < work_size(columns):
        memory = _new_work(columns)
        address = int(memory.ctypes.data)
        if memory.nbytes <= KEPT_BYTES:
            _local.work = memory, address
    return memory, address


def _new_work(columns: int) -> NDArray[np.float64]:
    """Return a work space that begins a cache line: a vector that spans two takes twice as long."""
    memory = np.empty(work_size(columns) + 7, np.float64)
    start = -memory.ctypes.data % 64 // 8
    return memory[start : start + work_size(columns)]
