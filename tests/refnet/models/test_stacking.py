from __future__ import annotations

import numpy as np
import pytest

from refnet import Input, Sequential, layers
from refnet.errors import ArgumentError
from refnet.models.stacking import entry_of


class KerasDense:
    """What a layer of Keras looks like from afar."""


KerasDense.__module__ = "keras.src.layers.core.dense"


@pytest.mark.parametrize("thing", ["dense", None, 3, layers.Dense, object()])
def test_only_layers_can_be_added(thing):
    model = Sequential(name="m")
    with pytest.raises(ArgumentError, match=r"(?s)^Sequential 'm': .* cannot be added; accepted: layers of refnet$"):
        model.add(thing)
    assert model.layers == []


def test_layers_of_keras_get_a_hint():
    with pytest.raises(ArgumentError, match=r"parity\.from_keras"):
        Sequential().add(KerasDense())


def test_a_name_stands_once():
    model = Sequential([layers.Dense(1, name="a")], name="m")
    with pytest.raises(ArgumentError, match=r"^Sequential 'm': two layers are named 'a'; accepted: a name for each$"):
        model.add(layers.ReLU(name="a"))


def test_a_model_is_not_in_itself():
    inner = Sequential([layers.Dense(1)], name="inner")
    outer = Sequential([inner], name="outer")
    for model, layer in ((inner, inner), (inner, outer)):
        with pytest.raises(ArgumentError, match="cannot be a layer of itself"):
            model.add(layer)


@pytest.mark.parametrize("before", [[Input((5,))], [layers.Dense(1)], [layers.Dense(1, input_shape=(5,))]])
def test_one_input_in_front(before):
    model = Sequential(before, name="m")
    with pytest.raises(ArgumentError, match="accepted: one, in front of all layers"):
        model.add(Input((5,)))


def test_what_a_first_layer_says_of_the_input():
    assert entry_of(layers.Dense(1)) is None
    assert entry_of(layers.Dense(1, input_dim=5, dtype="float64")).dtype == "float64"
    assert entry_of(Sequential([Input((5,)), layers.Dense(1)])).batch_shape == (None, 5)
    assert entry_of(Sequential([layers.Dense(1)])) is None


@pytest.mark.parametrize("index", ["0", 0.0, [0], object()])
def test_an_index_that_is_no_integer_is_refused(index):
    model = Sequential([layers.Dense(2)], name="m")
    with pytest.raises(ArgumentError, match=r"Sequential 'm': index is .*; accepted: an integer"):
        model.get_layer(index=index)


def test_an_index_of_numpy_counts_as_one():
    model = Sequential([layers.Dense(2), layers.Dense(3, name="last")])
    assert model.get_layer(index=np.int64(-1)).name == "last"
