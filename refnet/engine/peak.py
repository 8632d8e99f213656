"""The most that the matrix kernel can do on this machine: two blocks of rows, all operands in the first-level cache."""

from __future__ import annotations

import ctypes
import time
from typing import Any

import numpy as np

from refnet.engine.machine import machine
from refnet.engine.objects import native
from refnet.engine.pack import pack

__all__ = ["peak"]

#: Lengths of the sum. A panel of 48 columns has 18 to 43 kB then, and first-level caches have 32 or 48: the shorter
#: ones fit into any, and in the longer ones a block's beginning and end weigh less. The best counts.
LENGTHS = (96, 128, 160, 192, 224)


def peak(seconds: float = 0.2) -> float:
    """Return the float32 operations per second of the matrix kernel on one thread, a fused multiply-add being two.

    It releases the GIL, and is compiled once as every kernel.

    Parameters
    ----------
    seconds : float
        How long to measure, in all. The best of many short runs counts.

    Examples
    --------
    >>> from refnet.engine.peak import peak
    >>> peak(0.01) > 1e8
    True
    """
    rows, columns = _shape()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, LENGTHS[-1])).astype(np.float32)
    weight = pack(rng.standard_normal((LENGTHS[-1], columns)).astype(np.float32))
    z = np.zeros((rows, columns), np.float32)
    door = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 5)(native("peak-float32", _recipe))
    times, best, end = 200, 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        for inner in LENGTHS:
            start = time.perf_counter()
            door(x.ctypes.data, weight.ctypes.data, z.ctypes.data, inner, times)
            best = max(best, 2.0 * times * z.size * inner / (time.perf_counter() - start))
    return best


def _shape() -> tuple[int, int]:
    """Return how many rows and columns of sums are computed at a time."""
    rows, vectors = machine().tile
    return 2 * rows, vectors * machine().lanes(4)


def _recipe() -> tuple[Any, Any]:
    from numba import types

    from refnet.engine.gemm import matmul

    product = matmul("float32")
    rows, columns = _shape()

    def run(x: int, weight: int, z: int, inner: int, times: int) -> None:
        for _ in range(times):
            product(x, weight, z, rows, inner, columns, 0, 0, columns)

    return run, types.void(*[types.int64] * 5)
