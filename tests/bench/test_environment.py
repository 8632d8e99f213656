from __future__ import annotations

import datetime
import os

import numpy as np
import pytest

import refnet
from bench import environment


def test_every_library_is_held_to_the_threads() -> None:
    for threads in (1, 2):
        pins = environment.pins(threads)
        assert all(pins[name] == str(threads) for name in environment.THREAD_VARIABLES)
        assert ("XLA_FLAGS" in pins) == (threads == 1)
        assert all(isinstance(value, str) for value in pins.values())


def test_cores_are_those_this_process_may_use() -> None:
    assert list(environment.cores()) == sorted(os.sched_getaffinity(0))


def test_versions_leave_out_what_is_not_installed() -> None:
    found = environment.versions(["numpy", "refnet", "no-such-distribution"])
    assert found == {"numpy": np.__version__, "refnet": refnet.__version__}


def test_the_machine_is_described() -> None:
    machine = environment.machine()
    assert set(machine) == {"cpu", "vectors", "cores", "architecture", "system", "python"}
    assert all(machine.values())
    assert datetime.datetime.fromisoformat(environment.today()).tzinfo is datetime.UTC


def test_a_path_already_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    assert environment.pythonpath() == f"{environment.ROOT}{os.pathsep}elsewhere"
