"""Checking a model's input, and cutting it into batches."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

from refnet.errors import ArgumentError
from refnet.layers.inputs import Shape, as_input, as_real_array, check_shape

__all__ = ["Shape", "as_input", "as_real_array", "batch_rows", "batches", "check_shape"]

# Rows that `predict` computes between two looks at the clock and at Ctrl-C, where the user names no batch size:
# about 4 million numbers of input or output, some milliseconds of work for a small model and some ten for a wide one.
_NUMBERS_PER_BATCH = 1 << 22


def batch_rows(batch_size: Any, row_size: int, who: str) -> int:
    """Return how many rows a batch has: the user's ``batch_size``, or a number chosen from the size of a row.

    Raises
    ------
    ArgumentError
        If ``batch_size`` is neither None nor an integer from 1 up.
    """
    if batch_size is None:
        return max(1, _NUMBERS_PER_BATCH // max(1, row_size))
    try:
        rows = 0 if isinstance(batch_size, bool) else operator.index(batch_size)
    except TypeError:
        rows = 0
    if rows < 1:
        raise ArgumentError(f"{who}: batch_size is {batch_size!r}; accepted: a positive integer or None")
    return rows


def batches(rows: int, size: int) -> Iterator[slice]:
    """Yield the slices that cut ``rows`` rows into batches of ``size``; one empty slice for no rows.

    Examples
    --------
    >>> list(batches(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for start in range(0, max(rows, 1), size):
        yield slice(start, min(start + size, rows))
