"""The compiled half of `refnet.engine.workers`: how a call shares its work with threads that wait for it.

A call writes a ticket and puts its address into the mailboxes of workers. Whoever holds the ticket, the caller too,
takes part after part until none is left. So nothing depends on a worker that does not come: the caller does what
nobody else has taken, takes back the tickets that were not fetched, and waits only for workers that have begun.
"""

from __future__ import annotations

from numba import njit, types

from refnet.engine.atomics import add, pause, read, swap, write
from refnet.engine.intrinsics import call_kernel, load_int64, store_int64
from refnet.engine.workers import (
    ASLEEP,
    AWAITED,
    BELL,
    BOX_WORDS,
    BOXES,
    CODE,
    COLUMN_CODE,
    COLUMN_TABLE,
    COUNT,
    DONE,
    IDLE,
    INPUTS,
    JOINED,
    LAST,
    LOCK,
    NEXT,
    OUTPUTS,
    PART,
    ROW_CODE,
    ROW_TABLE,
    RUNNING,
    SCRATCH,
    STATE,
    STRIDE,
    TABLE,
    WORKERS,
)

#: Pauses until a thread that waits for another lets the system run something else: some 50 microseconds. Whoever works
#: is done with a part before that, so the other thread has lost its core. It may be for this thread to give it one,
#: but every time it does so on a busy machine it is away for milliseconds.
PATIENCE = 3000

#: Pauses between two turns at which a worker without work does so: nobody waits for it.
POLITENESS = 128

#: What a caller that falls asleep adds to the number of workers that it waits for.
SLEEPING = 1 << 32

WORD = types.int64
SIGNATURES = {"lead": types.void(*[WORD] * 6), "serve": types.void(WORD, WORD)}

# CPython's locks need no GIL. Any thread may release one, also before another waits for it.
_acquire = types.ExternalFunction("PyThread_acquire_lock", types.int32(WORD, types.int32))
_release = types.ExternalFunction("PyThread_release_lock", types.void(WORD))
_let_others_run = types.ExternalFunction("sched_yield", types.int32())


@njit(error_model="numpy")
def wait(ticket: int, word: int, enough: int) -> None:
    """Wait until a word of the ticket has reached a value."""
    turns = 0
    while read(ticket, word) < enough:
        turns += 1
        if turns < PATIENCE:
            pause()
        else:
            _let_others_run()


@njit(error_model="numpy")
def _take_part(ticket: int) -> None:
    """Do parts of the ticket's work until none is left to take."""
    scratch = load_int64(ticket, SCRATCH) + add(ticket, JOINED, 1) * load_int64(ticket, STRIDE)
    code, table = load_int64(ticket, CODE), load_int64(ticket, TABLE)
    inputs, outputs = load_int64(ticket, INPUTS), load_int64(ticket, OUTPUTS)
    last, part = load_int64(ticket, LAST), load_int64(ticket, PART)
    if part == 0:
        call_kernel(code, table, ticket, inputs, outputs, last, scratch)
    else:
        first = add(ticket, NEXT, part)
        while first < last:
            call_kernel(code, table, inputs, outputs, first, min(last, first + part), scratch)
            first = add(ticket, NEXT, part)


def lead(ticket: int, inputs: int, outputs: int, first: int, last: int, part: int) -> None:
    """Run the rows from ``first`` to before ``last`` together with whichever workers are free.

    They are shared in parts of ``part`` rows; or by columns if that is 0, and then ``first`` must be 0. Its other
    arguments: the address of the ticket; the lists of inputs and of outputs (see `refnet.engine.walk.walk`).
    """
    store_int64(ticket, CODE, load_int64(ticket, ROW_CODE if part else COLUMN_CODE))
    store_int64(ticket, TABLE, load_int64(ticket, ROW_TABLE if part else COLUMN_TABLE))
    store_int64(ticket, INPUTS, inputs)
    store_int64(ticket, OUTPUTS, outputs)
    store_int64(ticket, LAST, last)
    store_int64(ticket, PART, part)
    store_int64(ticket, NEXT, first)
    for word in (DONE, JOINED, AWAITED):
        store_int64(ticket, word, 0)
    wanted = load_int64(ticket, WORKERS)
    if part:
        wanted = min(wanted, (last - first - 1) // part)
    boxes, given = load_int64(ticket, BOXES), 0
    there = read(boxes, COUNT)
    for i in range(1, there + 1):
        box = boxes + i * BOX_WORDS * 8
        if given < wanted:
            if swap(box, STATE, IDLE, ticket):
                given += 1
            elif swap(box, STATE, ASLEEP, ticket + 1):  # the last bit tells what to go back to
                given += 1
                _release(load_int64(box, LOCK))
    _take_part(ticket)
    for i in range(1, there + 1):
        box = boxes + i * BOX_WORDS * 8
        if swap(box, STATE, ticket, IDLE) or swap(box, STATE, ticket + 1, ASLEEP):
            given -= 1
    if given > 0 and add(ticket, AWAITED, given) + given > 0:
        _await(ticket)


@njit(error_model="numpy")
def _await(ticket: int) -> None:
    """Wait until the workers that have begun are done: awake for a while, and then asleep until the last one ends."""
    for _ in range(PATIENCE):
        if read(ticket, AWAITED) == 0:
            return
        pause()
    if add(ticket, AWAITED, SLEEPING) > 0:
        _acquire(load_int64(ticket, BELL), 1)


def serve(box: int, pauses: int) -> None:
    """Do the work of the tickets that come into a mailbox, for ever; sleep when none has come for so many pauses.

    It never returns, so that at the interpreter's end no thread is about to need it.
    """
    left = pauses
    while True:
        word = read(box, STATE)
        if word > RUNNING:
            if swap(box, STATE, word, RUNNING):
                ticket = word & ~1
                _take_part(ticket)
                write(box, STATE, IDLE)
                bell = load_int64(ticket, BELL)
                if add(ticket, AWAITED, -1) == SLEEPING + 1:  # the last touch: the caller may be gone after it
                    _release(bell)
                left = pauses
        elif left > 0:
            pause()
            left -= 1
            if left % POLITENESS == 0:
                _let_others_run()
        elif swap(box, STATE, IDLE, ASLEEP):
            _acquire(load_int64(box, LOCK), 1)
            swap(box, STATE, ASLEEP, IDLE)  # unless there is a ticket
            left = pauses
