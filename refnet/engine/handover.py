"""The compiled half of `refnet.engine.workers`: how a call gives parts of itself to threads that wait for them.

A call fills in a ticket and puts its address into the mailboxes of workers. Whoever holds the ticket, the caller
too, takes the next part from it until there is none. So nobody depends on a worker that does not come: the caller
takes back what was not fetched, and waits only for those that are in the middle of a part.
"""

from __future__ import annotations

import numba
from numba import types

from refnet.engine.atomics import add, let_others_run, pause, read, swap, write
from refnet.engine.intrinsics import call_kernel, load_int64, store_int64
from refnet.engine.workers import (
    ASLEEP,
    COLUMN_TABLE,
    DONE,
    FINISHED,
    FIRST,
    FUNCTION,
    IDLE,
    JOINED,
    MAILBOX_WORDS,
    MAILBOXES,
    NEXT,
    PART,
    ROW_TABLE,
    ROWS,
    RUNNING,
    SCRATCH,
    SECOND,
    STRIDE,
    TABLE,
    TOTAL,
    UNITS,
    WORKERS,
    X_ARRAY,
    Y_ARRAY,
    YIELD,
)

#: After so many pauses (about a microsecond) a waiting thread lets others run: the one it waits for may be among them.
PAUSES = 64

LEAD = types.void(*[types.int64] * 6)
SERVE = types.void(*[types.int64] * 3)


@numba.njit(error_model="numpy")
def wait(ticket: int, word: int, enough: int) -> None:
    """Wait until a word of the ticket has reached a value."""
    turns = 0
    while read(ticket, word) < enough:
        pause()
        turns += 1
        if turns % PAUSES == 0:
            let_others_run(load_int64(ticket, YIELD))


@numba.njit(error_model="numpy")
def _take_part(ticket: int) -> None:
    """Run parts of the ticket's work until none is left to take."""
    scratch = load_int64(ticket, SCRATCH) + add(ticket, JOINED, 1) * load_int64(ticket, STRIDE)
    total, part = load_int64(ticket, TOTAL), load_int64(ticket, PART)
    function, table = load_int64(ticket, FUNCTION), load_int64(ticket, TABLE)
    while True:
        first = add(ticket, NEXT, part)
        if first >= total:
            break
        last = min(total, first + part)
        call_kernel(function, table, load_int64(ticket, FIRST), load_int64(ticket, SECOND), first, last, scratch)
        add(ticket, DONE, last - first)


def lead(ticket: int, x: int, y: int, rows: int, part: int, function: int) -> None:
    """Run a forward pass together with whichever workers are there.

    Rows in parts of ``part`` rows, or, if that is 0, columns: the units of work that the ticket's table has.
    """
    store_int64(ticket, FUNCTION, function)
    store_int64(ticket, TABLE, load_int64(ticket, ROW_TABLE if part else COLUMN_TABLE))
    store_int64(ticket, X_ARRAY, x)
    store_int64(ticket, Y_ARRAY, y)
    store_int64(ticket, ROWS, rows)
    store_int64(ticket, FIRST, x if part else ticket)
    store_int64(ticket, SECOND, y)
    store_int64(ticket, TOTAL, rows if part else load_int64(ticket, UNITS))
    store_int64(ticket, PART, part if part else 1)
    for word in (NEXT, DONE, JOINED, FINISHED):
        store_int64(ticket, word, 0)
    workers, boxes = load_int64(ticket, WORKERS), load_int64(ticket, MAILBOXES)
    given = 0
    for i in range(workers):
        box = boxes + i * MAILBOX_WORDS * 8
        # The last bit says that the worker was asleep, so that the state is known if the ticket is taken back.
        if swap(box, 0, IDLE, ticket) or swap(box, 0, ASLEEP, ticket + 1):
            given += 1
    _take_part(ticket)
    for i in range(workers):
        box = boxes + i * MAILBOX_WORDS * 8
        if swap(box, 0, ticket, IDLE) or swap(box, 0, ticket + 1, ASLEEP):
            given -= 1
    wait(ticket, FINISHED, given)


def serve(box: int, pauses: int, sched_yield: int) -> None:
    """Take tickets from a mailbox until none has come for so many pauses; then fall asleep and return."""
    swap(box, 0, ASLEEP, IDLE)
    left = pauses
    while True:
        word = read(box, 0)
        if word > RUNNING:
            if swap(box, 0, word, RUNNING):
                ticket = word & ~1
                _take_part(ticket)
                write(box, 0, IDLE)
                add(ticket, FINISHED, 1)  # the last touch: the caller may leave now
                left = pauses
        elif left > 0:
            pause()
            left -= 1
            if left % PAUSES == 0:
                let_others_run(sched_yield)
        elif swap(box, 0, IDLE, ASLEEP):
            break
