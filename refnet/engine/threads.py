"""How many threads a forward pass may use."""

from __future__ import annotations

import functools
import operator
import os
from pathlib import Path

from refnet.errors import ArgumentError

__all__ = ["cores", "get_num_threads", "set_num_threads"]

_chosen: int | None = None


def set_num_threads(n: int) -> None:
    """Set how many threads a forward pass may use. Results do not depend on it.

    No more run than there are cores for them.

    Raises
    ------
    ArgumentError
        If ``n`` is not an integer of at least 1.
    """
    global _chosen
    try:
        count = 0 if isinstance(n, bool) else operator.index(n)
    except TypeError:
        count = 0
    if count < 1:
        raise ArgumentError(f"set_num_threads: accepted: an integer of at least 1, found {n!r}")
    _chosen = count


def get_num_threads() -> int:
    """Return how many threads a forward pass may use.

    The last `set_num_threads`, else ``REFNET_NUM_THREADS``, else the cores this process may run on.
    """
    return _chosen if _chosen is not None else _default()


@functools.cache
def _default() -> int:
    given = os.environ.get("REFNET_NUM_THREADS")
    if given:
        if not given.isdecimal() or int(given) < 1:
            raise ArgumentError(f"REFNET_NUM_THREADS: accepted: an integer of at least 1, found {given!r}")
        return int(given)
    return max(1, min(cores(), _cgroup_cores()))


@functools.cache
def cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cgroup_cores() -> int:
    """Return the cores that a container's CPU quota allows (cgroup v2), or many."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return 1 << 30
    return 1 << 30 if quota == "max" else max(1, int(quota) // int(period))
