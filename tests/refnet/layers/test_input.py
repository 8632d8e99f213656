from __future__ import annotations

import pytest

import refnet
from refnet import layers
from refnet.errors import ArgumentError, UnsupportedError


def test_input_is_an_input_layer_with_a_shape():
    entry = refnet.Input((5,))
    assert isinstance(entry, layers.InputLayer)
    assert entry.shape == entry.batch_shape == entry.input_shape == entry.output_shape == (None, 5)
    assert entry.dtype == "float32"
    assert refnet.Input((5,), batch_size=3).shape == (3, 5)
    assert refnet.Input(batch_shape=(None, None, 5)).shape == (None, None, 5)
    assert layers.InputLayer(input_shape=(5,)).shape == (None, 5)


def test_config_round_trip():
    entry = layers.InputLayer((5,), dtype="int32", name="in")
    assert entry.get_config() == {
        "batch_shape": (None, 5),
        "dtype": "int32",
        "sparse": False,
        "ragged": False,
        "name": "in",
        "optional": False,
    }
    assert layers.InputLayer.from_config(entry.get_config()).get_config() == entry.get_config()


def test_keras_2_config():
    config = {"batch_input_shape": [None, 4], "dtype": "float32", "sparse": False, "ragged": False, "name": "i"}
    assert layers.InputLayer.from_config(config).batch_shape == (None, 4)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"shape": 5},
        {"shape": (5,), "batch_shape": (None, 5)},
        {"batch_shape": (None, 5), "batch_size": 3},
        {"batch_shape": ()},
        {"shape": ("a",)},
        {"shape": (5,), "dtype": "string"},
        {"shape": (5,), "dtype": "complex64"},
        {"shape": (5,), "name": 3},
    ],
)
def test_bad_arguments(arguments):
    with pytest.raises(ArgumentError, match="accepted: "):
        refnet.Input(**arguments)


@pytest.mark.parametrize("arguments", [{"sparse": True}, {"ragged": True}, {"tensor": object()}])
def test_what_has_no_counterpart(arguments):
    with pytest.raises(UnsupportedError, match="accepted: "):
        refnet.Input((5,), **arguments)


def test_pythons_float_is_float32_as_in_keras():
    assert layers.InputLayer((5,), dtype=float).dtype == "float32"
