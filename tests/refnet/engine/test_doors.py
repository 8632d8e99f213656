"""The doors called as a user's program does, and as it never should: what they take, give back and keep alive."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import sys
import threading
import time
import weakref

import numpy as np
import pytest

import refnet
from refnet import activations, layers
from refnet.engine import plan as engine_plan
from refnet.engine.forward import activation_kernel, kernel_door, parameter_values, walk_door
from refnet.engine.plan import Plan
from refnet.errors import DTypeError, ShapeError

CALLS = 100_000


def random(*shape: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@pytest.fixture
def plan(net) -> Plan:
    return Plan(net([5, 10, 3], ["relu", "softmax"]), 5, "float32", "Sequential 'm'", (None, 5))


def most_rows(plan: Plan) -> int:
    return engine_plan.SHORT_WORK // plan._only.work


class TestSixWords:
    @pytest.fixture
    def call(self):
        """Return relu's kernel and six arguments that it takes, with what keeps them alive."""
        relu = activations.get("relu")
        x, y, parameters = random(8), np.zeros(8, np.float32), parameter_values(relu, np.float32)
        kernel = kernel_door(activation_kernel(relu, "float32"))
        return kernel, [x.ctypes.data, y.ctypes.data, 8, 1, parameters.ctypes.data, 0], (x, y, parameters)

    def test_runs_the_code(self, call):
        kernel, arguments, (x, y, _) = call

        assert kernel(*arguments) is None
        assert y.tobytes() == activations.get("relu").numpy(x).tobytes()

    @pytest.mark.parametrize("count", [0, 5, 7])
    def test_another_number_of_arguments_is_a_type_error(self, call, count):
        kernel, arguments, (_, y, _) = call
        with pytest.raises(TypeError):
            kernel(*[*arguments, 0][:count])
        with pytest.raises(TypeError):
            kernel(*arguments, columns=1)
        assert not y.any()

    @pytest.mark.parametrize("place", range(6))
    @pytest.mark.parametrize("wrong", [-1, 2**70, -(2**70), 1.0, None, "8", np.int64(8), True, np.zeros(1)], ids=repr)
    def test_a_wrong_argument_is_a_type_error(self, call, place, wrong):
        kernel, arguments, (_, y, _) = call
        arguments[place] = wrong
        with pytest.raises(TypeError):
            kernel(*arguments)
        assert not y.any()

    @pytest.mark.parametrize("place", [1, 2])
    def test_the_walk_takes_arrays_and_nothing_else_for_them(self, plan, place):
        walk, chain = walk_door("float32"), plan._only
        address, _memory = chain._scratch()
        arguments = [chain.address, random(2, 5), np.zeros((2, 3), np.float32), 0, 2, address]
        walk(*arguments)
        assert arguments[2].tobytes() == plan(arguments[1]).tobytes()

        arguments[place] = arguments[place].ctypes.data
        with pytest.raises(TypeError):
            walk(*arguments)

    def test_it_gives_the_gil_away_while_it_works(self, plan):
        chain, x, y = plan._only, random(50_000, 5), np.empty((50_000, 3), np.float32)
        assert runs_beside(lambda: chain._run(x, y, 0, 50_000))

    def test_references_are_given_back(self, call):
        kernel, arguments, _ = call
        before = [sys.getrefcount(one) for one in [*arguments, None]]
        for _ in range(CALLS):
            kernel(*arguments)

        assert [sys.getrefcount(one) - 50 < old for one, old in zip([*arguments, None], before, strict=True)]


def runs_beside(work) -> bool:
    """Tell whether another thread runs during one of ten seconds' calls, and not by the interpreter's own switching.

    The first will do, but on a machine with other work the thread may wait for a core.
    """
    turns, over = [0], threading.Event()

    def turn() -> None:
        while not over.is_set():
            turns[0] += 1
            os.sched_yield()  # gives the GIL away for a moment

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=turn)
    sys.setswitchinterval(1000)
    try:
        thread.start()
        end = time.monotonic() + 10.0
        while time.monotonic() < end:
            before = turns[0]
            work()
            if turns[0] > before:
                return True
        return False
    finally:
        sys.setswitchinterval(interval)
        over.set()
        thread.join()


class TestForward:
    @pytest.mark.parametrize("rows", [0, 1, 2, 7, 32])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_the_same_bits_as_the_plan(self, net, rows, dtype):
        plan = Plan(net([5, 10, 3], ["relu", "softmax"], dtype), 5, dtype)
        x = random(rows, 5, dtype=dtype)

        y = plan.door()(x)

        assert (y.shape, y.dtype, y.flags.carray, y.flags.owndata) == ((rows, 3), plan.dtype, True, True)
        assert y.tobytes() == plan(x).tobytes()

    def test_an_array_from_a_pickle_goes_by_the_door(self, net, monkeypatch):
        """Its dtype is an object of its own, equal to NumPy's."""
        plan = Plan(net([5, 10, 3], ["relu", "softmax"]), 5, "float32")
        x = random(2, 5)
        door, expected, copied = plan.door(), plan(x).tobytes(), pickle.loads(pickle.dumps(x))
        assert copied.dtype is not x.dtype
        monkeypatch.setattr(Plan, "__call__", lambda self, x: pytest.fail("the Plan was asked"))
        assert door(copied).tobytes() == expected

    def test_many_rows_are_for_the_plan(self, net, monkeypatch):
        plan = Plan(net([5, 10, 3], ["relu", "softmax"]), 5, "float32")
        door, asked = plan.door(), []
        monkeypatch.setattr(Plan, "__call__", lambda self, x: asked.append(len(x)))
        for rows in (most_rows(plan), most_rows(plan) + 1):
            door(random(rows, 5))

        assert asked == [most_rows(plan) + 1]

    @pytest.mark.parametrize(
        "change",
        [
            np.asfortranarray,
            lambda x: np.repeat(x, 2, axis=1)[:, ::2],
            lambda x: x[::-1][::-1],
            lambda x: x.astype(x.dtype.newbyteorder()),
            lambda x: x.astype(np.float64),
            lambda x: x.tolist(),
            lambda x: x.view(np.matrix),
            lambda x: np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape),
            lambda x: np.frombuffer(x.tobytes(), np.float32).reshape(x.shape),
        ],
        ids=["fortran", "strided", "reversed", "byteorder", "float64", "list", "subclass", "unaligned", "read-only"],
    )
    def test_whatever_the_plan_takes(self, plan, change):
        x = random(12, 5)
        assert plan.door()(change(x)).tobytes() == plan(x).tobytes()

    @pytest.mark.parametrize(
        ("x", "error"),
        [
            (random(2, 6), ShapeError),
            (random(5), ShapeError),
            (random(1, 2, 5), ShapeError),
            (np.float32(1.0), ShapeError),
            (np.zeros((2, 5), np.complex64), DTypeError),
            (None, DTypeError),
            ("text", DTypeError),
            (float, DTypeError),
        ],
        ids=repr,
    )
    def test_what_the_plan_refuses(self, plan, x, error):
        door = plan.door()
        for _ in range(100):
            with pytest.raises(error, match=r"^Sequential 'm': [^\n]*$"):
                door(x)

    def test_another_number_of_arguments_is_a_type_error(self, plan):
        door, x = plan.door(), random(2, 5)
        for arguments in ((), (x, x)):
            with pytest.raises(TypeError):
                door(*arguments)
        with pytest.raises(TypeError):
            door(x=x)

    @pytest.mark.parametrize("x", [random(2, 5), random(2, 5).tolist(), random(2, 6)], ids=["plain", "list", "bad"])
    def test_references_are_given_back(self, plan, x):
        door = plan.door()
        things = [x, door, plan, plan.dtype, np.ndarray, None, door.__self__]
        before = [sys.getrefcount(thing) for thing in things]
        for _ in range(CALLS if isinstance(x, np.ndarray) and x.shape == (2, 5) else 2000):
            try:
                y = door(x)
            except ShapeError:
                y = door(random(1, 5))

        assert sys.getrefcount(y) == 2
        assert max(abs(sys.getrefcount(t) - old) for t, old in zip(things, before, strict=True)) < 50

    def test_it_keeps_the_plan_alive_and_no_longer(self, net):
        plan = Plan(net([5, 3], ["relu"]), 5, "float32")
        x, alive = random(2, 5), weakref.ref(plan)
        expected, door = plan(x).tobytes(), plan.door()
        del plan
        gc.collect()

        assert door(x).tobytes() == expected
        del door
        assert alive() is None  # without the garbage collector's help

    def test_after_a_fork(self, plan):
        door, x = plan.door(), random(3, 5)
        expected = door(x).tobytes()
        child = os.fork()
        if child == 0:
            os._exit(0 if door(x).tobytes() == expected else 1)
        assert os.waitpid(child, 0)[1] == 0

    def test_weights_that_change_while_others_predict(self):
        model = refnet.Sequential([refnet.Input((5,)), layers.Dense(8, "tanh"), layers.Dense(3)])
        x = random(4, 5)
        weights = [model.get_weights(), [1.0 + w for w in model.get_weights()]]
        possible = set()
        for these in weights:
            model.set_weights(these)
            possible.add(model(x).tobytes())
        found, over = [set() for _ in range(4)], threading.Event()

        def predict(mine: set[bytes]) -> None:
            while not over.is_set():
                mine.add(model(x).tobytes())

        threads = [threading.Thread(target=predict, args=(mine,)) for mine in found]
        for thread in threads:
            thread.start()
        for turn in range(200):
            model.set_weights(weights[turn % 2])
            gc.collect(0)
        over.set()
        for thread in threads:
            thread.join()

        assert len(possible) == 2
        assert set.union(*found) <= possible
        assert all(found)

    def test_a_model_that_has_run_is_copied_and_pickled(self):
        model = refnet.Sequential([refnet.Input((5,)), layers.Dense(3, "softmax")])
        x = random(2, 5)
        expected = model(x).tobytes()

        assert copy.deepcopy(model)(x).tobytes() == expected
        assert pickle.loads(pickle.dumps(model))(x).tobytes() == expected
        assert model(x).tobytes() == expected


def test_without_builtins_calls_go_through_ctypes(net, monkeypatch):
    plan, x = Plan(net([5, 10, 3], ["relu", "softmax"]), 5, "float32"), random(40, 5)
    relu = activations.get("relu").with_parameters(negative_slope=0.25)
    expected = plan.door()(x).tobytes(), relu(x).tobytes()
    for user in ("forward", "plan", "apply"):
        monkeypatch.setattr(f"refnet.engine.{user}.usable", lambda: False)
    walk_door.cache_clear()
    kernel_door.cache_clear()
    try:
        plan = Plan(net([5, 10, 3], ["relu", "softmax"]), 5, "float32")
        relu = activations.get("relu").with_parameters(negative_slope=0.25)

        assert plan.door() == plan
        assert [(plan.door()(x).tobytes(), relu(x).tobytes()) for _ in range(2)] == [expected] * 2
    finally:
        walk_door.cache_clear()
        kernel_door.cache_clear()
