from __future__ import annotations

import numpy as np
import pytest

import refnet
from parity import steps
from parity.bounds import Engine, exactly
from refnet import activations, layers
from refnet.errors import UnsupportedError
from refnet.layers.operations import Activate, Matmul

HALF = Engine(lambda activation, dtype: 1.0)


def built(layer, *shape):
    refnet.Sequential([refnet.Input(shape), layer])
    return layer


def outcome(layer, x):
    chain = steps.steps(layer)
    return steps.through(chain, exactly(x), HALF, HALF, "it")


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Dense(4, activation="tanh"), (6,)),
        (layers.Dense(4, activation=layers.ReLU(1.0), use_bias=False), (2, 6)),
        (layers.PReLU(alpha_initializer="glorot_uniform"), (6,)),
        (layers.PReLU(alpha_initializer="glorot_uniform", shared_axes=[1]), (5, 6)),
        (layers.Softmax(), (6,)),
        (layers.Softmax(axis=1), (3, 6)),
        (layers.Softmax(axis=[1, 2]), (3, 6)),
        (layers.Flatten(), (3, 6)),
        (layers.Flatten(data_format="channels_first"), (3, 2, 5)),
        (layers.Dropout(0.5), (6,)),
        (layers.ELU(0.3), (6,)),
        (layers.Activation("gelu"), (6,)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, layers.Layer) else str(value),
)
def test_a_layers_truth_is_what_the_layer_computes(layer, shape):
    built(layer, *shape)
    x = np.random.default_rng(0).standard_normal((4, *shape)).astype(np.float32)
    y, after = layer(x), outcome(layer, x)
    assert after.value.shape == y.shape
    bound = np.broadcast_to(after.own, y.shape)
    assert (np.abs(y - after.value) <= bound).all()
    assert bound.max(initial=0.0) < 1e-4


def test_prelu_grants_the_error_of_its_slope():
    alpha = np.float32([4.0, 0.25])
    x = np.float32([[-1.0, -1.0], [2.0, 2.0]])
    start = exactly(x)
    start = type(start)(start.value, np.full((2, 2), 0.5), start.peer, start.granted, start.dtype)
    after = steps.through((steps.Slopes(alpha),), start, HALF, HALF, "prelu")
    assert after.value.tolist() == [[-4.0, -0.25], [2.0, 2.0]]
    assert after.own[0, 0] >= 2.0
    assert after.own[0, 1] >= 0.5


def test_the_activation_and_the_product_of_a_layer_are_found():
    dense = built(layers.Dense(4, activation="tanh"), 3)
    chain = steps.steps(dense)
    assert [type(step) for step in chain] == [Matmul, Activate]
    assert steps.activation_of(chain) is activations.get("tanh")
    assert [type(step) for step in steps.product(chain)] == [Matmul]
    assert steps.activation_of(()) is None
    assert steps.product(steps.steps(built(layers.ReLU(), 3))) == ()


def test_a_users_function_is_refused_by_the_layers_name():
    dense = built(layers.Dense(4, activation=lambda x: x * 2, name="d"), 3)
    with pytest.raises(UnsupportedError, match=r"Dense 'd': .* has no derived bound"):
        steps.through(steps.steps(dense), exactly(np.ones((2, 3), np.float32)), HALF, HALF, "Dense 'd'")
