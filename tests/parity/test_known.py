from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from parity import keras_errors, known, measure_keras
from parity.ulp import ulp
from refnet import activations

F32, F64 = np.dtype("float32"), np.dtype("float64")


def test_the_catalogue_is_complete_and_readable():
    names = [entry.name for entry in known.CATALOGUE]
    assert len(set(names)) == len(names)
    for entry in known.CATALOGUE:
        assert entry.what.endswith(".")
        assert entry.issue
        assert set(entry.where) <= set(activations.names())
        assert set(entry.paths) <= {"call", "predict", "xla"}
        assert known.find(entry.name) is entry


@pytest.mark.parametrize("entry", [e for e in known.CATALOGUE if e.room is not None], ids=lambda e: e.name)
def test_rooms_are_finite_and_somewhere_zero(entry):
    z = np.linspace(-50, 50, 2001)
    for name in entry.where or activations.names():
        activation = activations.get(name)
        if activation.kind != "elementwise" or activation.required:
            continue
        for dtype in (F32, F64):
            room = np.broadcast_to(entry.room(activation, z, activation.numpy(z), dtype), z.shape)
            assert np.isfinite(room).all()
            assert (room >= 0).all()
            assert (room < 1e-4).all()
            assert (room == 0).any()


def in_float32(number):
    return float(np.float32(number))


def by_number(function, x):
    return np.array([function(each) for each in x.tolist()]).astype(x.dtype)


def mish_from_a_square(x):
    square = (1 + np.exp(x)) * (1 + np.exp(x))
    return x * ((square - 1) / (square + 1))


#: What each room is for: the formula that loses digits, computed in x's own dtype.
FORMULAS = [
    ("exp(x) - 1", "elu", {}, F32, lambda x: np.exp(x) - 1),
    ("exp(x) - 1", "selu", {}, F64, lambda x: 1.0507009873554805 * 1.6732632423543772 * (np.exp(x) - 1)),
    ("gelu tail", "gelu", {}, F32, lambda x: x * ((1 + by_number(math.erf, x / np.sqrt(np.float32(2)))) / 2)),
    (
        "gelu tail",
        "gelu",
        {"approximate": True},
        F64,
        lambda x: x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2,
    ),
    (
        "gelu constants in float32",
        "gelu",
        {"approximate": True},
        F64,
        lambda x: x / (1 + np.exp(-2 * np.sqrt(2 / np.pi) * (x + in_float32(0.044715) * x**3))),
    ),
    ("gelu constants in float32", "gelu", {}, F64, lambda x: x * by_number(math.erfc, -x / in_float32(2**0.5)) / 2),
    ("x - tanh(x)", "tanh_shrink", {}, F32, lambda x: x - np.tanh(x)),
    ("x + sqrt(x^2 + b)", "squareplus", {}, F32, lambda x: (x + np.sqrt(x * x + 4)) / 2),
    ("x + sqrt(x^2 + b)", "squareplus", {"b": 0.01}, F64, lambda x: (x + np.sqrt(x * x + 0.01)) / 2),
    ("softplus threshold", "softplus", {}, F32, np.exp),
    ("softplus threshold", "log_sigmoid", {}, F64, lambda x: -np.exp(-x)),
    ("fused mish", "mish", {}, F32, mish_from_a_square),
    ("slope in float32", "leaky_relu", {"negative_slope": 0.3}, F64, lambda x: in_float32(0.3) * x),
]


#: Those whose need can be derived; the others' hangs on how far a library's exp and tanh are off.
DERIVED = ("gelu constants in float32", "x + sqrt(x^2 + b)", "softplus threshold", "slope in float32")


@pytest.mark.parametrize(("name", "activation", "parameters", "dtype", "formula"), FORMULAS)
def test_a_room_is_as_wide_as_the_formula_that_it_is_named_after_needs(name, activation, parameters, dtype, formula):
    """Two ulp are the formula's own; of the room beyond, a good part is used somewhere, and no more than all."""
    chosen = activations.get(activation).with_parameters(**parameters)
    chosen = dataclasses.replace(chosen, parameters=chosen.parameters_in(dtype))
    size = np.concatenate([np.linspace(1e-4, 40, 100_000), 10.0 ** np.linspace(-10, 3, 10_000)])
    x = np.concatenate([-size, size]).astype(dtype)
    z = x.astype(np.float64)
    truth = chosen.numpy(z)
    with np.errstate(all="ignore"):
        room = np.broadcast_to(known.find(name).room(chosen, z, truth, dtype), z.shape)
        share = (np.abs(formula(x).astype(np.float64) - truth) - 2 * ulp(truth, dtype)) / room
    here = (room > 5 * ulp(truth, dtype)) & (np.abs(truth) > 100 * np.finfo(dtype).tiny)
    assert (0.7 if name in DERIVED else 0.2) <= share[here].max() <= 1.0


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("relu", [[4.0, 101.0, 1.0]]),  # what is flushed may be multiplied by x
        ("softmax", [[1.0, 1.0, 1.0]]),
        ("glu", [[101.0, 101.0, 101.0]]),  # or by what stands in the other half of the row
    ],
)
def test_what_is_flushed_is_granted_where_the_result_is_all_but_zero(name, size):
    tiny, size, z = 2.0**-126, np.array(size), np.array([[-3.0, 100.0, 0.0]])
    room = known.find("subnormal flush").room
    np.testing.assert_array_equal(room(activations.get(name), z, 8 * tiny * size, F32), 4 * tiny * size)
    assert not room(activations.get(name), z, 8.01 * tiny * size, F32).any()


@pytest.mark.parametrize(
    ("name", "activation", "dtype"),
    [
        ("gelu constants in float32", "gelu", F32),
        ("slope in float32", "leaky_relu", F32),
        ("fused mish", "mish", F64),
    ],
)
def test_what_one_dtype_has_is_not_granted_in_the_other(name, activation, dtype):
    z = np.linspace(-30, 30, 61)
    chosen = activations.get(activation)
    assert not known.find(name).room(chosen, z, chosen.numpy(z), dtype).any()


def test_rooms_depend_on_how_keras_is_run():
    z = np.array([-5.0])
    mish = activations.get("mish")
    assert "fused mish" in known.rooms(mish, z, mish.numpy(z), F32, "predict")
    assert "fused mish" not in known.rooms(mish, z, mish.numpy(z), F32, "call")


def sight(name, z, peer, path="call", **parameters):
    z, peer = np.float32(z), np.float32(peer)
    activation = activations.get(name).with_parameters(**parameters)
    return known.Sight(activation, z, peer, path)


def test_nan_at_infinity_is_seen_only_there():
    found = known.shown(sight("silu", [-np.inf, 1.0, np.inf], [np.nan, np.nan, np.inf]))["NaN at infinity"]
    assert found.tolist() == [True, False, False]


def test_an_infinity_costs_its_whole_row_nan_or_0_and_no_other_number():
    found = known.shown(
        sight("softmax", [[np.inf, 1.0, 2.0], [1.0, 2.0, 3.0]], [[np.nan, 0.0, 0.5], [np.nan, 0.0, 1.0]])
    )
    assert found["NaN at infinity"].tolist() == [[True, True, False], [False, False, False]]


def test_nan_that_comes_out_as_the_resting_value_is_seen():
    z, peer = [np.nan, np.nan, 0.25], [0.25, 0.0, 0.25]
    found = known.shown(sight("threshold", z, peer, threshold=0.5, default_value=0.25))["NaN lost"]
    assert found.tolist() == [True, False, False]
    assert known.shown(sight("hard_shrink", [np.nan], [0.0]))["NaN lost"].tolist() == [True]


def test_overflows_are_seen_only_where_the_formula_overflows():
    found = known.shown(sight("squareplus", [1e20, 1e20, 1e18], [np.inf, 1e20, np.inf]))["x^2 overflows"]
    assert found.tolist() == [True, False, False]
    found = known.shown(sight("gelu", [2e38, 2e38, 1e38], [np.inf, 2e38, np.inf], "predict"))["fused gelu overflows"]
    assert found.tolist() == [True, False, False]


def test_nan_that_comes_out_as_zero_is_seen():
    found = known.shown(sight("softmax", [[np.nan, 1.0], [1.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]))["NaN lost in a row"]
    assert found.tolist() == [[True, True], [False, False]]
    found = known.shown(sight("softmax", [[np.nan, 1.0]], [[0.0, 0.5]]))["NaN lost in a row"]
    assert found.tolist() == [[True, False]]
    assert "NaN lost in a row" not in known.shown(sight("relu", [np.nan], [0.0]))


def test_the_wrong_sparsemax_is_recognized_and_the_right_one_is_not():
    z = np.float32([[0.6, 0.5, 0.0], [3.0, 0.0, 0.0]])
    wrong = np.float32([[0.25, 0.15, 0.0], [1.0, 0.0, 0.0]])  # what Keras 3.15.1 gives
    right = activations.get("sparsemax").numpy(z)
    assert known.shown(sight("sparsemax", z, wrong))["sparsemax"].tolist() == [[True] * 3, [False] * 3]
    assert not known.shown(sight("sparsemax", z, wrong + np.float32(1e-4)))["sparsemax"].any()
    assert not known.shown(sight("sparsemax", z, right))["sparsemax"][0, :2].any()


@pytest.mark.keras
def test_what_the_catalogue_and_the_pages_quote_of_keras_is_what_it_gives(keras):
    quoted = {"squareplus": (-1e4, 0.0), "gelu": (-np.inf, np.nan), "silu": (-np.inf, np.nan), "elu": (-1e-8, 0.0)}
    for name, (x, y) in quoted.items():
        given = measure_keras.keras_activations.PATHS["call"](activations.get(name), np.float32([x]))
        np.testing.assert_array_equal(given, np.float32([y]), name)
        assert (
            f"(Keras {'on TensorFlow ' * (name == 'elu')}gives {'NaN' if y != y else 0}" in activations.get(name).help
        )


@pytest.mark.keras
@pytest.mark.parametrize("path", ["call", "predict", "xla"])
def test_measured_errors_and_rooms_hold(keras, path):
    """A fresh and smaller sample stays within the committed table and within the rooms."""
    for dtype in (F32, F64):
        x = measure_keras.inputs(dtype, seed=7, count=1 << 13)
        for block in measure_keras.blocks():
            ulps, where, used = measure_keras.measure(block, dtype, path, x)
            assert ulps <= keras_errors.budget(block, dtype, path), f"{block.name} {dtype} at {where!r}"
            assert used <= 1.0, f"{block.name} {dtype}: {used:.2f} of its room used"
