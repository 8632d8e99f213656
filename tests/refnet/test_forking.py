"""A fork in the middle of a first call, of building and of compiling: the child computes, nobody waits for ever."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import Any

import pytest

import refnet
from refnet import activations, layers
from tests.refnet.engine.apart import in_child, run_apart

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

X = [[1.0, -2.0, 3.0]]


def first_call(what: str) -> bool:
    if what == "a model's":
        return bool(refnet.Sequential([refnet.Input((3,)), layers.Dense(4, "relu")])(X).shape == (1, 4))
    return activations.get("relu")(X).tolist() == [[1.0, 0.0, 3.0]]


def fork_while_a_thread_imports(name: str, what: str) -> None:
    importing = threading.Event()

    class Slow:
        @staticmethod
        def find_spec(wanted: str, *_: Any) -> None:
            if wanted == name:
                importing.set()
                time.sleep(0.5)  # the fork comes now

    sys.meta_path.insert(0, Slow)  # type: ignore[arg-type]
    thread = threading.Thread(target=first_call, args=(what,))
    thread.start()
    while thread.is_alive() and not importing.wait(0.01):
        pass
    print(in_child(lambda: first_call(what)))
    thread.join()


@pytest.mark.parametrize("what", ["a model's", "an activation's"])
@pytest.mark.parametrize("name", ["refnet.engine.plan", "refnet.engine.apply", "refnet.engine.objects", "numpy.ma"])
def test_a_child_computes_that_is_forked_in_the_middle_of_a_first_call(name, what):
    assert run_apart(fork_while_a_thread_imports, name, what) == "0\n"


def fork_while_a_function_compiles_in_build() -> None:
    activations.get("tanh")(X)
    building = threading.Event()

    def function(z: Any) -> Any:
        building.set()
        time.sleep(0.3)  # the fork comes now
        return activations.get("gelu")(z)

    thread = threading.Thread(target=refnet.Sequential, args=([refnet.Input((3,)), layers.Activation(function)],))
    thread.start()
    building.wait()
    print(in_child(lambda: activations.get("gelu")(X).shape == (1, 3)))
    thread.join()


def test_building_and_a_fork_take_their_locks_in_one_order():
    assert run_apart(fork_while_a_function_compiles_in_build, timeout=60) == "0\n"


def fork_while_a_compiler_logs() -> None:
    from refnet.engine.objects import native

    compiling = threading.Event()

    def recipe() -> Any:
        from numba import types

        compiling.set()
        time.sleep(0.3)  # the fork comes now
        logging.getLogger("somebody")
        return (lambda x: None), types.void(types.int64)

    thread = threading.Thread(target=native, args=("test-slow", recipe), kwargs={"keep": False})
    thread.start()
    compiling.wait()
    print(in_child(lambda: True))
    thread.join()


def test_a_compiler_may_log_while_a_fork_waits_for_it():
    first = "from refnet import activations; activations.get('relu')([1.0])"  # before anything imports logging
    assert run_apart(fork_while_a_compiler_logs, first=first, timeout=60) == "0\n"
