from __future__ import annotations

import numpy as np
import pytest

from parity import keras_errors, known, measure_keras
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
@pytest.mark.parametrize("path", ["call", "predict", "xla"])
def test_measured_errors_and_rooms_hold(keras, path):
    """A fresh and smaller sample stays within the committed table and within the rooms."""
    for dtype in (F32, F64):
        x = measure_keras.inputs(dtype, seed=7, count=1 << 13)
        for block in measure_keras.blocks():
            ulps, where, used = measure_keras.measure(block, dtype, path, x)
            assert ulps <= keras_errors.budget(block, dtype, path), f"{block.name} {dtype} at {where!r}"
            assert used <= 1.0, f"{block.name} {dtype}: {used:.2f} of its room used"
