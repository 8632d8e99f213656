"""The door of activations (`refnet.engine.doors.activate`), called as a user's program does, and as it never should."""

from __future__ import annotations

import copy
import pickle
import sys
import threading
import tracemalloc

import numpy as np
import pytest

from refnet import activations
from refnet.engine.apply import SHORT_ELEMENTS
from refnet.engine.doors import WORK_BYTES
from refnet.errors import RefnetError
from tests.refnet.engine.test_doors import CALLS, random, runs_beside


@pytest.mark.parametrize("name", ["leaky_relu", "softmax"])
class TestActivate:
    def test_the_same_bits_whatever_the_way(self, name):
        activation = activations.get(name)
        around = [(SHORT_ELEMENTS, 1), (SHORT_ELEMENTS + 1,), (819, 10), (820, 10), (40, 1025), (7, 20_000)]
        for shape in [(1,), (3, 7), (2, 3, 4), *around]:
            for dtype in ("float32", "float64"):
                x = random(*shape, dtype=dtype)
                activation(x)  # the first call makes the door
                out = np.zeros_like(x)
                y = activation(x)

                assert (y.shape, y.dtype, y.flags.carray) == (x.shape, x.dtype, True)
                assert activation(x, out=out) is out
                assert out.tobytes() == y.tobytes() == activation._general(x, None).tobytes()
                assert x.tobytes() == random(*shape, dtype=dtype).tobytes()

    @pytest.mark.parametrize(
        "out",
        [
            np.zeros((3, 4), np.float32),
            np.zeros((5, 3), np.float32),
            np.zeros(15, np.float32),
            np.zeros((3, 5), np.float64),
            np.zeros((3, 5), ">f4"),
            np.frombuffer(bytes(60), np.float32).reshape(3, 5),
            [[0.0] * 5] * 3,
            False,
            float,
        ],
        ids=["shape", "turned", "rank", "dtype", "byteorder", "read-only", "list", "flag", "class"],
    )
    def test_a_bad_out_is_refused_every_time(self, name, out):
        activation, x = activations.get(name), random(3, 5)
        activation(x)
        before = copy.deepcopy(out)
        for _ in range(100):
            with pytest.raises(RefnetError, match=rf"^activation '{name}': out [^\n]*$"):
                activation(x, out=out)
        assert np.array_equal(out, before)

    def test_out_may_overlap(self, name):
        activation = activations.get(name)
        memory = random(41)
        for shift in (0, 1, 39, 40):
            here = memory.copy()
            x, out = here[:-1], here[shift:][: here.size - 1]
            if out.size < x.size:
                x, out = here[: 41 - shift], here[shift:]
            expected = activation(x.copy())
            activation(x, out=out)

            assert out.tobytes() == expected.tobytes()

    def test_a_number_and_nothing(self, name):
        activation = activations.get(name)
        for x in (np.zeros((0,), np.float32), np.zeros((3, 0), np.float32), np.zeros((0, 3), np.float32)):
            activation(x)
            assert activation(x).shape == x.shape
        number = np.array(2.0, np.float32)
        if activation.kind == "rowwise":
            with pytest.raises(RefnetError):
                activation(number)
        else:
            assert activation(number).shape == ()
            assert activation(number).tobytes() == activation.numpy(number).tobytes()

    def test_another_number_of_arguments_is_a_type_error(self, name):
        activation, x = activations.get(name), random(3)
        activation(x)
        door = activation._doors[x.dtype]
        for arguments in ((), (x,), (x, x, x)):
            with pytest.raises(TypeError):
                door(*arguments)

    def test_references_are_given_back(self, name):
        activation, x, out = activations.get(name), random(3, 5), np.empty((3, 5), np.float32)
        activation(x)
        things = [x, out, None, x.dtype, np.ndarray, activation._doors[x.dtype]]
        before = [sys.getrefcount(thing) for thing in things]
        for _ in range(CALLS):
            activation(x, out=out)
            y = activation(x)

        assert sys.getrefcount(y) == 2
        assert max(abs(sys.getrefcount(t) - old) for t, old in zip(things, before, strict=True)) < 50

    def test_one_that_has_run_is_copied_and_pickled(self, name):
        activation, x = activations.get(name), random(3, 5)
        expected = activation(x).tobytes()

        assert copy.deepcopy(activation)(x).tobytes() == expected
        assert pickle.loads(pickle.dumps(activation))(x).tobytes() == expected

    @pytest.mark.parametrize(("rows", "times"), [(20, 2000), (2000, 300)])
    def test_many_threads(self, name, rows, times):
        activation = activations.get(name)
        inputs = [np.random.default_rng(seed).standard_normal((rows, 30)).astype(np.float32) for seed in range(4)]
        expected = [activation(x).tobytes() for x in inputs]
        good = [False] * 4

        def work(place: int) -> None:
            good[place] = all(activation(inputs[place]).tobytes() == expected[place] for _ in range(times))

        threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert all(good)


def test_an_activation_of_an_array_from_a_pickle_goes_by_the_door(monkeypatch):
    tanh, x = activations.get("tanh"), random(5)
    expected, copied, out = tanh(x).tobytes(), pickle.loads(pickle.dumps(x)), np.zeros(5, np.float32)
    monkeypatch.setattr("refnet.engine.apply._run", lambda *arguments: pytest.fail("Python was asked"))
    assert tanh(copied).tobytes() == tanh(copied, out=pickle.loads(pickle.dumps(out))).tobytes() == expected


class TestHalved:
    """glu, whose result is half as long along the last axis."""

    glu = activations.get("glu")

    def test_the_same_bits_whatever_the_way(self):
        for shape in [(2,), (3, 8), (2, 3, 4), (1,) * 7 + (6,), (1,) * 9 + (6,), (819, 10), (820, 10), (40, 2050)]:
            for dtype in ("float32", "float64"):
                x = random(*shape, dtype=dtype)
                self.glu(x)
                out = np.zeros((*shape[:-1], shape[-1] // 2), dtype)
                y = self.glu(x)

                assert (y.shape, y.dtype, y.flags.carray) == (out.shape, x.dtype, True)
                assert self.glu(x, out=out) is out
                assert out.tobytes() == y.tobytes() == self.glu._general(x, None).tobytes()

    @pytest.mark.parametrize("shape", [(3, 8), (3, 3), (2, 4), (3, 4, 1), (12,)])
    def test_a_bad_out_is_refused_every_time(self, shape):
        x, out = random(3, 8), np.zeros(shape, np.float32)
        self.glu(x)
        for _ in range(100):
            with pytest.raises(RefnetError, match=r"^activation 'glu': out has shape [^\n]*; accepted: \(3, 4\)$"):
                self.glu(x, out=out)
        assert not out.any()

    def test_an_odd_row_is_refused_every_time(self):
        self.glu(random(3, 8))
        for _ in range(100):
            with pytest.raises(RefnetError, match=r"^activation 'glu': an axis of size 7 cannot be halved"):
                self.glu(random(3, 7))

    def test_out_may_overlap(self):
        memory = random(24)
        for start in (0, 1, 8, 11, 12):
            here = memory.copy()
            expected = self.glu(memory.copy().reshape(3, 8))
            self.glu(here.reshape(3, 8), out=here[start : start + 12].reshape(3, 4))
            assert here[start : start + 12].tobytes() == expected.tobytes()

    def test_nothing(self):
        for shape in [(0,), (3, 0), (0, 4)]:
            x = np.zeros(shape, np.float32)
            self.glu(x)
            assert self.glu(x).shape == (*shape[:-1], shape[-1] // 2)


def test_parameters_of_a_call_do_not_stay():
    leaky, x = activations.get("leaky_relu"), random(9)
    plain = leaky(x).tobytes()
    steep = leaky(x, 0.7).tobytes()

    assert steep != plain
    assert leaky(x).tobytes() == plain
    assert leaky.with_parameters(negative_slope=0.7)(x).tobytes() == steep
    assert leaky(x, negative_slope=0.7).tobytes() == steep


@pytest.mark.parametrize(("name", "shape"), [("gelu", (60_000,)), ("softmax", (6000, 10)), ("glu", (6000, 10))])
def test_long_work_gives_the_gil_away(name, shape):
    activation, x = activations.get(name), random(*shape)
    activation(x)
    assert runs_beside(lambda: activation(x))


def test_the_work_space_of_many_rows_is_given_back():
    softmax, x, out = activations.get("softmax"), random(2000, 10), np.empty((2000, 10), np.float32)
    softmax(x, out=out)
    tracemalloc.start()
    try:
        softmax(x, out=out)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(20):
            softmax(x, out=out)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak > WORK_BYTES
    assert after - before < WORK_BYTES
