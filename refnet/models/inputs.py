"""Checking a model's input, and cutting it into batches."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Iterator
from typing import Any

from numpy.typing import NDArray

from refnet.errors import ArgumentError
from refnet.layers.inputs import Shape, as_input, as_real_array, check_shape

__all__ = ["Shape", "as_input", "as_real_array", "batch_rows", "batches", "check_shape", "row_work"]

# What `predict` computes between two looks at the clock and at Ctrl-C: numbers of input or output, and multiply-adds.
# Either is some ten milliseconds of work on a fast core, and below a second on a slow one.
_NUMBERS_PER_BATCH = 1 << 22
_WORK_PER_BATCH = 1 << 31
_ACTIVATION = 50  # multiply-adds that take as long as one activation does, and a slow one in float64 twice as long
_FEWEST_ROWS = 64  # that a batch may have for the sake of its work: with fewer, reading the weights takes longest


def row_work(weights: Iterable[NDArray[Any]], row_shape: tuple[int, ...]) -> int:
    """Return about how many multiply-adds one row costs: every weight once, and an activation for every unit.

    A layer's bias counts its units once more. ``row_shape`` is that of the input; weights serve its last axis.
    """
    return math.prod(row_shape[:-1]) * sum(int(array.size + _ACTIVATION * array.shape[-1]) for array in weights)


def batch_rows(batch_size: Any, row_size: int, work: int, who: str) -> int:
    """Return how many rows a batch has: ``batch_size``, but never more than are computed in a moment.

    Parameters
    ----------
    batch_size : int or None
        The user's choice; None chooses the most.
    row_size : int
        Numbers in a row of input or output, whichever has more.
    work : int
        Multiply-adds per row: see `row_work`.
    who : str
        Who asks, for the message.

    Raises
    ------
    ArgumentError
        If ``batch_size`` is neither None nor an integer from 1 up.
    """
    most = max(1, min(_NUMBERS_PER_BATCH // max(1, row_size), max(_FEWEST_ROWS, _WORK_PER_BATCH // max(1, work))))
    if batch_size is None:
        return most
    try:
        rows = 0 if isinstance(batch_size, bool) else operator.index(batch_size)
    except TypeError:
        rows = 0
    if rows < 1:
        raise ArgumentError(f"{who}: batch_size is {batch_size!r}; accepted: a positive integer or None")
    return min(rows, most)


def batches(rows: int, size: int) -> Iterator[slice]:
    """Yield the slices that cut ``rows`` rows into batches of ``size``; one empty slice for no rows.

    Examples
    --------
    >>> list(batches(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for start in range(0, max(rows, 1), size):
        yield slice(start, min(start + size, rows))
