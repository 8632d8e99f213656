from __future__ import annotations

import json

import numpy as np
import pytest

import refnet
from refnet import activations, layers
from refnet.errors import ArgumentError, RefnetError

X = np.concatenate([np.random.default_rng(0).standard_normal(40) * 5, [0.0, -0.0, np.inf, -np.inf, np.nan]]).astype(
    np.float32
)
NAMES = [
    name
    for name in activations.names()
    if activations.get(name).kind == "elementwise" and not activations.get(name).required
]

# layer, the activation that it is
SAME = [
    (layers.ReLU(), activations.get("relu")),
    (
        layers.ReLU(6.0, 0.1, 1.0),
        activations.get("relu").with_parameters(max_value=6.0, negative_slope=0.1, threshold=1.0),
    ),
    (layers.LeakyReLU(), activations.get("leaky_relu").with_parameters(negative_slope=0.3)),
    (layers.LeakyReLU(0.01), activations.get("leaky_relu").with_parameters(negative_slope=0.01)),
    (layers.ELU(), activations.get("elu")),
    (layers.ELU(0.5), activations.get("elu").with_parameters(alpha=0.5)),
    *((layers.Activation(name), activations.get(name)) for name in NAMES),
]


@pytest.mark.parametrize(("layer", "activation"), SAME, ids=lambda value: str(value))
def test_a_layer_is_its_activation(layer, activation):
    for x in (X, X.reshape(5, 9), X.reshape(5, 3, 3), X[:0], X[3]):
        np.testing.assert_array_equal(layer(x), activation(x))
        assert layer(x).shape == x.shape
        np.testing.assert_array_equal(layer.call(x), activation.numpy(x))
    assert layer.compute_output_shape((None, 7)) == (None, 7)
    assert layer.count_params() == 0
    assert layer.built


def test_dtypes_and_lists():
    assert layers.ReLU()([1, 2]).dtype == np.float32
    assert layers.ReLU()(X.astype(np.float64)).dtype == np.float32
    assert layers.ReLU(dtype="float64")(X).dtype == np.float64


def test_activation_takes_what_dense_takes():
    np.testing.assert_array_equal(layers.Activation(None)(X), X)
    np.testing.assert_array_equal(layers.Activation(np.abs)(X), np.abs(X))
    np.testing.assert_array_equal(layers.Activation(layers.ReLU(6.0))(X), layers.ReLU(6.0)(X))
    with pytest.raises(ArgumentError, match=r"^Activation 'a': activation 'rleu' unknown; did you mean 'relu'\?$"):
        layers.Activation("rleu", name="a")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.ReLU(-1), "ReLU 're_lu': max_value is -1"),
        (lambda: layers.ReLU(negative_slope=-0.1), "ReLU 're_lu': negative_slope is -0.1"),
        (lambda: layers.ReLU(negative_slope=None), "ReLU 're_lu': negative_slope is None"),
        (lambda: layers.ReLU(threshold=None), "ReLU 're_lu': threshold is None"),
        (lambda: layers.ReLU(threshold=float("nan")), "ReLU 're_lu': threshold is nan"),
        (lambda: layers.ReLU("6"), "ReLU 're_lu': max_value is '6'"),
        (lambda: layers.LeakyReLU(-0.1), "LeakyReLU 'leaky_re_lu': negative_slope is -0.1"),
        (lambda: layers.LeakyReLU(None), "LeakyReLU 'leaky_re_lu': negative_slope is None"),
        (lambda: layers.ELU(None), "ELU 'elu': "),
        (lambda: layers.ELU("a"), "ELU 'elu': "),
    ],
)
def test_parameters_that_are_refused(call, message):
    with pytest.raises(RefnetError) as caught:
        call()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_keras_2_slope_is_taken_with_a_warning():
    with pytest.warns(UserWarning, match="negative_slope"):
        layer = layers.LeakyReLU(alpha=0.1)
    assert layer.negative_slope == 0.1


@pytest.mark.parametrize("number", [np.float32(0.5), np.float16(0.5), np.float64(0.5), np.int64(2), 2])
@pytest.mark.parametrize("kind", [layers.ReLU, layers.LeakyReLU, layers.ELU])
def test_numbers_of_numpy_go_into_json(kind, number):
    config = kind(number, name="a").get_config()
    assert json.loads(json.dumps(config)) == config == kind(float(number), name="a").get_config()


def test_texts():
    texts = [layer.activation_text for layer in (layers.ReLU(), layers.ReLU(6.0), layers.LeakyReLU(), layers.ELU())]
    assert texts == ["relu", "relu(max_value=6)", "leaky_relu(negative_slope=0.3)", "elu"]


def test_in_a_model_they_run_in_the_plan():
    x = X[:40].reshape(5, 8)
    for layer, activation in SAME:
        model = refnet.Sequential([refnet.Input((8,)), layers.Dense(3), layer])
        plain = refnet.Sequential([refnet.Input((8,)), layers.Dense(3)])
        plain.set_weights(model.get_weights())
        np.testing.assert_array_equal(model(x), activation(plain(x)))
