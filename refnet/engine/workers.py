"""Threads that wait for parts of forward passes, in compiled code and without the GIL.

A hand-over between Python threads takes some 20 microseconds, more than many a forward pass. A worker spins on a
mailbox instead, for a little while after its last work, and then blocks on a lock, so that an idle process burns
nothing. What runs there is in `refnet.engine.handover`; this file starts, wakes and ends the threads.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.engine.objects import native

__all__ = ["MOST", "Ticket", "ready"]

#: A mailbox is one word in two cache lines of its own: one of these states, or the address of a ticket to fetch.
ASLEEP, IDLE, RUNNING = 0, 1, 2
MAILBOX_WORDS = 16

#: The words of a ticket. Those that threads change are in cache lines of their own.
FUNCTION, TABLE, FIRST, SECOND, ROWS, TOTAL, PART, YIELD = range(8)
MAILBOXES, WORKERS, SCRATCH, STRIDE, UNITS, X_ARRAY, Y_ARRAY, SHARED = range(8, 16)
ROW_TABLE, COLUMN_TABLE = 16, 17
NEXT, DONE, JOINED, FINISHED = 32, 48, 64, 65
TICKET_WORDS = 80

#: More threads than this are not started.
MOST = 64

#: Pauses that a worker without work spins for: some 200 microseconds.
PAUSES = 8192

_mailboxes = np.zeros((MOST + 1) * MAILBOX_WORDS, np.int64)
_first = (-_mailboxes.ctypes.data % (8 * MAILBOX_WORDS)) // 8
_boxes: int = _mailboxes[_first:].ctypes.data
_states = memoryview(_mailboxes)[_first::MAILBOX_WORDS]
_lock = threading.Lock()
_workers: list[_Worker] = []


class Ticket:
    """A call's order to the workers, with the scratch memory of all who take part. One call uses it at a time.

    Parameters
    ----------
    row_table, column_table : int
        Addresses of the Plan's tables: for parts that are rows, and for parts that are columns.
    threads : int
        How many may take part, the caller included.
    scratch_bytes, shared_bytes : int
        Scratch memory of each, and of all together.
    units : int
        How many units of work the columns' table has.
    """

    def __init__(
        self, row_table: int, column_table: int, threads: int, scratch_bytes: int, shared_bytes: int, units: int
    ) -> None:
        self.threads = threads
        stride, shared_bytes = -(-scratch_bytes // 128) * 128, -(-shared_bytes // 128) * 128
        self.memory = np.empty(128 + 8 * TICKET_WORDS + shared_bytes + threads * stride, np.uint8)
        self.address = -(-self.memory.ctypes.data // 128) * 128
        start = self.address - self.memory.ctypes.data
        words = self.memory[start : start + 8 * TICKET_WORDS].view(np.int64)
        shared = self.address + 8 * TICKET_WORDS
        words[[ROW_TABLE, COLUMN_TABLE, UNITS]] = row_table, column_table, units
        words[[YIELD, MAILBOXES, WORKERS]] = _sched_yield(), _boxes, threads - 1
        words[[SCRATCH, STRIDE, SHARED]] = shared + shared_bytes, stride, shared
        self._lead = _lead()

    def run(self, x: NDArray[Any], y: NDArray[Any], rows: int, part: int, code: int) -> None:
        """Call compiled code for all rows, in parts of ``part`` rows; or, if that is 0, for all units of columns."""
        ready(self.threads - 1)
        self._lead(self.address, x, y, rows, part, code)


class _Worker:
    """A thread and its mailbox."""

    def __init__(self, index: int) -> None:
        self.bell = threading.Lock()
        self.bell.acquire()
        self.stopping = False
        # More workers than there are cores would only take the cores from those at work: they sleep at once.
        pauses = PAUSES if index < _cores() - 1 else 0
        arguments = _boxes + index * MAILBOX_WORDS * 8, pauses, _sched_yield()
        self.thread = threading.Thread(target=self._run, args=(_serve(), arguments), name="refnet", daemon=True)
        self.thread.start()

    def _run(self, serve: Callable[..., None], arguments: tuple[int, int, int]) -> None:
        while True:
            self.bell.acquire()
            if self.stopping:
                return
            serve(*arguments)

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # another thread was faster
            self.bell.release()


def ready(count: int) -> None:
    """See to it that ``count`` workers exist and are awake, or on their way."""
    if len(_workers) < count:
        _start(count)
    for index in range(count):
        if _states[index] == ASLEEP:
            _workers[index].wake()


def _start(count: int) -> None:
    with _lock:
        while len(_workers) < count:
            _workers.append(_Worker(len(_workers)))


@atexit.register
def _stop() -> None:
    """End the threads while the interpreter is whole."""
    for worker in _workers:
        worker.stopping = True
        worker.wake()
    for worker in _workers:
        worker.thread.join(1.0)


def _forget() -> None:
    """After a fork the child has the mailboxes, but nobody who reads them."""
    global _lock
    _lock = threading.Lock()
    _workers.clear()
    _mailboxes[:] = ASLEEP


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _cores() -> int:
    from refnet.engine.threads import cores

    return cores()


@functools.cache
def _sched_yield() -> int:
    """Return the address of the system's function that lets other threads run."""
    yielding = ctypes.CDLL(None).sched_yield if os.name == "posix" else ctypes.windll.kernel32.SwitchToThread  # type: ignore[attr-defined]
    return int(ctypes.cast(yielding, ctypes.c_void_p).value or 0)


@functools.cache
def _lead() -> Callable[..., None]:
    def recipe() -> tuple[Any, Any]:
        from refnet.engine import handover

        return handover.lead, handover.LEAD

    integer, array = ctypes.c_int64, ctypes.py_object
    return ctypes.CFUNCTYPE(None, integer, array, array, integer, integer, integer)(native("lead", recipe))


@functools.cache
def _serve() -> Callable[..., None]:
    def recipe() -> tuple[Any, Any]:
        from refnet.engine import handover

        return handover.serve, handover.SERVE

    return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(native("serve", recipe))
