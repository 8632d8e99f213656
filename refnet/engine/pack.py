"""Weights in the order in which the matrix kernel reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.engine.machine import machine

__all__ = ["pack"]


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
    columns = weight.shape[1]
    lanes = machine().lanes(weight.itemsize)
    _, vectors = machine().tile(weight.itemsize)
    panels = []
    for first in range(0, columns, vectors * lanes):
        part = weight[:, first : first + vectors * lanes]
        missing = -part.shape[1] % lanes
        panels.append(np.pad(part, ((0, 0), (0, missing))).ravel())
    return np.concatenate(panels) if panels else weight.ravel()
