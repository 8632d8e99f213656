"""How many threads a forward pass may use."""

from __future__ import annotations

import functools
import operator
import os
from pathlib import Path

from refnet.errors import ArgumentError

__all__ = ["cores", "get_num_threads", "require_valid", "set_num_threads"]

#: Cores where nothing limits them.
MANY = 1 << 30

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


def require_valid() -> None:
    """Refuse a ``REFNET_NUM_THREADS`` that is no number of threads, before a call is large enough to need it.

    Raises
    ------
    ArgumentError
        If it is no integer of at least 1, and nothing else was chosen.
    """
    if _chosen is None:
        _given()


@functools.cache
def _given() -> int | None:
    """Return what ``REFNET_NUM_THREADS`` says, if it is there."""
    given = os.environ.get("REFNET_NUM_THREADS")
    if not given:
        return None
    # 18 digits are as many threads as anybody may want, and Python reads no more than some thousand.
    count = int(given.lstrip("0")[:18] or "0") if given.isdecimal() else 0
    if count < 1:
        found = repr(given) if len(given) <= 60 else f"{given[:60]!r}... ({len(given)} characters)"
        raise ArgumentError(f"REFNET_NUM_THREADS: accepted: an integer of at least 1, found {found}")
    return count


@functools.cache
def _default() -> int:
    return _given() or max(1, min(cores(), _cgroup_cores()))


@functools.cache
def cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cgroup_cores(root: Path = Path("/")) -> int:
    """Return the cores that the CPU quotas of this process' control groups allow, or many.

    A quota holds for all groups below. In a container the path may be the host's, of which only the top is there.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return MANY
    least = MANY
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            top, files = root / "sys/fs/cgroup", ["cpu.max"]
        elif "cpu" in controllers.split(","):
            top, files = root / "sys/fs/cgroup/cpu", ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
        else:
            continue
        names = path.split("/")[1:] if path != "/" else []
        least = min(least, *(_quota(top.joinpath(*names[:depth]), files) for depth in range(len(names) + 1)))
    return least


def _quota(folder: Path, files: list[str]) -> int:
    """Return the cores that a control group allows, at least one; many where no quota stands in its files."""
    try:
        quota, period = map(int, " ".join((folder / name).read_text() for name in files).split())
    except (OSError, ValueError):  # no such file, or "max"
        return MANY
    return max(1, quota // period) if quota > 0 else MANY
