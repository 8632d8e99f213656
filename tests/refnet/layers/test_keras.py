"""The layers against the installed Keras: no activation layer missing, the same arguments in the same order."""

from __future__ import annotations

import inspect

import pytest

from refnet import layers
from refnet.errors import ArgumentError
from refnet.layers import LAYERS

keras = pytest.importorskip("keras", reason="compares with real Keras")

pytestmark = pytest.mark.keras

KERAS = {name: each for name, each in vars(keras.layers).items() if inspect.isclass(each)}
FOR_TRAINING = [
    (layer, argument)
    for layer in (layers.Dense, layers.PReLU)
    for argument in inspect.signature(layer).parameters
    if argument.endswith(("_regularizer", "_constraint"))
]
ACTIVATION_LAYERS = [name for name, each in KERAS.items() if ".layers.activations." in each.__module__]


def test_every_activation_layer_of_keras_is_offered():
    assert ACTIVATION_LAYERS
    assert set(ACTIVATION_LAYERS) <= set(LAYERS) & set(layers.__all__)


# An InputLayer of Keras takes a symbolic tensor too, which refnet has not.
@pytest.mark.parametrize("name", sorted(set(LAYERS) & set(KERAS) - {"InputLayer"}))
def test_constructors_take_the_same_arguments(name):
    ours, theirs = (inspect.signature(each).parameters.values() for each in (LAYERS[name], KERAS[name]))
    assert [(p.name, p.kind, p.default) for p in ours] == [(p.name, p.kind, p.default) for p in theirs]


@pytest.mark.parametrize("given", [3.5, True, [], object()])
@pytest.mark.parametrize(("layer", "argument"), FOR_TRAINING)
def test_regularizers_and_constraints_that_both_refuse(layer, argument, given):
    units = {"units": 2} if layer is layers.Dense else {}
    with pytest.raises(ValueError, match="Could not interpret"):
        KERAS[layer.__name__](**units, **{argument: given})
    with pytest.raises(ArgumentError, match=f": {argument} is "):
        layer(**units, **{argument: given})
