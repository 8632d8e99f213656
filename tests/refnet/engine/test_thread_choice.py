"""How many threads there are, as a user chooses it: by a call, by the environment, by affinity, by a container."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

import refnet
from refnet import layers
from refnet.engine import threads
from tests.refnet.engine.apart import run_apart, with_cores


def listed() -> set[str]:
    return {path.name for path in Path("/proc/self/task").iterdir()}


def threads_started(n: int | None, rows: int, cores: int = 8) -> None:
    """Print how many threads the process has more than before, after calls of so many rows on so many cores."""
    with_cores(cores)
    if n is not None:
        refnet.set_num_threads(n)
    compiling = set[str]()  # the system may list them for a while after they have ended

    class Thread(threading.Thread):
        def run(self) -> None:
            compiling.add(str(threading.get_native_id()))
            super().run()

    threading.Thread = Thread
    model = refnet.Sequential([refnet.Input((64,)), layers.Dense(256, "relu"), layers.Dense(10, "softmax")])
    x = np.ones((rows, 64), np.float32)
    model(x[:1])
    before = listed()
    for _ in range(3):
        model(x)
        model.predict(x)
    print(len(listed() - before - compiling))


@pytest.mark.parametrize(
    ("called", "environment", "expected"), [(1, "4", 0), (3, "1", 2), (None, "1", 0), (None, "2", 1), (None, "4", 3)]
)
def test_large_work_is_shared_by_as_many_threads_as_were_chosen(called, environment, expected):
    assert run_apart(threads_started, called, 20_000, REFNET_NUM_THREADS=environment) == f"{expected}\n"


def test_small_work_stays_on_the_calling_thread():
    assert run_apart(threads_started, 4, 1) == "0\n"


@pytest.mark.parametrize("cores", [1, 2, 3])
def test_there_are_no_more_threads_than_cores(cores):
    assert run_apart(threads_started, 8, 20_000, cores) == f"{cores - 1}\n"


def on_one_core() -> None:
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    os.environ.pop("REFNET_NUM_THREADS", None)
    print(threads.get_num_threads())


def test_affinity_is_respected():
    assert run_apart(on_one_core) == "1\n"


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("max 100000\n", None),
        ("400000 100000\n", 4),
        ("150000 100000\n", 1),
        ("50000 100000\n", 1),
        ("not a quota\n", None),
        ("", None),
        (None, None),
    ],
)
def test_a_containers_quota_is_respected(tmp_path, monkeypatch, text, cores):
    for name, content in (("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/cpu.max", text)):
        if content is not None:
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).write_text(content)
    monkeypatch.setattr(threads._cgroup_cores, "__defaults__", (tmp_path,))
    monkeypatch.setattr(threads, "cores", lambda: 64)
    monkeypatch.delenv("REFNET_NUM_THREADS", raising=False)

    assert threads._default.__wrapped__() == (cores or 64)
