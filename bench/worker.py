"""The process of one peer: it builds what it is sent, runs it, times it, and answers over one pipe.

Started by `bench.process` as ``python -m bench.worker DESCRIPTOR THREADS ENTRY VARIANT``, with the thread
counts pinned in the environment before anything is imported. A request is a tuple whose first item
names it; the answer is ``("ok", value)``, ``("lacks", text)`` or ``("error", text)``.
"""

from __future__ import annotations

import sys

from bench.environment import pin, versions

if __name__ == "__main__":
    pin(int(sys.argv[2]))  # before NumPy is imported: OpenBLAS counts the cores when it loads

import contextlib
import ctypes
import gc
import importlib
import resource
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.jobs import Job, LacksError, Ready, sample

__all__ = ["Peer", "peak_rss", "serve", "timed"]


class Peer:
    """The requests that a worker answers, each a method of its name."""

    def __init__(self, entry: str, variant: str, threads: int) -> None:
        module, _, function = entry.partition(":")
        self.build: Callable[..., Any] = getattr(importlib.import_module(module), function)
        self.variant, self.threads = variant, threads
        self.ready: Ready | None = None

    def hello(self) -> bool:
        """Answer when the imports are done."""
        return True

    def prepare(self, job: Job) -> None:
        """Build the job; what was built before is let go first."""
        self.ready = None
        gc.collect()
        forget_peak_rss()
        self.ready = self.build(self.variant, job, self.threads)

    def run(self, most_rows: int) -> tuple[tuple[int, ...], str, Any]:
        """Return the output's shape, its dtype, and at most ``most_rows`` rows of it, evenly spread."""
        assert self.ready is not None
        output = self.ready.to_numpy(self.ready.run())
        return output.shape, str(output.dtype), output[sample(len(output), most_rows)].copy()

    def time(self, blocks: int, calls: int) -> list[float]:
        """Return the seconds per call of each block."""
        assert self.ready is not None
        return timed(self.ready.run, blocks, calls)

    def calibrate(self, seconds: float) -> float:
        """Return the seconds of a warmed-up call: the best of the calls that fit into ``seconds``, at least two."""
        assert self.ready is not None
        run, best, calls, stop = self.ready.run, float("inf"), 0, time.perf_counter() + seconds
        while calls < 2 or (time.perf_counter() < stop and calls < 10_000):
            start = time.perf_counter()
            run()
            best = min(best, time.perf_counter() - start)
            calls += 1
        return best

    def call(self, *arguments: Any) -> Any:
        """Call the entry itself: for what is no peer but needs a pinned process (`bench.limits`)."""
        return self.build(*arguments)

    def versions(self, distributions: tuple[str, ...]) -> dict[str, str]:
        """Return the versions that this interpreter has."""
        return versions(distributions)

    def rss(self) -> int:
        """Return the largest resident size since the job was sent, in bytes."""
        return peak_rss()


def timed(run: Callable[[], Any], blocks: int, calls: int) -> list[float]:
    """Return the seconds per call of each of ``blocks`` blocks of ``calls`` calls, the collector off.

    An untimed call warms the caches, unless there is only one call: that one is too long to care.
    """
    clock = time.perf_counter
    repeats = range(calls)
    seconds = []
    gc.disable()
    try:
        if blocks * calls > 1:
            run()
        for _ in range(blocks):
            start = clock()
            for _ in repeats:
                run()
            seconds.append((clock() - start) / calls)
    finally:
        gc.enable()
    return seconds


def peak_rss() -> int:
    """Return the largest resident size of this process, in bytes."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


def forget_peak_rss() -> None:
    """Start the count of the largest resident size anew, where the kernel lets us (Linux, proc(5): clear_refs)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def serve(connection: Connection, peer: Peer) -> None:
    """Answer requests until the other side closes or asks to quit."""
    while True:
        try:
            command, *arguments = connection.recv()
        except EOFError:
            return
        if command == "quit":
            return
        try:
            answer = ("ok", getattr(peer, command)(*arguments))
        except LacksError as lack:
            answer = ("lacks", str(lack))
        except Exception as error:  # a peer may fail in any way; the run goes on without it
            answer = ("error", f"{type(error).__name__}: {error}")
        connection.send(answer)


def die_with_parent() -> None:
    """Have the kernel end this process with its parent: stopped workers must not be left behind (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, prctl(2)


def main(arguments: list[str]) -> None:
    """Serve one peer over the pipe whose descriptor is the first argument."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends its workers
    descriptor, threads, entry, variant = arguments
    with Connection(int(descriptor)) as connection:
        try:
            peer = Peer(entry, variant, int(threads))
        except Exception as error:  # an installed but broken peer fails on import, in any way
            connection.send(("error", f"{type(error).__name__}: {error}"))
            return
        connection.send(("ok", True))
        serve(connection, peer)


if __name__ == "__main__":
    main(sys.argv[1:])
