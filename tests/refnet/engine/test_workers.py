"""Workers start, sleep, and end with the process; what forks, exits and systems that refuse threads do to them."""

from __future__ import annotations

import _thread
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import refnet
from refnet import activations, layers
from refnet.engine import threads, workers
from refnet.engine.forward import activation_kernel, parameter_values
from tests.refnet.engine.apart import in_child, run_apart, with_cores


def model_and_rows() -> tuple[refnet.Sequential, list[np.ndarray], list[bytes]]:
    """Return a model, few rows that are shared by columns and many that are not, and their bits on one thread."""
    model = refnet.Sequential([refnet.Input((600,)), layers.Dense(700, "tanh"), layers.Dense(10, "softmax")])
    given = [np.random.default_rng(rows).standard_normal((rows, 600)).astype(np.float32) for rows in (1, 200)]
    refnet.set_num_threads(1)
    expected = [model(x).tobytes() for x in given]
    with_cores(3)
    refnet.set_num_threads(3)
    return model, given, expected


def test_a_team_is_as_many_as_chosen_but_not_more_than_cores(monkeypatch):
    monkeypatch.setattr(threads, "_chosen", 5)
    monkeypatch.setattr(threads, "cores", lambda: 64)
    assert workers.team(1) == 5
    monkeypatch.setattr(threads, "cores", lambda: 2)
    assert workers.team(1) == 2
    monkeypatch.setattr(threads, "_chosen", 1 << 20)
    monkeypatch.setattr(threads, "cores", lambda: 1 << 10)
    assert workers.team(1) == workers.MOST + 1


def test_short_calls_run_alone_after_one_that_was_held_up(monkeypatch):
    monkeypatch.setattr(threads, "_chosen", 3)
    monkeypatch.setattr(threads, "cores", lambda: 3)
    monkeypatch.setattr(workers, "_alone_until", 0)
    nothing = np.zeros(1, np.float32)
    ticket = workers.Ticket(3, 0, (0, 0))

    def run(work: int, seconds: float) -> None:
        ticket._lead = lambda *arguments: time.sleep(seconds)
        ticket.run(nothing, nothing, 0, 1, 1, work)

    run(workers.BRIEF_WORK, 0.01)  # long calls take long
    assert workers.team(1) == 3
    run(1, 0.5)
    assert workers.team(1) == 1
    assert workers.team(workers.BRIEF_WORK) == 3
    monkeypatch.setattr(workers, "_alone_until", time.perf_counter_ns() - 1)
    assert workers.team(1) == 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 1), (100_003, 1), (70_001, 3), (7, 30_000), (1, 100_000)])
@pytest.mark.parametrize("name", ["relu", "sigmoid", "softmax"])
def test_a_shared_kernel_gives_the_same_bits(name, rows, columns, dtype):
    activation = activations.get(name)
    if activation.kind == "elementwise":
        rows, columns = rows * columns, 1
    x = np.random.default_rng(0).standard_normal((rows, columns)).astype(dtype)
    y = np.full((rows + 1, columns), 7, dtype)
    parameters = parameter_values(activation, dtype)
    kernel = activation_kernel(activation, dtype), parameters.ctypes.data
    workers.share_kernel(kernel, x, y, rows, (columns, columns), 3)
    half = rows // 2

    assert y[:half].tobytes() == activation(x[:half]).tobytes()
    assert y[half:-1].tobytes() == activation(x[half:]).tobytes()
    assert (y[-1] == 7).all()


def tasks() -> int:
    return len([*Path("/proc/self/task").iterdir()])


def idle() -> None:
    model, given, _ = model_and_rows()
    for x in given * 50:
        model(x)
    time.sleep(0.5)
    before = time.process_time()
    time.sleep(2)
    print(time.process_time() - before)


def test_an_idle_process_uses_no_cpu():
    """Two workers that looked for work all the time would use some seconds."""
    assert float(run_apart(idle)) < 0.3


def refused() -> None:
    asked = []

    def refuse(*arguments: object) -> None:
        asked.append(arguments)
        raise RuntimeError("can't start new thread")

    _thread.start_new_thread = refuse  # type: ignore[assignment]
    model, given, expected = model_and_rows()
    for x, bits in zip(given * 3, expected * 3, strict=True):
        assert model(x).tobytes() == bits
    print(len(asked))


def test_a_system_that_refuses_threads_is_asked_once_for_each():
    assert run_apart(refused).strip() == "2"


def started_twice() -> None:
    """As after Ctrl-C between a worker's start and the line that counts it."""
    before = tasks()
    model, given, expected = model_and_rows()
    for _ in range(5):
        for x, bits in zip(given, expected, strict=True):
            assert model(x).tobytes() == bits
        workers._boxes[0, workers.COUNT] = 0
        workers._start(2)
    time.sleep(0.5)
    print(tasks() - before, workers._boxes[0, workers.COUNT])


def test_a_mailbox_has_one_worker_however_often_it_is_started():
    assert run_apart(started_twice).split() == ["2", "2"]


def forks() -> None:
    """Fork again and again while workers work for other threads; children and theirs have workers of their own."""
    model, given, expected = model_and_rows()
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            for x in given:
                model(x)

    callers = [threading.Thread(target=call) for _ in range(2)]
    for caller in callers:
        caller.start()
    codes = [in_child(lambda: _same(model, given, expected) and _forked_again(model, given, expected))]
    codes += [in_child(lambda: _same(model, given, expected)) for _ in range(15)]
    stop.set()
    for caller in callers:
        caller.join()
    assert _same(model, given, expected)
    print(codes)


def _same(model, given, expected) -> bool:
    many = zip(given * 3, expected * 3, strict=True)
    return all(model(x).tobytes() == bits for x, bits in many) and workers._boxes[0, workers.COUNT] == 2


def _forked_again(model, given, expected) -> bool:
    return in_child(lambda: workers._boxes[0, 0] == 0 and _same(model, given, expected)) == 0


def test_a_forked_child_does_not_wait_for_its_parents_workers():
    assert run_apart(forks, timeout=120).strip() == str([0] * 16)


def ends_at_once(busy: bool) -> None:
    """End while the workers look for work, and while a daemon thread is in the middle of calls."""
    model, given, expected = model_and_rows()

    def call() -> None:
        while True:
            for x in given:
                model(x)

    for _ in range(2 if busy else 0):
        threading.Thread(target=call, daemon=True).start()
    time.sleep(0.05 * busy)
    print(model(given[1]).tobytes() == expected[1])


@pytest.mark.parametrize("busy", [False, True])
def test_the_interpreter_ends_while_workers_are_awake(busy):
    for _ in range(5):
        assert run_apart(ends_at_once, busy, timeout=60).strip() == "True"
