from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from refnet.engine import threads
from refnet.errors import ArgumentError


@pytest.fixture(autouse=True)
def restored(monkeypatch):
    monkeypatch.setattr(threads, "_chosen", None)


def test_the_chosen_number_counts():
    threads.set_num_threads(3)
    assert threads.get_num_threads() == 3


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "2", None])
def test_a_bad_number_is_refused(n):
    with pytest.raises(ArgumentError, match="accepted: an integer of at least 1"):
        threads.set_num_threads(n)


def test_the_default_is_what_the_process_may_use():
    assert 1 <= threads.get_num_threads() <= len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("given", "expected"), [("3", "3"), ("none", "REFNET_NUM_THREADS"), ("0", "REFNET_NUM_THREADS")]
)
def test_the_environment_counts(given, expected):
    code = "from refnet.engine import threads\ntry: print(threads.get_num_threads())\nexcept ValueError as e: print(e)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "REFNET_NUM_THREADS": given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(expected)


def test_every_part_runs_once_and_the_first_here():
    threads.set_num_threads(4)
    seen: list[tuple[int, int]] = []
    threads.run(lambda part: seen.append((part, threading.get_ident())), 4)

    assert sorted(part for part, _ in seen) == [0, 1, 2, 3]
    assert dict(seen)[0] == threading.get_ident()


def test_an_error_in_a_part_reaches_the_caller():
    def fail(part: int) -> None:
        if part == 1:
            raise ArgumentError("part 1")

    with pytest.raises(ArgumentError, match="part 1"):
        threads.run(fail, 2)


def test_after_a_fork_the_child_has_a_pool_of_its_own():
    threads.set_num_threads(2)
    threads.run(lambda part: None, 2)
    child = os.fork()
    if child == 0:
        seen: list[int] = []
        threads.run(seen.append, 2)
        os._exit(0 if sorted(seen) == [0, 1] else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
