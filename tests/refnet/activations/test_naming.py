"""get, serialize, deserialize, names; against real Keras in test_keras.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from refnet import activations, layers
from refnet.activations import REGISTRY, naming
from refnet.errors import ArgumentError, DTypeError


def test_names_are_unique_and_in_order():
    names = activations.names()
    assert len(names) == len(set(names))
    assert list(names[:2]) == ["linear", "relu"]
    assert set(REGISTRY) == {*names, *(alias for name in names for alias in REGISTRY[name].aliases)}


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_round_trip(name):
    block = activations.get(name)
    assert block is REGISTRY[name]
    assert activations.serialize(block) == block.name
    assert activations.deserialize(activations.serialize(block)) is block


def test_none_is_linear_and_callables_are_themselves():
    assert activations.get(None) is activations.linear
    for own in (np.tanh, lambda x: x, math.exp, activations.relu):
        assert activations.get(own) is own


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        ("swihs", "activation 'swihs' unknown; did you mean 'swish'?"),
        ("ReLU", "activation 'ReLU' unknown; did you mean 'relu'?"),
        ("", "activation '' unknown; accepted: linear, relu,"),
        ("@@@", "activation '@@@' unknown; accepted: linear, relu,"),
        (3, "activation 3 is not accepted; accepted: None, a name, a dictionary, a callable"),
        (["relu"], "activation ['relu'] is not accepted"),
        ({}, "activation {} is not accepted"),
        ({"class_name": "relu"}, "is not accepted; accepted: a name, a dictionary from serialize"),
        ({"class_name": "os", "config": "x", "module": "os"}, "activation 'os' of module 'os' unknown"),
        ({"class_name": "function", "config": "rleu"}, "activation 'rleu' unknown; did you mean 'relu'?"),
    ],
)
def test_unknown_identifiers(identifier, message):
    with pytest.raises(ArgumentError) as caught:
        activations.get(identifier)
    assert message in str(caught.value)


def test_parameters_survive():
    steep = activations.leaky_relu.with_parameters(0.5)
    config = activations.serialize(steep)
    assert config["config"] == {"negative_slope": 0.5}
    again = activations.get(config)
    assert again.parameters == steep.parameters
    rough = activations.get(activations.serialize(activations.gelu.with_parameters(approximate=True)))
    assert rough.parameters == {"approximate": True}
    cut = activations.threshold.with_parameters(1.0, 0.0)
    assert activations.get(activations.serialize(cut)).parameters == cut.parameters


def test_functions_of_ones_own():
    def cube(x):
        return x**3

    config = activations.serialize(cube)
    assert config == {"module": "builtins", "class_name": "function", "config": "cube", "registered_name": "function"}
    assert activations.deserialize(config, custom_objects={"cube": cube}) is cube
    assert activations.deserialize("cube", {"cube": cube}) is cube
    with pytest.raises(ArgumentError, match="activation 'cube' unknown"):
        activations.deserialize(config)


def test_a_function_that_only_shares_a_name_is_not_taken_for_the_block():
    def relu(x):
        return x

    assert isinstance(activations.serialize(relu), dict)


def test_what_cannot_be_serialized():
    with pytest.raises(ArgumentError, match=r"has no name to be found by"):
        activations.serialize(lambda x: x)
    for bad in ("relu", None, 3):
        with pytest.raises(DTypeError, match="cannot be serialized"):
            activations.serialize(bad)


def test_deserialize_none_and_unknown():
    assert activations.deserialize(None) is None
    with pytest.raises(ArgumentError, match="activation 'foo' unknown"):
        activations.deserialize("foo")


def test_layer_readers_are_asked(monkeypatch):
    class Leaky:
        def __call__(self, x):
            return x

        def get_config(self):
            return {"negative_slope": 0.3}

    def reader(config, custom_objects):
        return Leaky() if config["class_name"] == "Leaky" else None

    monkeypatch.setattr(naming, "LAYER_READERS", [reader])
    config = activations.serialize(Leaky())
    assert (config["module"], config["class_name"]) == ("keras.layers", "Leaky")
    assert isinstance(activations.get(config), Leaky)
    with pytest.raises(ArgumentError, match=r"activation 'Other' of module 'keras\.layers' unknown"):
        activations.get({**config, "class_name": "Other"})


def test_a_class_and_a_malformed_dictionary_are_refused_in_one_sentence():
    with pytest.raises(DTypeError, match="cannot be serialized"):
        activations.serialize(layers.ReLU)
    with pytest.raises(ArgumentError, match="a dictionary from serialize"):
        activations.get({"class_name": [], "config": {}})


def test_only_what_is_not_the_default_is_in_a_title():
    relu = activations.relu.with_parameters(max_value=6, negative_slope=0.5)
    assert naming.title("relu", relu.parameters) == "relu(negative_slope=0.5, max_value=6)"
    assert naming.title("relu", activations.relu.parameters) == "relu"
