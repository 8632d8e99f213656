from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

import refnet
from refnet import Input, Sequential, layers
from refnet.errors import ArgumentError, DTypeError, NotBuiltError, ShapeError

X = np.random.default_rng(0).standard_normal((3, 5))


@pytest.fixture
def model():
    return Sequential(
        [Input((5,)), layers.Dense(10, "relu"), layers.Dense(10, layers.LeakyReLU(0.1)), layers.Dense(10, "softmax")],
        name="m",
    )


def test_the_engines_trace_ends_in_the_models_result(model):
    seen = refnet.trace(model, X)
    np.testing.assert_array_equal(seen.output, model(X))
    assert len(seen) == 3
    y = X.astype(np.float32)
    for step, layer in zip(seen, model.layers, strict=True):
        np.testing.assert_array_equal(step.x, y)
        plain = layers.Dense(10)
        plain.build((None, y.shape[1]))
        plain.set_weights(layer.get_weights())
        np.testing.assert_array_equal(step.z, plain(y))
        y = layer(y)
        np.testing.assert_array_equal(step.a, y)


def test_the_numpy_trace_is_the_plain_reading(model):
    seen = refnet.trace(model, X, reading="numpy")
    np.testing.assert_array_equal(seen.output, model.call(X))
    first = model.layers[0]
    np.testing.assert_array_equal(seen[0].z, X.astype(np.float32) @ first.kernel + first.bias)


def test_a_trace_keeps_what_was(model):
    x = X.astype(np.float32)
    seen = refnet.trace(model, x)
    x[...] = 0
    assert seen[0].x.any()


def test_steps_by_name_and_place(model):
    seen = refnet.trace(model, X)
    assert seen["dense_1"] is seen[1]
    assert (seen[0].name, seen[0].kind, seen[0].activation) == ("dense", "Dense", "relu")
    assert seen[1].activation == "leaky_relu(negative_slope=0.1)"
    with pytest.raises(ArgumentError, match="there is no layer 'zz'; its layers are 'dense', "):
        seen["zz"]


def test_layers_without_a_kernel_and_nested_models():
    inner = Sequential([layers.Dense(3, name="d"), layers.ReLU(name="r")], name="inner")
    model = Sequential([Input((2, 3)), layers.Flatten(name="f"), inner, layers.Dropout(0.5, name="drop")])
    seen = refnet.trace(model, np.ones((2, 2, 3)))
    assert [step.name for step in seen] == ["f", "inner/d", "inner/r", "drop"]
    assert seen["f"].z is None
    assert seen["drop"].z is None
    assert seen["inner/d"].z is not None
    np.testing.assert_array_equal(seen.output, model(np.ones((2, 2, 3))))


def test_an_unbuilt_model_is_built():
    model = Sequential([layers.Dense(3)])
    assert refnet.trace(model, X).output.shape == (3, 3)


PRINTED = """\
m: 2 rows; row 0:
[b] (Dense)  (2, 2) → (2, 10)  relu
┏━━━━━━━━━━━━━┳━━━━━━┳━━━━━━┳━━━━━━┳━━━━━━┳━━━━━━┳━━━━━━┳━━━━━━┳━━━━━━┳━━━━━━━━━━━━┓
┃ unit        ┃    0 ┃    1 ┃    2 ┃    3 ┃    4 ┃    5 ┃    6 ┃    7 ┃            ┃
┡━━━━━━━━━━━━━╇━━━━━━╇━━━━━━╇━━━━━━╇━━━━━━╇━━━━━━╇━━━━━━╇━━━━━━╇━━━━━━╇━━━━━━━━━━━━┩
│ x           │ 0.25 │  0.5 │      │      │      │      │      │      │            │
│ z = x W + b │ 0.75 │ 0.75 │ 0.75 │ 0.75 │ 0.75 │ 0.75 │ 0.75 │ 0.75 │ ... 2 more │
│ a           │ 0.75 │ 0.75 │ 0.75 │ 0.75 │ 0.75 │ 0.75 │ 0.75 │ 0.75 │ ... 2 more │
└─────────────┴──────┴──────┴──────┴──────┴──────┴──────┴──────┴──────┴────────────┘"""

SHOWN = """\
m: row 1 of 2
[b] (Dense)  (2, 2) → (2, 10)  relu
┏━━━━━━━━━━━━━┳━━━━┳━━━━┳━━━━┳━━━━┳━━━━┳━━━━━━━━━━━━┓
┃ unit        ┃  0 ┃  1 ┃  2 ┃  3 ┃  4 ┃            ┃
┡━━━━━━━━━━━━━╇━━━━╇━━━━╇━━━━╇━━━━╇━━━━╇━━━━━━━━━━━━┩
│ x           │  1 │ -2 │    │    │    │            │
│ z = x W + b │ -1 │ -1 │ -1 │ -1 │ -1 │ ... 5 more │
│ a           │  0 │  0 │  0 │  0 │  0 │ ... 5 more │
└─────────────┴────┴────┴────┴────┴────┴────────────┘
"""


def test_a_trace_is_printed_so():
    wide = layers.Dense(10, "relu", kernel_initializer="ones", name="[b]")
    seen = refnet.trace(Sequential([Input((2,)), wide], name="m"), [[0.25, 0.5], [1, -2]])
    assert str(seen) == PRINTED
    out = io.StringIO()
    seen.show(1, Console(file=out, width=60, force_terminal=True, color_system=None))
    assert out.getvalue() == SHOWN
    few = refnet.trace(Sequential([Input((2,)), layers.Flatten(name="f")]), [[1, 2]])
    assert (
        str(few[0])
        == """\
f (Flatten)  (1, 2) → (1, 2)
┏━━━━━━┳━━━┳━━━┓
┃ unit ┃ 0 ┃ 1 ┃
┡━━━━━━╇━━━╇━━━┩
│ x    │ 1 │ 2 │
│ a    │ 1 │ 2 │
└──────┴───┴───┘"""
    )


def test_steps_and_numbers_of_rows_are_printed_alike(model):
    seen = refnet.trace(model, X)
    assert all(str(step) in str(seen) for step in seen)
    assert "m: 1 row; row 0:" in str(refnet.trace(model, X[:1]))
    assert str(refnet.trace(model, X[:0])[0]) == "dense (Dense)  (0, 5) → (0, 10)  relu"


@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_showing_a_row_within_the_terminal(model, width):
    out = io.StringIO()
    seen = refnet.trace(model, X)
    seen.show(row=-1, console=Console(file=out, width=width))
    text = out.getvalue()
    assert "m: row 2 of 3" in text
    assert f"{seen[0].a[2, 0]:.4g}" in text
    assert max(len(line) for line in text.splitlines()) <= max(width, 60)


def test_rows_that_are_not_there(model):
    with pytest.raises(ArgumentError, match="there is no row 3; the batch has 3"):
        refnet.trace(model, X).show(row=3)


def test_no_rows(model):
    seen = refnet.trace(model, X[:0])
    assert seen.output.shape == (0, 10)
    assert str(seen) == "m: 0 rows"


def test_what_is_refused(model):
    with pytest.raises(ArgumentError, match="reading is 'keras'"):
        refnet.trace(model, X, reading="keras")
    with pytest.raises(ShapeError):
        refnet.trace(model, X[0])
    with pytest.raises(DTypeError):
        refnet.trace(model, "abc")
    with pytest.raises(NotBuiltError):
        refnet.trace(Sequential(), X)
    with pytest.raises(ArgumentError, match=r"^trace was given Dense 'd'; accepted: a Sequential of refnet$"):
        refnet.trace(refnet.layers.Dense(2, name="d"), X)
    with pytest.raises(ArgumentError, match=r"^trace was given an object of type list; accepted: a Sequential"):
        refnet.trace([model], X)
