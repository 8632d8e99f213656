"""Weights in the order in which the matrix kernel reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.engine.machine import machine

__all__ = ["pack", "panel_columns", "panel_vectors", "unit_columns"]

LINE = 64  # bytes in a cache line
HUGE = 2 << 20  # bytes in a huge page


def pack(weight: NDArray[Any]) -> NDArray[Any]:
    """Return weight (in, out) as one flat array of panels.

    A panel holds up to three vectors' worth of columns for every k, k after k, so that the kernel reads it
    from front to back (see `panel_vectors`). Columns that do not exist are 0.

    Parameters
    ----------
    weight : ndarray of shape (in, out), float32 or float64

    Returns
    -------
    ndarray of shape (in * padded out,)
    """
    inner, columns = weight.shape
    lanes, first = machine().lanes(weight.itemsize), 0
    packed = _aligned(inner * -(-columns // lanes) * lanes, weight.dtype)
    while first < columns:
        width = lanes * panel_vectors(-(-(columns - first) // lanes), machine().tile[1])
        part = weight[:, first : first + width]
        panel = packed[inner * first : inner * (first + width)].reshape(inner, width)
        panel[:, : part.shape[1]] = part
        panel[:, part.shape[1] :] = 0
        first += width
    return packed


def panel_vectors(left: int, most: int) -> int:
    """Return how many vectors the next panel has, if so many are left.

    A panel of one vector has too few sums to keep the processor busy, so the last four are divided evenly.
    """
    return 2 if left == most + 1 else min(left, most)


def panel_columns(itemsize: int) -> int:
    """Return how many columns a panel has, unless it is one of the last two."""
    return machine().tile[1] * machine().lanes(itemsize)


def unit_columns(columns: int, units: int, panel: int, lanes: int) -> int:
    """Return how many columns each of so many units of work has, but for the last, which has the rest.

    Whole panels of ``panel`` columns. What would be one vector of ``lanes`` is no unit, nor the start of a panel.
    """
    panels = max(1, -(-(columns - lanes) // panel))
    return panel * -(-panels // units)


def _aligned(size: int, dtype: Any) -> NDArray[Any]:
    """Return an array that starts with a cache line: a load across two lines takes twice as long.

    A big one starts with a huge page. NumPy asks for these on Linux from 4 MiB on; what is left at the ends would be in
    small ones, for which the processor looks up 512 times as many addresses.
    """
    count = size * dtype.itemsize
    boundary = HUGE if count >= HUGE else LINE
    memory = np.empty(count + boundary, np.uint8)
    start = -memory.ctypes.data % boundary
    return memory[start : start + count].view(dtype)
