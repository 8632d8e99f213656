from __future__ import annotations

import copy
import pickle

import pytest

from refnet import Input, Sequential, layers


@pytest.fixture
def model():
    return Sequential([Input((3,)), layers.Dense(2)])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("fit", "Sequential has no fit, since refnet does not train; train in Keras"),
        ("compile", "does not train"),
        ("save", "Sequential has no save, since refnet has no model files; Keras has"),
        ("load_weights", "has no model files"),
    ],
)
def test_what_keras_models_can_do_besides_is_pointed_to(model, name, sentence):
    assert not hasattr(model, name)
    with pytest.raises(AttributeError, match=sentence):
        getattr(model, name)


def test_no_other_attribute_takes_a_detour(model):
    assert not hasattr(type(model), "__getattr__")  # it would make a call with one row a tenth slower
    assert not hasattr(model, "get_layers")


def test_copies_ask_for_no_more_than_there_is(model):
    for twin in (copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert [a.tobytes() for a in twin.get_weights()] == [a.tobytes() for a in model.get_weights()]
