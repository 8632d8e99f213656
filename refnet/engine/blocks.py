"""Input that compiled code cannot read as it is: converted in blocks of rows, so that no copy grows with the batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from refnet.engine.workers import team
from refnet.errors import ShapeError
from refnet.layers.inputs import as_plain, is_plain

if TYPE_CHECKING:
    from refnet.engine.plan import Chain

__all__ = ["run_converted"]

#: Bytes of converted input that each thread has in a block, in whole tiles. On one core of a Zen 5 a million rows of
#: 5-10-10-10 in float64 took 15.5 milliseconds with 128 KiB, 14.8 with 512, 16.9 with all rows at once; 65,536 rows of
#: 784-512-512-10, whose tiles have 400 KiB, 356 with one or two tiles and 361 with 40.
BLOCK_BYTES = 512 * 1024


def run_converted(chain: Chain, x: NDArray[Any]) -> NDArray[Any]:
    """Return what a chain makes of real numbers in any layout and byte order: x (..., in) -> y (..., out).

    Raises
    ------
    ShapeError
        If the rows have another width than the chain's.
    """
    x = x.view()  # another thread may set the shape of the caller's meanwhile
    width, rows = x.shape[-1], math.prod(x.shape[:-1])
    if width != chain.width:
        raise ShapeError(f"{chain.who}: rows of {width} numbers reach a step; accepted: {chain.width}")
    y = np.empty((*x.shape[:-1], chain.out_width), chain.dtype)
    block = chain.tile * max(1, BLOCK_BYTES // max(1, chain.tile * width * chain.dtype.itemsize))
    if rows <= block or is_plain(x, chain.dtype):
        chain(as_plain(x, chain.dtype).reshape(rows, width), y.reshape(rows, chain.out_width))
    else:
        _fill(y, chain, x, block * team(rows * chain.work))
    return y


def _fill(y: NDArray[Any], chain: Chain, x: NDArray[Any], block: int) -> None:
    """Write the chain's result into y, in blocks of so many rows at most."""
    inner = math.prod(x.shape[1:-1])
    if inner > block:
        for deeper_y, deeper_x in zip(y, x, strict=True):
            _fill(deeper_y, chain, deeper_x, block)
        return
    step = block // max(1, inner)
    for first in range(0, len(x), step):
        part, converted = y[first : first + step], as_plain(x[first : first + step], chain.dtype)
        rows = len(part) * inner
        chain(converted.reshape(rows, chain.width), part.reshape(rows, chain.out_width))
