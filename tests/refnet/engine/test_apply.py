from __future__ import annotations

import dataclasses
import gc
import threading
import weakref
from itertools import pairwise

import numpy as np
import pytest

from refnet import activations
from refnet.activations.reading import narrow
from refnet.engine import apply as engine_apply, threads
from refnet.engine.apply import PARALLEL_ELEMENTS
from refnet.errors import ArgumentError, DTypeError, ShapeError

softmax, sigmoid = activations.get("softmax"), activations.get("sigmoid")

BY_ROWS = [name for name in activations.names() if activations.get(name).kind != "elementwise"]


def random(*shape: int, dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_a_row_may_lie_along_any_axis(axis):
    x = random(3, 4, 5)
    expected = np.moveaxis(softmax.numpy(np.moveaxis(x, axis, -1)), -1, axis)

    assert softmax(x, axis=axis).tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_halves_may_lie_along_any_axis(axis, dtype):
    glu, x = activations.get("glu"), random(6, 4, 140, dtype=dtype)
    a, b = np.split(x, 2, axis=axis)
    expected = np.array([glu(np.array(pair)) for pair in zip(a.flat, b.flat, strict=True)]).reshape(a.shape)
    out = np.empty(a.shape[::-1], dtype).T

    assert glu(x, axis=axis).tobytes() == expected.tobytes()
    assert glu(x[::-1, :, ::-1][::-1, :, ::-1], axis=axis, out=out) is out
    assert out.tobytes() == expected.tobytes()
    overlapping = np.concatenate([x.ravel(), x.ravel()])[5 : 5 + x.size].reshape(x.shape)
    overlapping[...] = x
    shared = overlapping.ravel()[: a.size].reshape(a.shape)
    assert glu(overlapping, axis=axis, out=shared).tobytes() == expected.tobytes()


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (2, 0, 6), (2, 6, 0), (2,)])
def test_halves_of_any_shape(shape):
    glu, x = activations.get("glu"), random(*shape)
    expected = glu.numpy(x)

    assert (glu(x).shape, glu(x).tobytes()) == (expected.shape, expected.tobytes())


@pytest.mark.parametrize("name", ["glu", "sparsemax"])
def test_one_axis_only(name):
    with pytest.raises(ArgumentError, match="names 2 axes; accepted: one"):
        activations.get(name)(random(2, 4, 6), axis=(0, 1))


def test_several_axes_make_one_row():
    x = random(3, 4, 5)
    expected = softmax.numpy(np.moveaxis(x, 1, 0).reshape(4, 15)).reshape(4, 3, 5)

    assert softmax(x, axis=(0, 2)).tobytes() == np.ascontiguousarray(np.moveaxis(expected, 0, 1)).tobytes()
    assert softmax(x, axis=None).tobytes() == softmax.numpy(x.reshape(1, 60)).tobytes()


@pytest.mark.parametrize(
    ("axis", "message"),
    [(3, "does not exist"), (-4, "does not exist"), ((0, 0), "twice"), ((0, -3), "twice"), (1.5, "does not exist")],
)
def test_a_bad_axis_is_refused(axis, message):
    with pytest.raises(ArgumentError, match=message):
        softmax(random(3, 4, 5), axis=axis)


def test_a_number_has_no_axis():
    with pytest.raises(ArgumentError, match="0 dimensions"):
        softmax(np.float32(1.0))


@pytest.mark.parametrize(("name", "expected"), [("softmax", 1.0), ("log_softmax", 0.0)])
@pytest.mark.parametrize(("shape", "axis"), [((), None), ((), ()), ((3,), ()), ((2, 3), []), ((0, 2), ())])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_without_an_axis_each_number_is_a_row(name, expected, shape, axis, dtype):
    block, x, out = activations.get(name), np.full(shape, 3.0, dtype), np.empty(shape, dtype)

    for y in (block(x, axis=axis), block(x, axis=axis, out=out)):
        assert (y.shape, y.dtype, y.tobytes()) == (x.shape, x.dtype, np.full(shape, expected, dtype).tobytes())


@pytest.mark.parametrize("name", BY_ROWS)
def test_a_number_of_its_own_has_one_row_or_none(name):
    block = activations.get(name)
    if block.kind == "rowwise":
        assert block(np.float32(3.0), axis=None).shape == ()
    else:
        with pytest.raises(ArgumentError, match="axis None names 0 axes; accepted: one"):
            block(np.float32(3.0), axis=None)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (0, 3), (2, 3, 4)])
def test_any_shape(shape):
    x = random(*shape)
    assert sigmoid(x).shape == shape
    assert sigmoid(x).tobytes() == sigmoid.numpy(x).tobytes()


def test_out_receives_the_result_and_is_returned():
    x, out = random(5, 6), np.empty((5, 6), np.float32)

    assert sigmoid(x, out=out) is out
    assert out.tobytes() == sigmoid(x).tobytes()
    assert softmax(x, out=out) is out
    assert out.tobytes() == softmax(x).tobytes()


def test_out_may_be_the_input():
    x = random(1000)
    expected = sigmoid(x)
    sigmoid(x, out=x)

    assert x.tobytes() == expected.tobytes()


def test_out_may_overlap_the_input_in_part():
    memory = random(100)
    expected = sigmoid(memory[:90].copy())
    sigmoid(memory[:90], out=memory[10:])

    assert memory[10:].tobytes() == expected.tobytes()


def test_out_may_be_strided():
    x, memory = random(10), np.zeros(20, np.float32)
    sigmoid(x, out=memory[::2])

    assert memory[::2].tobytes() == sigmoid(x).tobytes()
    assert not memory[1::2].any()


@pytest.mark.parametrize(
    ("out", "error"),
    [
        (np.empty((2, 3), np.float32), ShapeError),
        (np.empty(4, np.float64), DTypeError),
        ([0.0] * 4, DTypeError),
        (np.frombuffer(b"0" * 16, np.float32), ArgumentError),
    ],
)
@pytest.mark.parametrize("name", ["sigmoid", "softmax"])
def test_a_bad_out_is_refused(out, error, name):
    with pytest.raises(error, match=f"^activation '{name}': out"):
        activations.get(name)(random(4), out=out)


MEMORY = np.zeros(64, np.float32)
LAYOUTS = {
    "stride 0": ((2, 3), (0, 4)),
    "a sliding window": ((2, 3), (4, 4)),
    "half an item": ((4,), (2,)),
    "backwards over itself": ((3, 2), (-4, 4)),
    "interleaved, and met at one place": ((4, 3), (8, 12)),
    "reversed": ((2, 3), (-12, -4)),
    "Fortran's": ((2, 3), (4, 8)),
    "strided": ((2, 3), (28, 8)),
    "interleaved": ((3, 2), (8, 12)),
    "one of an axis": ((1, 3), (0, 4)),
    "none of an axis": ((0, 3), (0, 0)),
}


@pytest.mark.parametrize("name", ["sigmoid", "softmax"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_out_whose_elements_share_memory_is_refused(layout, name):
    shape, strides = LAYOUTS[layout]
    out = np.lib.stride_tricks.as_strided(MEMORY[32:], shape, strides)
    x = random(*shape)
    starts = [sum(i * s for i, s in zip(place, strides, strict=True)) for place in np.ndindex(*shape)]
    shared = any(0 < b - a < 4 or b == a for a, b in pairwise(sorted(starts)))
    if shared:
        with pytest.raises(
            ArgumentError, match=f"^activation '{name}': elements of out share memory; accepted: an arr"
        ):
            activations.get(name)(x, out=out)
    else:
        assert activations.get(name)(x, out=out) is out
        assert out.tobytes() == activations.get(name)(x).tobytes()


def test_a_giant_out_that_shares_memory_is_refused_without_counting():
    x = np.broadcast_to(np.float32(1), (1 << 20, 1 << 20))
    for strides in ((0, 0), (4, 4), (0, 4)):
        out = np.lib.stride_tricks.as_strided(MEMORY, x.shape, strides)
        with pytest.raises(ArgumentError, match="elements of out share memory"):
            activations.relu(x, out=out)


@pytest.mark.parametrize("name", ["sigmoid", "gelu", *BY_ROWS])
def test_threads_do_not_change_a_bit(name, monkeypatch):
    x = random(PARALLEL_ELEMENTS // 302 + 5, 302)
    monkeypatch.setattr(threads, "_chosen", 1)
    expected = activations.get(name)(x)
    monkeypatch.setattr(threads, "_chosen", 5)

    assert activations.get(name)(x).tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [name for name in activations.names() if not activations.get(name).required])
def test_writing_past_the_caches_does_not_change_a_bit(name, dtype, monkeypatch):
    x = random(2, PARALLEL_ELEMENTS // 302 + 3, 302, dtype=dtype)[:, 1:]
    expected = activations.get(name)(x)
    monkeypatch.setattr(engine_apply, "STREAMED_BYTES", 0)

    assert activations.get(name)(x).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "gelu"])
def test_float16_is_rounded_once(name):
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    x = x[np.isfinite(x)]
    actual = activations.get(name)(x)

    assert actual.dtype == np.float16
    assert actual.tobytes() == activations.get(name).numpy(x.astype(np.float64)).astype(np.float16).tobytes()


def test_bfloat16_is_not_rounded_twice():
    bfloat16 = pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes").bfloat16
    tie = 1.0 + 2.0**-8  # halfway between two bfloat16; a little more must round up, also a very little
    y = np.array([tie, tie + 2.0**-40, tie - 2.0**-40, 1e39, np.nan, -0.0])
    actual = narrow(y, np.dtype(bfloat16)).astype(np.float64)

    assert actual[:4].tolist() == [1.0, 1.0 + 2.0**-7, 1.0, np.inf]
    assert np.isnan(actual[4])
    assert np.signbit(actual[5])


def test_integers_and_booleans_become_float32():
    assert sigmoid(np.array([0, 1])).dtype == np.float32
    assert sigmoid(np.array([True])).tobytes() == sigmoid(np.array([1.0], np.float32)).tobytes()


@pytest.mark.parametrize("x", [np.array([1j]), np.array(["a"]), np.array([object()]), "relu", None])
def test_what_is_no_number_is_refused_by_name(x):
    with pytest.raises(DTypeError, match=r"^activation 'sigmoid': "):
        sigmoid(x)


class TestWorkSpace:
    def test_it_lives_until_the_kernel_returns_whatever_a_signal_handler_does(self, monkeypatch):
        made, alive = [], []

        def new_work(columns):
            memory = true_new_work(columns)
            made.append(weakref.ref(memory))
            return memory

        def kernel(*words):
            engine_apply._local.__dict__.clear()
            gc.collect()
            alive.append(made[-1]() is not None)

        true_new_work = engine_apply._new_work
        monkeypatch.setattr(engine_apply, "_new_work", new_work)
        monkeypatch.setattr(engine_apply, "_local", threading.local())
        found = dataclasses.replace(engine_apply._kernel(softmax, np.dtype("float32")), door=kernel)
        monkeypatch.setattr(engine_apply, "_kernel", lambda *arguments: found)
        engine_apply._run(softmax, random(3, 10), None, (3, 10), 10)

        assert alive == [True]

    def test_a_thread_keeps_none_that_is_large(self, monkeypatch):
        monkeypatch.setattr(engine_apply, "_local", threading.local())
        engine_apply._work(1000)
        kept, address = engine_apply._local.work
        memory, start = engine_apply._work(1_000_000)

        assert engine_apply._local.work[0] is kept
        assert engine_apply._work(900)[0] is kept
        assert engine_apply._work(900)[1] == address == kept.ctypes.data
        assert (memory.ctypes.data, memory.ctypes.data % 64) == (start, 0)
