from __future__ import annotations

import numpy as np
import pytest

from refnet import activations, layers
from refnet.errors import ArgumentError, RefnetError, UnsupportedError
from refnet.layers.configs import deserialize, keras_object, serialize


def test_round_trip_with_a_build_config():
    layer = layers.Dense(3, "relu", name="d")
    assert "build_config" not in serialize(layer)
    layer.build((None, 4))
    entry = serialize(layer)
    assert entry["build_config"] == {"input_shape": (None, 4)}
    again = deserialize(entry)
    assert again.built
    assert serialize(again) == entry


@pytest.mark.parametrize(
    "config",
    [
        None,
        "Dense",
        {},
        {"class_name": "Dense"},
        {"class_name": "Dense", "config": None},
        {"config": {"units": 3}},
        [1] * 99,
    ],
)
def test_what_is_not_a_config(config):
    with pytest.raises(ArgumentError, match="accepted: a dict with 'class_name' and 'config'") as caught:
        deserialize(config)
    assert len(str(caught.value)) < 160


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"class_name": "Lambda", "config": {"name": "l", "function": "..."}},
            "Lambda 'l': a Lambda layer holds Python",
        ),
        ({"class_name": "Conv2D", "config": {"name": "c"}}, "Conv2D 'c': layer class 'Conv2D' has no counterpart"),
        ({"class_name": "Dnese", "config": {"name": "c"}}, "Dnese 'c': .*did you mean 'Dense'"),
        (
            {"class_name": "Dense", "module": "os", "config": {"name": "d", "units": 3}},
            "Dense 'd': it is not Keras' own Dense",
        ),
        (
            {"class_name": "Dense", "registered_name": "mine>Dense", "config": {"name": "d", "units": 3}},
            "Dense 'd': it is not Keras' own Dense",
        ),
    ],
)
def test_what_has_no_counterpart(entry, message):
    with pytest.raises(UnsupportedError, match=f"^{message}"):
        deserialize(entry)


def test_a_config_that_lacks_an_argument():
    with pytest.raises(RefnetError, match=r"^Dropout 'd': its config does not fit"):
        deserialize({"class_name": "Dropout", "config": {"name": "d"}})


def test_keras_2_arguments():
    config = {"name": "d", "trainable": True, "batch_input_shape": [None, 5], "dtype": "float32", "units": 3}
    layer = deserialize({"class_name": "Dense", "config": {**config, "activity_regularizer": None}})
    assert layer._given_shape == (None, 5)


class Regularizer:
    def get_config(self):
        return {"l2": 0.01}


def test_training_objects():
    assert keras_object("l2", "m") == "l2"
    assert keras_object(None, "m") is None
    assert keras_object({"a": 1}, "m") == {"a": 1}
    assert keras_object(Regularizer(), "keras.regularizers") == {
        "module": "keras.regularizers",
        "class_name": "Regularizer",
        "config": {"l2": 0.01},
        "registered_name": None,
    }
    assert keras_object(np.sum, "m")["config"] == "sum"


def test_activations_read_layer_configs():
    found = activations.get(serialize(layers.LeakyReLU(0.1)))
    assert isinstance(found, layers.LeakyReLU)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Dence", "refnet.layers has no 'Dence'; did you mean 'Dense'?"),
        ("Lambda", "refnet.layers has no 'Lambda' (it holds Python code, which refnet does not run); accepted: "),
        ("Conv2D", "refnet.layers has no 'Conv2D'; accepted: "),
    ],
)
def test_a_layer_that_refnet_has_not(name, said):
    with pytest.raises(AttributeError) as caught:
        getattr(layers, name)
    assert str(caught.value).startswith(said)
    assert not hasattr(layers, "__wrapped__")
