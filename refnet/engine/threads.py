"""How many threads a forward pass may use, and the pool that they come from."""

from __future__ import annotations

import functools
import operator
import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

from refnet.errors import ArgumentError

__all__ = ["get_num_threads", "run", "set_num_threads"]

_chosen: int | None = None


def set_num_threads(n: int) -> None:
    """Set how many threads a forward pass may use. Results do not depend on it.

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
    if given is not None:
        if not given.isdecimal() or int(given) < 1:
            raise ArgumentError(f"REFNET_NUM_THREADS: accepted: an integer of at least 1, found {given!r}")
        return int(given)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _cgroup_cores()))


def _cgroup_cores() -> int:
    """Return the cores that a container's CPU quota allows (cgroup v2), or many."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return 1 << 30
    return 1 << 30 if quota == "max" else max(1, int(quota) // int(period))


class _Workers:
    """Threads that wait for parts of work, as many as were ever asked for at once.

    Not a ThreadPoolExecutor: where Ctrl-C comes while one waits for its result, the lock of that result stays taken,
    and its worker, and then the end of the interpreter, wait for ever. A queue and locks written in C have no such
    moment. The threads are daemons, so that an interrupted program need not wait for what it no longer wants.
    """

    def __init__(self) -> None:
        self.jobs: SimpleQueue[tuple[Callable[[int], None], int, list[BaseException], threading.Lock]] = SimpleQueue()
        self.count = 0

    def start(self, count: int) -> None:
        """Have ``count`` threads; two callers at once may start one too many, which only waits."""
        while self.count < count:
            threading.Thread(target=self._work, name=f"refnet_{self.count}", daemon=True).start()
            self.count += 1

    def _work(self) -> None:
        while True:
            task, part, errors, done = self.jobs.get()
            try:
                task(part)
            except BaseException as error:
                errors.append(error)
            done.release()
            del task  # it holds arrays, which must not wait for the next job to be freed


_workers = _Workers()


def _renew() -> None:
    # Threads do not survive a fork.
    global _workers
    _workers = _Workers()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def run(task: Callable[[int], None], parts: int) -> None:
    """Call ``task(0)`` to ``task(parts - 1)`` at once, the first of them on the calling thread.

    Where no thread can be started, as while the interpreter ends, they run one after the other.
    """
    try:
        _workers.start(parts - 1)
    except RuntimeError:
        for part in range(parts):
            task(part)
        return
    jobs, errors = _workers.jobs, list[BaseException]()
    waiting = []
    for part in range(1, parts):
        done = threading.Lock()
        done.acquire()
        jobs.put((task, part, errors, done))
        waiting.append(done)
    task(0)
    for done in waiting:
        done.acquire()
    if errors:
        raise errors[0]
