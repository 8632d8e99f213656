from __future__ import annotations

import numpy as np
import pytest

from refnet import activations, layers
from refnet.errors import ArgumentError, DTypeError
from refnet.layers.activating import describe, numpy_reading, operations_of, resolve, serialized, shape_after
from refnet.layers.operations import Activate, Call

WHO = "Dense 'd'"


def test_resolve():
    assert resolve(None, WHO) is activations.get("linear")
    assert resolve("swish", WHO) is activations.get("silu")
    assert resolve(np.tanh, WHO) is np.tanh
    layer = layers.ReLU()
    assert resolve(layer, WHO) is layer
    again = resolve(layers.serialize(layers.LeakyReLU(0.1)), WHO)
    assert isinstance(again, layers.LeakyReLU)
    assert again.negative_slope == 0.1


@pytest.mark.parametrize(
    "config",
    [
        {"class_name": "function", "config": "my_own"},
        {"module": "builtins", "class_name": "function", "config": "my_own", "registered_name": "function"},
        {"class_name": "Nonsense", "config": {}},
        {"value": ["4wEAAA", None, None]},
        {"module": "keras.layers", "class_name": "relu"},
    ],
)
def test_configs_that_are_not_in_the_book(config):
    with pytest.raises(ArgumentError, match=r"^Dense 'd': "):
        resolve(config, WHO)


def test_operations():
    assert operations_of(activations.get("linear"), "float32", WHO) == ()
    (relu,) = operations_of(activations.get("relu"), "float32", WHO)
    assert isinstance(relu, Activate)
    (inner,) = operations_of(layers.ReLU(), "float32", WHO)
    assert isinstance(inner, Activate)
    (other,) = operations_of(layers.ReLU(), "float64", WHO)
    assert isinstance(other, Call)
    (own,) = operations_of(np.tanh, "float32", WHO)
    assert isinstance(own, Call)
    assert "tanh" in own.text


def test_a_function_gives_an_array_of_its_own():
    z = np.ones((2, 3), np.float32)
    (same,) = operations_of(lambda x: x, "float32", WHO)
    assert not np.shares_memory(same.function(z), z)
    (turned,) = operations_of(lambda x: x[::-1], "float32", WHO)
    assert not np.shares_memory(turned.function(z), z)


@pytest.mark.parametrize("function", [lambda z: z.astype(complex), lambda z: z.astype(str), lambda z: None])
def test_a_function_must_give_numbers(function):
    with pytest.raises(DTypeError, match=r"^Dense 'd': activation <lambda> gave dtype .*; accepted: real numbers$"):
        numpy_reading(function, np.ones((2, 3)), WHO)


def test_shapes():
    assert shape_after(activations.get("relu"), (None, None, 5), "float32", WHO) == (None, None, 5)
    assert shape_after(lambda z: z, (None, None, 5), "float32", WHO) == (None, None, 5)
    assert shape_after(lambda z: z[..., :2], (None, 4, 5), "float32", WHO) == (None, 4, 2)
    assert shape_after(lambda z: z.sum(-1), (7, 4, 5), "float32", WHO) == (7, 4)


def test_descriptions():
    assert describe(activations.get("gelu")) == "gelu"
    assert describe(activations.get("elu").with_parameters(alpha=0.5)) == "elu(alpha=0.5)"
    assert describe(activations.get("elu").with_parameters(alpha=1 / 3)) == "elu(alpha=0.3333333333333333)"
    assert describe(activations.get("gelu").with_parameters(approximate=True)) == "gelu(approximate=True)"
    assert describe(layers.Softmax()) == "softmax"
    assert describe(layers.Activation(layers.ReLU(6.0))) == "relu(max_value=6)"
    assert describe(np.tanh) == "tanh"


def test_serialized():
    assert serialized(activations.get("swish")) == "silu"
    assert serialized(layers.ReLU(name="r"))["class_name"] == "ReLU"
