from __future__ import annotations

import logging

import numpy as np
import pytest

from refnet import layers
from refnet.errors import ArgumentError
from refnet.layers import arguments
from refnet.layers.arguments import as_shape, checked_name, dtype_name, for_training, is_real


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
        (np.float64, "float64"),
        (np.dtype("float32"), "float32"),
        (float, "float32"),  # Keras takes Python's float for its floatx
        (np.dtype(float), "float64"),
        ({"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float64"}}, "float64"),
    ],
)
def test_dtype_name(given, expected):
    assert dtype_name(given, "Dense 'd'") == expected


class Policy:
    name = "float64"


def test_dtype_of_a_policy_object():
    assert dtype_name(Policy(), "Dense 'd'") == "float64"


@pytest.mark.parametrize("given", ["float16", "bfloat16", "mixed_float16", "int8", np.int32, 3, {"config": {}}])
def test_other_dtypes_are_refused(given):
    with pytest.raises(ArgumentError, match=r"^Dense 'd': dtype .* accepted: 'float32', 'float64'$"):
        dtype_name(given, "Dense 'd'")


def test_as_shape():
    assert as_shape([None, np.int64(5)], "x") == (None, 5)
    assert as_shape((), "x") == ()


@pytest.mark.parametrize("given", [5, "55", (5.0,), (-1,), (True,), None, ("5",)])
def test_other_shapes_are_refused(given):
    with pytest.raises(ArgumentError, match=r"^Dense 'd': input_shape is "):
        as_shape(given, "Dense 'd'")


def test_a_number_for_a_shape_gets_a_hint():
    with pytest.raises(ArgumentError, match=r"did you mean \(5,\)\?$"):
        as_shape(5, "Dense 'd'")


@pytest.mark.parametrize("given", ["", "a/b", 3, b"a"])
def test_names_that_are_refused(given):
    with pytest.raises(ArgumentError, match=r"^Dense: name is .*; accepted: a string without '/'$"):
        checked_name(given, "Dense")


def test_is_real():
    assert all(is_real(value) for value in (1, 1.5, np.float32(1), np.int8(1)))
    assert not any(is_real(value) for value in (True, np.True_, "1", None, 1j))


def test_input_shape_is_noted_once(caplog):
    arguments._note_input_shape.cache_clear()
    with caplog.at_level(logging.INFO, logger="refnet"):
        layers.Dense(1, input_shape=(5,))
        layers.Dense(1, input_dim=5)
    assert len(caplog.records) == 1
    assert "Input(shape)" in caplog.text


class Regularizer:
    def get_config(self):
        return {}


@pytest.mark.parametrize("given", [None, "l2", "my_own", {"class_name": "L1"}, np.sum, Regularizer(), Regularizer])
def test_what_is_for_training_is_kept(given):
    assert for_training(given, "kernel_regularizer", "Dense 'd'") is given


@pytest.mark.parametrize("given", [3.5, True, 0, [], ("l1", "l2"), object()])
def test_what_cannot_be_for_training_is_refused(given):
    with pytest.raises(ArgumentError, match=r"^Dense 'd': kernel_regularizer is .*; accepted: a name, a config, "):
        for_training(given, "kernel_regularizer", "Dense 'd'")
