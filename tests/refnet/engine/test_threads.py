from __future__ import annotations

import os
import subprocess
import sys

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
    ("given", "expected"),
    [
        ("3", "3"),
        ("003", "3"),
        ("1" + "0" * 5000, "1" + "0" * 17),
        *(
            (bad, f"REFNET_NUM_THREADS: accepted: an integer of at least 1, found {bad!r}")
            for bad in ("none", "0", "-1")
        ),
        (
            "x" * 5000,
            f"REFNET_NUM_THREADS: accepted: an integer of at least 1, found '{'x' * 60}'... (5000 characters)",
        ),
    ],
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
    assert done.stdout == f"{expected}\n"


USES = """
import numpy as np, refnet
from refnet import activations, layers
model = refnet.Sequential([refnet.Input((2,)), layers.Dense(3)])
small = np.zeros((1, 2), np.float32)
for use in (lambda: activations.relu(small), lambda: activations.relu([1]), lambda: model(small)):
    try: use()
    except refnet.errors.ArgumentError as error: print(error)
refnet.set_num_threads(1)
print(activations.relu(small).tolist(), model(small).shape)
"""


def test_a_bad_variable_is_refused_where_a_call_is_too_small_to_need_it():
    done = subprocess.run(
        [sys.executable, "-c", USES],
        env={**os.environ, "REFNET_NUM_THREADS": "abc"},
        capture_output=True,
        text=True,
        check=True,
    )
    said = "REFNET_NUM_THREADS: accepted: an integer of at least 1, found 'abc'\n"
    assert done.stdout == f"{3 * said}[[0.0, 0.0]] (1, 3)\n"


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("REFNET_NUM_THREADS", "")
    assert 1 <= threads._default.__wrapped__() <= threads.cores()


def test_the_cores_are_those_that_the_process_may_run_on():
    assert threads.cores() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/", {"cpu.max": "250000 100000"}, 2),
        ("0::/", {"cpu.max": "50000 100000"}, 1),
        ("0::/", {"cpu.max": "max 100000"}, threads.MANY),
        ("0::/a/b", {"a/b/cpu.max": "800000 100000", "a/cpu.max": "300000 100000", "cpu.max": "max 100000"}, 3),
        ("0::/a/b", {"a/b/cpu.max": "200000 100000", "a/cpu.max": "300000 100000"}, 2),
        ("0::/a", {"b/cpu.max": "200000 100000"}, threads.MANY),
        ("0::/docker/of the host", {"cpu.max": "400000 100000"}, 4),
        ("0::/../other:slice", {"cpu.max": "400000 100000"}, 4),
        ("1:cpuset:/\n0::/", {"cpu.cfs_quota_us": "200000", "cpu.cfs_period_us": "100000"}, threads.MANY),
        ("2:cpu,cpuacct:/a", {"cpu/a/cpu.cfs_quota_us": "300000", "cpu/a/cpu.cfs_period_us": "100000"}, 3),
        ("2:cpuacct,cpu:/a", {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "50000"}, 6),
        ("2:cpu:/\n0::/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, threads.MANY),
        (None, {}, threads.MANY),
    ],
)
def test_the_least_quota_of_the_control_groups_counts(tmp_path, groups, files, expected):
    if groups is not None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(f"{groups}\n")
    for name, content in files.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{content}\n")

    assert threads._cgroup_cores(tmp_path) == expected
