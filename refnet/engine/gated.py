"""glu and its kin: a formula of two numbers, one from each half of a row."""

from __future__ import annotations

from typing import Any

from refnet.engine.formulas import Reading
from refnet.engine.lanes import over_lanes
from refnet.engine.rows import copy
from refnet.engine.rowwise import room
from refnet.engine.table import BLOCK
from refnet.engine.vectors import NUMBERS

__all__ = ["gated"]

#: Columns of a half from which on rows go one by one.
LONG = 64


def gated(reading: Reading, stored: str, live: int) -> Any:
    """Return the kernel for a formula of (a, b); a row of y is half as long as one of x.

    Short rows are taken apart into the work space, a block at a time: all first halves, then all second ones. What
    the formula gives for an entry does not depend on the way that it came.
    """
    size = NUMBERS[stored][1]
    copy_half = copy(stored)
    loop = over_lanes(lambda a, b: (reading(a, b),), (stored, stored), (stored,), live=live, ahead=(False, False, True))

    def run(x: int, y: int, rows: int, columns: int, parameters: int, work: int) -> None:
        half = columns // 2
        length = half * size
        if half >= LONG:
            for r in range(rows):
                here, there = x + 2 * r * length, y + r * length
                loop(half, 0, here + 2 * length, here + 3 * length, there + length, here, here + length, there)
        else:
            block, second = max(1, BLOCK // max(1, half)), work + 8 * room(columns)
            for first in range(0, rows, block):
                count, here = min(block, rows - first), x + 2 * first * length
                for r in range(count):
                    copy_half(here + 2 * r * length, half, work + r * length)
                    copy_half(here + (2 * r + 1) * length, half, second + r * length)
                there, all_ = y + first * length, count * length
                loop(count * half, 0, here + 2 * all_, here + 3 * all_, there + all_, work, second, there)

    return run
