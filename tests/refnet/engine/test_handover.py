"""The hand-over, with functions of Python in the place of compiled code: who does what, and who waits for whom."""

from __future__ import annotations

import ctypes
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from refnet.engine import workers
from refnet.engine.workers import ABSENT, ASLEEP, IDLE, STATE, Ticket

LONG = 30  # seconds that nothing here takes
MUCH = 1 << 40

x, y = np.zeros(3, np.float32), np.zeros(3, np.float32)
code_of = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)


def ticket_of(function: Callable[..., None], threads: int, scratch: int = 0) -> Ticket:
    """Return a ticket whose code is a function of the first row, the row after the last, and the scratch memory."""
    code = code_of(lambda table, x, y, first, last, scratch: function(first, last, scratch))
    address = ctypes.cast(code, ctypes.c_void_p).value
    assert address is not None
    ticket = Ticket(threads, scratch, (address, 0))
    ticket.code = code  # type: ignore[attr-defined]  # it lives as long as the ticket
    return ticket


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def states() -> list[int]:
    return [int(box[STATE]) for box in workers._boxes[1 : 1 + workers._boxes[0, workers.COUNT]]]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Begin and end with three workers that are asleep."""
    workers._start(3)
    until(lambda: set(states()) == {ASLEEP})
    yield
    until(lambda: set(states()) == {ASLEEP})


@pytest.mark.parametrize(("first", "last", "part"), [(0, 1, 1), (0, 100, 1), (0, 100, 7), (40, 100, 8), (0, 3, 8)])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_every_row_is_done_once(threads, first, last, part):
    seen: list[tuple[int, int]] = []
    ticket = ticket_of(lambda start, end, scratch: seen.append((start, end)), threads)
    for _ in range(20):
        seen.clear()
        ticket.run(x, y, first, last, part, MUCH)

        assert sorted(seen) == [(start, min(last, start + part)) for start in range(first, last, part)]


def test_the_workers_take_part_with_scratch_memory_of_their_own():
    barrier = threading.Barrier(4)
    seen: dict[int, int] = {}

    def meet(first: int, last: int, scratch: int) -> None:
        seen[threading.get_ident()] = scratch
        barrier.wait(LONG)

    ticket = ticket_of(meet, 4, scratch=1000)
    ticket.run(x, y, 0, 4, 1, MUCH)

    begin, end = ticket.memory.ctypes.data, ticket.memory.ctypes.data + ticket.memory.nbytes
    places = sorted(seen.values())
    assert threading.get_ident() in seen
    assert len(seen) == 4
    assert all(place % 128 == 0 and begin <= place <= end - 1000 for place in places)
    assert min(np.diff(places)) >= 1000


def test_the_caller_waits_for_a_worker_that_has_begun():
    caller = threading.get_ident()
    begun, done = threading.Event(), []

    def run(first: int, last: int, scratch: int) -> None:
        if threading.get_ident() == caller:
            begun.wait(LONG)
        else:
            begun.set()
            time.sleep(0.2)  # by then the caller sleeps
        done.append(first)

    ticket = ticket_of(run, 2)
    for _ in range(3):
        begun.clear()
        done.clear()
        ticket.run(x, y, 0, 2, 1, MUCH)

        assert sorted(done) == [0, 1]


def test_a_caller_does_alone_what_no_worker_is_free_for():
    everyone = len(states()) + 1  # tests before this one may have started more than three
    held, go_on = threading.Barrier(everyone + 1), threading.Event()

    def hold(first: int, last: int, scratch: int) -> None:
        held.wait(LONG)
        go_on.wait(LONG)

    holding = threading.Thread(target=ticket_of(hold, everyone).run, args=(x, y, 0, everyone, 1, MUCH))
    holding.start()
    held.wait(LONG)
    seen: set[int] = set()
    ticket_of(lambda first, last, scratch: seen.add(threading.get_ident()), 4).run(x, y, 0, 50, 1, MUCH)
    go_on.set()
    holding.join()

    assert seen == {threading.get_ident()}


def test_no_more_workers_are_called_than_there_are_parts():
    inside: list[list[int]] = []
    ticket = ticket_of(lambda first, last, scratch: inside.append(states()), 4)
    ticket.run(x, y, 0, 8, 8, MUCH)
    ticket.run(x, y, 8, 9, 1, MUCH)

    assert inside == [[ASLEEP] * len(states())] * 2


def test_workers_without_work_sleep_and_wake_again():
    barrier = threading.Barrier(2)
    for pause in (0.0, 0.0, 0.05, 0.0):
        time.sleep(pause)
        ticket_of(lambda first, last, scratch: barrier.wait(LONG), 2).run(x, y, 0, 2, 1, MUCH)
        assert states()[0] in (IDLE, ASLEEP)
    until(lambda: states()[0] == ASLEEP)


def test_a_worker_that_is_not_there_is_not_missed(monkeypatch):
    boxes = np.zeros((4, workers.BOX_WORDS), np.int64)
    boxes[0, workers.COUNT] = 3
    monkeypatch.setattr(workers, "_boxes_address", boxes.ctypes.data)
    seen: list[int] = []
    ticket_of(lambda first, last, scratch: seen.append(first), 4).run(x, y, 0, 5, 1, MUCH)

    assert seen == [0, 1, 2, 3, 4]
    assert set(boxes[1:, STATE]) == {ABSENT}


def test_many_callers_at_once():
    """Each of eight callers adds up its own rows; the workers go from one to the next."""
    start, sums = threading.Barrier(8), [0] * 8
    locks = [threading.Lock() for _ in sums]

    def add(caller: int, first: int, last: int, scratch: int) -> None:
        with locks[caller]:
            sums[caller] += last - first

    def call(caller: int) -> None:
        ticket: Any = ticket_of(functools.partial(add, caller), 4)
        start.wait(LONG)
        for _ in range(300):
            ticket.run(x, y, 0, 10, 3, MUCH)

    threads = [threading.Thread(target=call, args=(caller,)) for caller in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sums == [3000] * 8
