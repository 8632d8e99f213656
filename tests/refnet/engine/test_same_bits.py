"""A row's output bits depend on the row, the weights and the dtype alone: docs/reference/reproducibility.md."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import refnet
from refnet import activations, layers
from refnet.engine import plan, threads
from refnet.engine.plan import PARALLEL_WORK
from tests.refnet.engine.apart import run_apart

#: Multiply-adds that are surely worth several threads, and numbers that an input may have.
MUCH, MOST = 2 * PARALLEL_WORK, 3_000_000


@st.composite
def models(draw: st.DrawFn) -> Any:
    """Draw a model with seeded weights: depth 1 to 4, widths to 300, every activation, both dtypes, PReLU."""
    dtype = draw(st.sampled_from(["float32", "float64"]))
    width = st.one_of(st.integers(1, 20), st.integers(1, 300))
    model = refnet.Sequential([refnet.Input((draw(width),), dtype=dtype)], name="net")
    for i in range(draw(st.integers(1, 4))):
        block = activations.get(draw(st.sampled_from(activations.names())))
        block = block.with_parameters(**{name: draw(st.sampled_from([0.5, -1.0])) for name in block.required})
        units = draw(width) * (2 if block.kind == "gated" else 1)  # glu halves it
        layer = layers.Dense(units, activation=block, use_bias=draw(st.booleans()), dtype=dtype, name=f"dense_{i}")
        model.add(layer)
        if draw(st.integers(0, 5)) == 0:
            model.add(layers.PReLU(dtype=dtype, name=f"prelu_{i}"))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    model.set_weights([rng.standard_normal(w.shape) / np.sqrt(max(1, w.shape[0])) for w in model.get_weights()])
    return model


def batch(model: Any, rows: int, seed: int = 0) -> np.ndarray:
    """Return rows with ordinary numbers, zeros, subnormals and large ones, in the model's dtype."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, model.input_shape[-1]))
    x[rng.random(x.shape) < 0.05] = 0.0
    x[rng.random(x.shape) < 0.02] = -1e-42
    x[rng.random(x.shape) < 0.02] *= 1e6
    return x.astype(model.dtype)


def layouts(x: np.ndarray) -> Iterator[np.ndarray]:
    """Yield arrays of the same numbers that lie in memory in other ways."""
    wide = np.empty((x.shape[0] * 2, x.shape[1] * 3), x.dtype)
    wide[::2, ::3] = x
    unaligned = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    unaligned[...] = x
    locked = x.copy()
    locked.flags.writeable = False
    yield from (wide[::2, ::3], np.asfortranarray(x), x[::-1].copy()[::-1], unaligned, locked)
    yield x.astype(x.dtype.newbyteorder())


@settings(max_examples=400)
@given(model=models(), rows=st.integers(1, 80), data=st.data())
def test_alone_and_in_any_batch_at_any_place(model, rows, data):
    x = batch(model, rows)
    expected = model(x)
    first = data.draw(st.integers(0, rows - 1))
    last = data.draw(st.integers(first + 1, rows))
    order = np.random.default_rng(1).permutation(rows)

    assert model(x[first : first + 1]).tobytes() == expected[first].tobytes()
    assert model(x[first:last]).tobytes() == expected[first:last].tobytes()
    assert model(x[order]).tobytes() == expected[order].tobytes()


@settings(max_examples=150)
@given(model=models(), rows=st.integers(1, 80), size=st.integers(1, 90))
def test_by_every_door_and_in_every_layout(model, rows, size):
    x = batch(model, rows)
    expected = model(x).tobytes()

    assert model.predict(x, batch_size=size, verbose=0).tobytes() == expected
    assert model.predict(x).tobytes() == expected
    assert model.predict_on_batch(x).tobytes() == expected
    for other in layouts(x):
        assert model(other).tobytes() == expected
        assert model.predict(other, batch_size=size).tobytes() == expected


@settings(max_examples=40)
@given(model=models(), rows=st.integers(1, 80))
def test_on_one_thread_and_on_eight(model, rows):
    x = batch(model, rows)
    expected = model(x)
    work = sum(w.size for w in model.weights)
    times = max(1, min(MUCH // (work * rows), MOST // (rows * max(w.shape[-1] for w in model.weights))))
    many = np.tile(x, (times, 1))
    with mock.patch.multiple(threads, _chosen=1, cores=functools.cache(lambda: 8)):
        for n in range(1, 9):
            refnet.set_num_threads(n)
            assert model(many).tobytes() == np.tile(expected, (times, 1)).tobytes()


@settings(max_examples=200)
@given(model=models(), rows=st.integers(1, 70))
def test_few_rows_whose_columns_are_shared(model, rows):
    x = batch(model, rows)
    small = {"PARALLEL_WORK": 0, "SHORT_WORK": 0, "UNIT_WORK": 1, "_cost_by_columns": lambda steps: 0}
    with (
        mock.patch.multiple(plan, **small),
        mock.patch.multiple(threads, _chosen=1, cores=functools.cache(lambda: 8)),
    ):
        expected = model(x).tobytes()  # makes the plan
        for n in (2, 3, 5, 8):
            refnet.set_num_threads(n)
            for _ in range(3):
                assert model(x).tobytes() == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_wide_layers_as_they_are_shared_in_earnest(dtype, monkeypatch):
    """Widths, units of columns and rows as they come: one row to such as are dealt out in parts of 8."""
    sizes = (700, 519, 1000, 97, 11)
    model = refnet.Sequential([refnet.Input(sizes[:1], dtype=dtype)])
    for units, name in zip(sizes[1:], ("gelu", "softmax", "tanh", "softmax"), strict=True):
        model.add(layers.Dense(units, name, dtype=dtype))
    monkeypatch.setattr(threads, "_chosen", 1)
    monkeypatch.setattr(threads, "cores", functools.cache(lambda: 8))
    chain = model.plan._only
    assert chain._part(1, 2) == 0
    assert chain._part(64, 2) in (16, 32)
    for rows in (1, 2, 7, 8, 9, 15, 16, 17, 31, 64, 65, 200):
        x = batch(model, rows, seed=rows)
        refnet.set_num_threads(1)
        expected = model(x).tobytes()
        assert model(x[:1]).tobytes() == expected[: len(expected) // rows]
        for n in range(2, 9):
            refnet.set_num_threads(n)
            assert model(x).tobytes() == expected


@settings(max_examples=100)
@given(model=models(), rows=st.integers(1, 40), data=st.data())
def test_a_row_does_not_feel_what_its_neighbours_hold(model, rows, data):
    x = batch(model, rows)
    expected = model(x)
    kept = data.draw(st.integers(0, rows - 1))
    others = np.full_like(x, data.draw(st.sampled_from([np.nan, np.inf, -np.inf, 1e38, 0.0])))
    others[kept] = x[kept]

    assert model(others)[kept].tobytes() == expected[kept].tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 7), (4, 7), (2, 3, 7)])
def test_rows_of_any_rank(dtype, shape):
    model = refnet.Sequential(
        [
            refnet.Input(shape, dtype=dtype),
            layers.Dense(50, "gelu", dtype=dtype),
            layers.PReLU(shared_axes=list(range(1, len(shape))), alpha_initializer="uniform", dtype=dtype),
            layers.Dense(9, "softmax", use_bias=False, dtype=dtype),
        ]
    )
    x = np.random.default_rng(0).standard_normal((5, *shape)).astype(dtype)
    y = model(x)

    assert y.shape == (5, *shape[:-1], 9)
    for row in range(5):
        assert model(x[row : row + 1]).tobytes() == y[row].tobytes()
    assert model.predict(x, batch_size=2).tobytes() == y.tobytes()


def print_digest() -> None:
    model = refnet.Sequential([refnet.Input((37,)), layers.Dense(530, "tanh"), layers.Dense(7, "softmax")])
    rng = np.random.default_rng(0)
    model.set_weights([rng.standard_normal(w.shape) for w in model.get_weights()])
    print(hashlib.sha256(model(rng.standard_normal((999, 37)))).hexdigest())


def test_between_processes():
    seen = {run_apart(print_digest, REFNET_NUM_THREADS=n, PYTHONHASHSEED=n) for n in ("1", "2", "5")}

    assert len(seen) == 1
