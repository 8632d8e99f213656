"""Weights in the order in which the matrix kernel reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.engine.machine import machine

__all__ = ["pack", "panel_columns"]

LINE = 64  # bytes in a cache line
HUGE = 2 << 20  # bytes in a huge page


def pack(weight: NDArray[Any]) -> NDArray[Any]:
    """Return weight (in, out) as one flat array of panels.

    A panel holds up to three vectors' worth of columns for every k, k after k, so that the kernel reads it
    from front to back. The last panel has as many vectors as it needs; columns that do not exist are 0.

    Parameters
    ----------
    weight : ndarray of shape (in, out), float32 or float64

    Returns
    -------
    ndarray of shape (in * padded out,)
    """
    inner, columns = weight.shape
    lanes, most = machine().lanes(weight.itemsize), panel_columns(weight.itemsize)
    packed = _aligned(inner * -(-columns // lanes) * lanes, weight.dtype)
    for first in range(0, columns, most):
        part = weight[:, first : first + most]
        width = -(-part.shape[1] // lanes) * lanes
        panel = packed[inner * first : inner * (first + width)].reshape(inner, width)
        panel[:, : part.shape[1]] = part
        panel[:, part.shape[1] :] = 0
    return packed


def panel_columns(itemsize: int) -> int:
    """Return how many columns a panel has, unless it is the last one."""
    return machine().tile[1] * machine().lanes(itemsize)


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
