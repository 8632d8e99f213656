from __future__ import annotations

import json

import numpy as np
import pytest

from refnet import Input, Sequential, layers
from refnet.errors import ArgumentError, UnsupportedError

X = np.random.default_rng(0).standard_normal((3, 5))


def models() -> list[Sequential]:
    inner = Sequential([layers.Dense(3, "tanh")], name="inner")
    return [
        Sequential([Input((5,)), layers.Dense(10, "relu"), layers.Dense(3, "softmax")]),
        Sequential(
            [layers.Dense(4, "gelu", input_shape=(5,), dtype="float64"), layers.LeakyReLU(0.1), layers.ELU(0.5)]
        ),
        Sequential([Input((5,)), layers.PReLU(), layers.Flatten(), layers.Dropout(0.1), layers.Softmax(1)]),
        Sequential([Input((5,)), layers.Dense(4), inner, layers.ReLU(6.0)]),
    ]


@pytest.mark.parametrize("number", range(4))
def test_round_trip_through_json(number):
    model = models()[number]
    config = json.loads(json.dumps(model.get_config()))
    again = Sequential.from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(X), model(X))
    assert again.name == model.name


def test_unbuilt_models_stay_unbuilt():
    model = Sequential([layers.Dense(3)], trainable=False)
    config = model.get_config()
    assert "build_input_shape" not in config
    again = Sequential.from_config(config)
    assert not again.built
    assert again.trainable is False


def test_a_build_shape_without_an_input_layer_builds():
    config = Sequential([layers.Dense(3)]).get_config()
    again = Sequential.from_config({**config, "build_input_shape": [None, 5]})
    assert again.input_shape == (None, 5)


def test_keras_2_configs():
    dense = {"name": "d", "trainable": True, "batch_input_shape": [None, 5], "dtype": "float32", "units": 3}
    config = {"name": "old", "layers": [{"class_name": "Dense", "config": {**dense, "activation": "relu"}}]}
    assert Sequential.from_config(config).input_shape == (None, 5)
    entry = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 5], "dtype": "float32", "name": "i"}}
    config["layers"].insert(0, entry)
    assert Sequential.from_config(config).input_shape == (None, 5)


@pytest.mark.parametrize("config", [{}, {"name": "m"}, {"layers": []}, [], None, "m", {"name": "m", "layers": 3}])
def test_what_is_not_a_config(config):
    with pytest.raises(ArgumentError, match="accepted: a dict with 'name' and 'layers'"):
        Sequential.from_config(config)


def test_what_has_no_counterpart():
    with pytest.raises(UnsupportedError, match=r"^model 'f' is a Functional model"):
        Sequential.from_config({"name": "f", "layers": [], "input_layers": []})
    with pytest.raises(UnsupportedError, match=r"^Lambda 'l': "):
        Sequential.from_config({"name": "m", "layers": [{"class_name": "Lambda", "config": {"name": "l"}}]})
