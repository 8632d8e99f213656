"""From rounds of timings to one number with its spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refnet.errors import ArgumentError

__all__ = ["Summary", "calls_for", "summarize"]

#: A slice is timed in at most this many blocks, so that one interruption spoils one block.
BLOCKS = 15


@dataclass(frozen=True)
class Summary:
    """Seconds per call over the rounds: the median, the quartiles, the fastest and slowest round.

    Examples
    --------
    >>> summarize([1.0, 2.0, 3.0, 4.0, 100.0]).median
    3.0
    >>> round(summarize([1.0, 2.0, 3.0, 4.0, 100.0]).spread, 2)
    0.67
    """

    median: float
    low: float
    high: float
    fastest: float
    slowest: float
    rounds: int

    @property
    def spread(self) -> float:
        """The distance between the quartiles as a share of the median."""
        return (self.high - self.low) / self.median if self.median else 0.0


def summarize(rounds: Sequence[float]) -> Summary:
    """Return the summary of one number per round.

    Raises
    ------
    ArgumentError
        If there is no round, or a time is negative or not finite.
    """
    if not rounds:
        raise ArgumentError("no round was timed; accepted: one or more")
    if not all(math.isfinite(seconds) and seconds >= 0 for seconds in rounds):
        raise ArgumentError(f"the timings {list(rounds)!r} are not all finite and positive")
    low, median, high = (float(value) for value in np.quantile(rounds, (0.25, 0.5, 0.75)))
    return Summary(median, low, high, float(min(rounds)), float(max(rounds)), len(rounds))


def calls_for(seconds_per_call: float, slice_seconds: float) -> tuple[int, int]:
    """Return ``(blocks, calls in each block)`` that fill about one slice of time.

    Examples
    --------
    >>> calls_for(1e-6, 0.06)
    (15, 4000)
    >>> calls_for(0.02, 0.06)
    (3, 1)
    >>> calls_for(5.0, 0.06)
    (1, 1)
    """
    calls = max(1, round(slice_seconds / max(seconds_per_call, 1e-9)))
    blocks = min(calls, BLOCKS)
    return blocks, calls // blocks
