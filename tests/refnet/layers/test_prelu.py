from __future__ import annotations

import numpy as np
import pytest

import refnet
from refnet import layers
from refnet.errors import ArgumentError, NotBuiltError, ShapeError

X = np.random.default_rng(7).standard_normal((3, 4)).astype(np.float32)


def test_the_formula():
    alpha = np.array([0.5, -2.0, 0.0, 0.25], np.float32)
    layer = layers.PReLU(alpha_initializer=alpha)
    expected = np.where(X > 0, X, X * alpha)
    np.testing.assert_array_equal(layer(X), expected)
    np.testing.assert_array_equal(layer.call(X), expected)


def test_alpha_is_zero_at_first_and_can_be_set():
    layer = layers.PReLU()
    with pytest.raises(NotBuiltError):
        _ = layer.alpha
    np.testing.assert_array_equal(layer(X), np.maximum(X, 0))
    layer.set_weights([np.ones(4)])
    np.testing.assert_array_equal(layer(X), X)
    assert layer.weight_names == ("alpha",)
    assert layer.count_params() == 4
    assert not layer.alpha.flags.writeable


def test_zeros_are_positive():
    result = layers.PReLU(alpha_initializer="ones")(np.array([[-0.0, 0.0]], np.float32))
    assert not np.signbit(result).any()


def test_nan_stays():
    assert np.isnan(layers.PReLU()([[np.nan]])).all()


def test_shared_axes():
    layer = layers.PReLU(shared_axes=1)
    layer.build((None, 6, 4))
    assert layer.alpha.shape == (1, 4)
    assert layer.shared_axes == [1]
    assert layer(np.ones((2, 9, 4))).shape == (2, 9, 4)
    with pytest.raises(ShapeError, match=r"accepted: shape \(rows, any, 4\)$"):
        layer(np.ones((2, 9, 5)))


def test_in_a_model():
    model = refnet.Sequential([refnet.Input((4,)), layers.PReLU(alpha_initializer="ones"), layers.Dense(2)])
    kernel, bias = model.layers[1].get_weights()
    expected = refnet.Sequential([refnet.Input((4,)), layers.Dense(2)])
    expected.set_weights([kernel, bias])
    np.testing.assert_array_equal(model(X), expected(X))


def test_config_round_trip():
    layer = layers.PReLU("he_normal", "l2", "max_norm", [1, 2], name="p")
    config = layer.get_config()
    assert config["alpha_initializer"]["class_name"] == "HeNormal"
    assert (config["alpha_regularizer"], config["alpha_constraint"], config["shared_axes"]) == (
        "l2",
        "max_norm",
        [1, 2],
    )
    assert layers.PReLU.from_config(config).get_config() == config


@pytest.mark.parametrize("axes", [0, -1, "a", [1.5], [True]])
def test_shared_axes_that_are_refused(axes):
    with pytest.raises(ArgumentError, match=r"^PReLU 'p': shared_axes is "):
        layers.PReLU(shared_axes=axes, name="p")


@pytest.mark.parametrize("shape", [(None,), (None, None), (None, None, 4)])
def test_open_shapes_are_refused(shape):
    with pytest.raises(ShapeError, match="leaves the shape of alpha open"):
        layers.PReLU().build(shape)


def test_a_shared_axis_that_is_not_there():
    with pytest.raises(ShapeError, match="shared axis 3"):
        layers.PReLU(shared_axes=3).build((None, 4, 5))


def test_an_unknown_initializer_names_the_layer():
    with pytest.raises(ArgumentError, match=r"^PReLU 'p': alpha_initializer: initializer 'x' unknown"):
        layers.PReLU("x", name="p")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_minus_infinity(dtype):
    layer = layers.PReLU(alpha_initializer=np.array([0.0, 0.5, -2.0]), dtype=np.dtype(dtype).name)
    x = np.full((1, 3), -np.inf, dtype)
    for result in (layer(x), layer.call(x)):
        np.testing.assert_array_equal(result, [[0.0, -np.inf, np.inf]])
