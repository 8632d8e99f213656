from __future__ import annotations

import gc
import threading
from multiprocessing import Pipe
from typing import Any

import numpy as np
import pytest

from bench import worker
from bench.jobs import Activation, LacksError, Ready


def test_blocks_are_timed_with_the_collector_off_and_on_again() -> None:
    states: list[bool] = []
    seconds = worker.timed(lambda: states.append(gc.isenabled()), 3, 4)
    assert len(seconds) == 3
    assert len(states) == 1 + 3 * 4  # one call to warm up
    assert not any(states)
    assert gc.isenabled()


def test_a_single_call_is_not_made_twice() -> None:
    calls: list[int] = []
    worker.timed(lambda: calls.append(1), 1, 1)
    assert len(calls) == 1


def test_the_collector_comes_back_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError):
        worker.timed(lambda: 1 / 0, 1, 1)
    assert gc.isenabled()


def test_the_peak_grows_with_what_is_held() -> None:
    before = worker.peak_rss()
    held = np.ones(1 << 23)
    assert worker.peak_rss() >= max(before, held.nbytes)


class Peer(worker.Peer):
    def __init__(self) -> None:
        self.ready, self.variant, self.threads = None, "", 1
        self.build = lambda variant, job, threads: Ready(lambda: job.x + 1)

    def odd(self, how: str) -> None:
        raise LacksError("no") if how == "lacks" else ValueError("bad")


def test_requests_are_answered_until_the_end() -> None:
    ours, theirs = Pipe()
    thread = threading.Thread(target=worker.serve, args=(theirs, Peer()))
    thread.start()

    def ask(*request: Any) -> Any:
        ours.send(request)
        return ours.recv()

    assert ask("hello") == ("ok", True)
    assert ask("odd", "lacks") == ("lacks", "no")
    assert ask("odd", "fails") == ("error", "ValueError: bad")
    assert ask("nonsense")[0] == "error"
    assert ask("prepare", Activation("relu", np.zeros(5, np.float32), {})) == ("ok", None)
    status, (shape, dtype, rows) = ask("run", 2)
    assert (status, shape, dtype, rows.tolist()) == ("ok", (5,), "float32", [1, 1])
    ours.send(("quit",))
    thread.join(10)
    assert not thread.is_alive()


def test_a_closed_pipe_ends_the_service() -> None:
    ours, theirs = Pipe()
    ours.close()
    worker.serve(theirs, Peer())
