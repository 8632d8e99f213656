"""Threads that share the work of a call, in compiled code and without the GIL.

A hand-over between Python threads takes 20 to 40 microseconds, more than many a forward pass. A worker instead looks
at a mailbox for a little while after its last work, and then sleeps until it is woken, so that an idle process burns
nothing. What runs there is in `refnet.engine.handover`; this file starts the threads and says what stands where.
"""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import functools
import os
import threading
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.engine import threads
from refnet.engine.capi import DATA
from refnet.engine.forward import six_words, walk_code
from refnet.engine.objects import native
from refnet.engine.table import ACTIVATION_WORK, FIRST, KERNEL, WORDS, work_size

__all__ = ["HANDOVER", "Ticket", "address_of", "handover_code", "share_kernel", "team"]

#: The functions of `refnet.engine.handover` that are called from here.
HANDOVER = ("lead", "serve")

#: A mailbox: its state, which is one of these or the address of a ticket to fetch, and the lock to sleep on. It has
#: two cache lines, as processors fetch them in pairs.
STATE, LOCK, BOX_WORDS = 0, 1, 16
ABSENT, ASLEEP, IDLE, RUNNING = range(4)

#: Where the first mailbox would be stands how many there are.
COUNT = 0

#: The words of a ticket, the last ones in pairs of cache lines of their own, since the threads change them.
ROW_CODE, ROW_TABLE, COLUMN_CODE, COLUMN_TABLE, BOXES, WORKERS, SCRATCH, STRIDE, SHARED, BELL = range(10)
CODE, TABLE, INPUTS, OUTPUTS, LAST, PART = range(10, 16)
NEXT, DONE, JOINED, AWAITED, TICKET_WORDS = 16, 32, 48, 49, 64

#: More workers than this are not started.
MOST = 63

#: Pauses for which a worker without work looks for some: some 130 microseconds on a Zen 5.
PAUSES = 8192

#: A call of less than `BRIEF_WORK` multiply-adds, which takes at most half a millisecond, and took longer than `LOST`
#: nanoseconds had to wait for a worker whose core was given to another process. Such calls run alone from then on, for
#: `ALONE` times as long as that took. Long calls gain on a busy machine: they get a second share of it.
BRIEF_WORK, LOST, ALONE = 20_000_000, 1_500_000, 20

#: Parts per thread of an array that goes through one kernel, and the numbers that a part has at least.
PARTS, PART_NUMBERS = 4, 1 << 14


def _lasting(words: int) -> NDArray[np.int64]:
    """Return zeros at the start of a pair of cache lines that are never freed: workers outlive the interpreter."""
    memory = np.zeros(words + BOX_WORDS, np.int64)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(memory))
    start = -memory.ctypes.data % (8 * BOX_WORDS) // 8
    return memory[start : start + words]


_boxes = _lasting((1 + MOST) * BOX_WORDS).reshape(1 + MOST, BOX_WORDS)
_boxes_address: int = _boxes.ctypes.data
_lock = threading.Lock()
_bells: list[int] = []  # locks that callers may sleep on
_alone_until = 0  # in nanoseconds of perf_counter_ns


def _taken_lock() -> int:
    """Return the address of a new lock of CPython's, which is taken, and lives for ever."""
    api = ctypes.pythonapi
    api.PyThread_allocate_lock.restype = ctypes.c_void_p
    api.PyThread_acquire_lock.argtypes = (ctypes.c_void_p, ctypes.c_int)
    lock = api.PyThread_allocate_lock()
    if lock is None:
        raise MemoryError
    api.PyThread_acquire_lock(lock, 1)
    return int(lock)


class Ticket:
    """A call's order to the workers, with the scratch memory of all who take part. One call uses it at a time.

    Parameters
    ----------
    threads : int
        How many may take part, the caller included.
    scratch_bytes : int
        Scratch memory of each.
    rows : tuple of int
        The addresses of the code and of the table for parts that are rows (see `refnet.engine.walk.walk`).
    columns : tuple of int, optional
        The same for parts that are columns (see `refnet.engine.walk.walk_columns`).
    shared_bytes : int, optional
        Memory that all have together, for columns.
    """

    def __init__(
        self,
        threads: int,
        scratch_bytes: int,
        rows: tuple[int, int],
        columns: tuple[int, int] = (0, 0),
        shared_bytes: int = 0,
    ) -> None:
        self.threads, self._bell = threads, _bells.pop() if _bells else _taken_lock()
        stride, shared_bytes = -(-scratch_bytes // 128) * 128, -(-shared_bytes // 128) * 128
        self.memory = np.empty((128 + shared_bytes + threads * stride) // 8 + TICKET_WORDS, np.int64)
        start = address_of(self.memory)
        self.address = -(-start // 128) * 128
        shared, first = self.address + 8 * TICKET_WORDS, (self.address - start) // 8
        places = _boxes_address, threads - 1, shared + shared_bytes, stride, shared, self._bell
        self.memory[first : first + BELL + 1] = *rows, *columns, *places
        self._lead = _lead()

    def __del__(self, give_back: Callable[[int], None] = _bells.append) -> None:
        give_back(self._bell)

    def run(self, x: NDArray[Any], y: NDArray[Any], first: int, last: int, part: int, work: int) -> None:
        """Run rows of x, in parts of ``part`` rows; or all of them by columns, if that is 0. ``work``: see `team`."""
        global _alone_until
        if self.threads - 1 > _boxes.item(0):
            _start(self.threads - 1)
        start = perf_counter_ns()
        self._lead(self.address, x, y, first, last, part)
        end = perf_counter_ns()
        if work < BRIEF_WORK and end - start > LOST:
            _alone_until = end + ALONE * (end - start)


def team(work: int) -> int:
    """Return how many threads may share a call of so many multiply-adds.

    As many as were chosen, but no more than there are cores for them; one if the call is short and the machine busy.
    """
    if work < BRIEF_WORK and perf_counter_ns() < _alone_until:
        return 1
    return min(threads.get_num_threads(), threads.cores(), MOST + 1)


def share_kernel(
    kernel: tuple[int, int], x: NDArray[Any], y: NDArray[Any], rows: int, widths: tuple[int, int], count: int
) -> None:
    """Run one kernel over arrays, on ``count`` threads: a walk of one step.

    Parameters
    ----------
    kernel : tuple of int
        The addresses of the kernel and of its parameters.
    x, y : ndarray
        C-contiguous, of the dtype that the kernel reads and writes.
    rows : int
    widths : tuple of int
        How many numbers a row of x and a row of y has.
    count : int
    """
    part = max(-(-rows // (PARTS * count)), PART_NUMBERS // max(1, *widths))
    part = -(-part // 16) * 16 if max(widths) == 1 else part  # whole cache lines
    head, step = (1, part, *[0] * (WORDS - 2)), (KERNEL, FIRST, FIRST, *widths, *kernel, 0)
    table = np.array((head, step), np.int64)
    walk = walk_code("float32" if x.itemsize == 4 else "float64")
    ticket = Ticket(count, 8 * work_size(max(widths)), (walk, address_of(table)))
    ticket.run(np.asarray(x), np.asarray(y), 0, rows, part, ACTIVATION_WORK * rows * max(widths))


def address_of(array: NDArray[Any]) -> int:
    """Return ``array.ctypes.data``, in a tenth of the time (see `refnet.engine.capi`)."""
    return int(ctypes.c_int64.from_address(id(array) + 8 * DATA).value)


def _start(count: int) -> None:
    """Have ``count`` workers, or as many as the system allows: the callers do what nobody else takes."""
    serve = _serve()
    with _lock:
        for index in range(int(_boxes[0, COUNT]) + 1, count + 1):
            # Not threading.Thread, whose start waits for the new thread: Ctrl-C may come meanwhile, and at the
            # interpreter's end the thread never does. A system that refuses one is not asked again. If Ctrl-C comes
            # before the last line, the next call starts another worker for the mailbox: see `_work`.
            with contextlib.suppress(RuntimeError):
                _thread.start_new_thread(_work, (serve, index))
            _boxes[0, COUNT] = index


def _work(serve: Callable[[int, int], None], index: int) -> None:
    box = _boxes[index]
    with _lock:
        if box[STATE] != ABSENT:
            return
        box[LOCK] = _taken_lock()
        box[STATE] = IDLE
    serve(box.ctypes.data, PAUSES)


def _forget() -> None:
    """Threads do not survive a fork: the child has their mailboxes, but nobody who reads them."""
    global _lock
    _lock = threading.Lock()
    _boxes[:] = 0
    threads.cores.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@functools.cache
def handover_code(name: str) -> int:
    """Return the address of a function of `refnet.engine.handover`."""

    def recipe() -> tuple[Any, Any]:
        from refnet.engine import handover

        return getattr(handover, name), handover.SIGNATURES[name]

    return native(f"handover-{name}", recipe)


@functools.cache
def _lead() -> Callable[..., None]:
    array, word = ctypes.py_object, ctypes.c_int64
    return six_words(handover_code("lead"), (word, array, array, word, word, word))


@functools.cache
def _serve() -> Callable[[int, int], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64)(handover_code("serve"))
