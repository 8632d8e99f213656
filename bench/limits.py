"""What the machine can do: the rate of a matrix kernel on data in cache, and the rates of memory and caches.

Measured in the same run as the peers, in a process of its own, so that refnet/limit is a statement about the code
and not about the weather of a shared machine.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np

from bench.process import Worker
from bench.results import Limits
from refnet.engine.peak import peak

__all__ = ["least_seconds", "measure", "measure_apart", "stream_rate"]

#: Working sets whose rate is measured, in bytes: from a core's second-level cache to memory.
LADDER = tuple(1 << power for power in (17, 19, 21, 23, 25, 27))
#: A part of this size stays in a core's own cache, so the rate of n threads is n times that of one.
PRIVATE_BYTES = 1 << 19
#: Each rate is the best of repeated passes for so long: a limit is what can be reached.
SECONDS = 0.15

#: What the rate of operations is measured with.
KERNEL = "refnet's float32 micro-kernel in L1"


def least_seconds(limits: Limits, flops: int, moved_bytes: int) -> tuple[float, str]:
    """Return the least time for so many operations and bytes, and which of the two it is.

    Bytes move at the rate of a working set of their size: weights of 2.7 MB stay in cache from call to call, and
    memory's rate would be no limit for them.

    Examples
    --------
    >>> limits = Limits(1, 1e11, "a kernel", 1e10, ((1 << 20, 1e11), (1 << 27, 1e10)))
    >>> least_seconds(limits, 2 * 10**9, 4)
    (0.02, 'compute')
    >>> least_seconds(limits, 0, 10**9)
    (0.1, 'memory')
    """
    compute, memory = flops / limits.flops_per_second, moved_bytes / stream_rate(limits, moved_bytes)
    return (compute, "compute") if compute >= memory else (memory, "memory")


def stream_rate(limits: Limits, moved_bytes: int) -> float:
    """Return the bytes per second of the smallest measured working set that holds so many bytes."""
    for size, rate in limits.streams:
        if size >= moved_bytes:
            return rate
    return limits.streams[-1][1]


def measure_apart(threads: int) -> Limits:
    """Measure the limits in a process pinned to ``threads`` cores; the libraries in it run one thread each.

    Raises
    ------
    WorkerError
        If that process fails.
    """
    with closing(Worker("limits", "bench.limits:measure", "", threads, sys.executable, library_threads=1)) as worker:
        limits: Limits = worker.ask("call", threads)
        return limits


def measure(threads: int) -> Limits:
    """Measure the limits with ``threads`` threads of this process."""
    flops = _peak(threads)
    streams = tuple((size, _stream(size, threads)) for size in LADDER)
    copies = max(_rate(_copies(LADDER[-1], n), LADDER[-1]) for n in {1, threads})
    return Limits(threads, flops, KERNEL, copies, streams)


def _peak(threads: int) -> float:
    """Return operations per second of the micro-kernel, summed over the threads."""
    peak(0.01)  # compiled, and warm
    return sum(_together([lambda: peak(SECONDS)] * threads))


def _stream(size: int, threads: int) -> float:
    """Return bytes per second over a working set of ``size`` bytes: of copying or of reading, whichever is more.

    A thread alone counts as well: several may hinder each other, and a limit is what can be reached.
    """
    alone = max(_rate(passes(size, 1), size) for passes in (_copies, _reads))
    if threads == 1:
        return alone
    if size // threads <= PRIVATE_BYTES:
        return threads * alone
    return max(alone, *(_rate(passes(size, threads), size) for passes in (_copies, _reads)))


def _copies(size: int, threads: int) -> list[Callable[[], Any]]:
    """Return per thread a pass that reads and writes its part of ``size`` bytes."""
    parts = [np.zeros((2, max(16, size // 8 // threads)), np.float32) for _ in range(threads)]
    for part in parts:
        part.fill(1.0)  # a page that was never written is not memory yet
    return [lambda part=part: np.copyto(part[1], part[0]) for part in parts]  # type: ignore[misc]


def _reads(size: int, threads: int) -> list[Callable[[], Any]]:
    """Return per thread a pass that reads its part of ``size`` bytes: a dot product of its two halves."""
    parts = [np.ones((2, max(16, size // 8 // threads)), np.float32) for _ in range(threads)]
    return [lambda part=part: np.dot(part[0], part[1]) for part in parts]  # type: ignore[misc]


def _rate(passes: list[Callable[[], Any]], size: int) -> float:
    """Return bytes per second when the passes run side by side."""
    if len(passes) == 1:
        tiny = np.ones(16, np.float32)
        overhead = _best(lambda: np.copyto(tiny, tiny), SECONDS / 10)  # of a call into NumPy
        return size / max(_best(passes[0], SECONDS) - overhead, 1e-9)
    rates = _together([lambda one=one: _sustained(one, SECONDS) for one in passes])  # type: ignore[misc]
    return size / len(passes) * sum(rates)


def _best(run: Callable[[], Any], seconds: float) -> float:
    """Return the shortest call within ``seconds``; at least three."""
    best, calls, stop = float("inf"), 0, time.perf_counter() + seconds
    while calls < 3 or time.perf_counter() < stop:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
        calls += 1
    return best


def _sustained(run: Callable[[], Any], seconds: float) -> float:
    """Return calls per second over ``seconds``: side by side, the best single call may be one that ran alone."""
    calls, start = 0, time.perf_counter()
    while calls < 3 or time.perf_counter() < start + seconds:
        run()
        calls += 1
    return calls / (time.perf_counter() - start)


def _together(runs: list[Callable[[], float]]) -> list[float]:
    """Run one function per thread, all at once, and return what they return."""
    barrier = threading.Barrier(len(runs))

    def begin(run: Callable[[], float]) -> float:
        barrier.wait()
        return run()

    with ThreadPoolExecutor(len(runs)) as pool:
        return list(pool.map(begin, runs))
