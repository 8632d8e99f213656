from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from refnet import activations, layers
from refnet.errors import ArgumentError, RefnetError, ShapeError, UnsupportedError
from refnet.layers.activating import describe

ALL = activations.names()


def usable(name: str) -> bool:
    """Whether a name alone will do: some activations need parameters."""
    return not activations.get(name).required


def bound(x, kernel, bias):
    """Return twice Higham's bound for a sum of n + 1 products: what two orders of summation may differ."""
    u = np.finfo(x.dtype).eps / 2
    n = x.shape[-1] + 1
    wide = np.abs(x.astype(np.float64)) @ np.abs(kernel.astype(np.float64))
    return 2 * (n * u / (1 - n * u)) * (wide + np.abs(bias.astype(np.float64))) + np.finfo(x.dtype).tiny


@given(
    rows=st.integers(0, 9),
    inputs=st.integers(1, 40),
    units=st.integers(1, 40),
    dtype=st.sampled_from(["float32", "float64"]),
)
@settings(max_examples=60)
def test_linear_is_the_matrix_product(rows, inputs, units, dtype):
    rng = np.random.default_rng([rows, inputs, units])
    x = rng.standard_normal((rows, inputs)).astype(dtype)
    layer = layers.Dense(units, bias_initializer="random_normal", dtype=dtype)
    y = layer(x)
    truth = x.astype(np.float64) @ layer.kernel.astype(np.float64) + layer.bias.astype(np.float64)
    limit = bound(x, layer.kernel, layer.bias)
    assert y.dtype == dtype
    assert (np.abs(y - truth) <= limit).all()
    assert (np.abs(layer.call(x) - truth) <= limit).all()


@pytest.mark.parametrize("name", [name for name in ALL if usable(name)])
def test_every_activation_is_applied_to_the_product(name):
    x = np.random.default_rng(5).standard_normal((6, 3)).astype(np.float32)
    layer = layers.Dense(4, activation=name)
    plain = layers.Dense(4)
    plain.build((None, 3))
    y = layer(x)
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(y, activations.get(name)(plain(x)))
    assert y.shape == (6, *layer.output_shape[1:])


@pytest.mark.parametrize("name", [name for name in ALL if not usable(name)])
def test_activations_without_their_parameters_are_refused(name):
    with pytest.raises(ArgumentError, match=rf"^Dense 'd': activation '{name}' needs .*with_parameters"):
        layers.Dense(2, activation=name, name="d")


@pytest.mark.parametrize("name", [name for name in ALL if activations.get(name).kind not in ("elementwise", "rowwise")])
def test_shapes_follow_what_the_activation_does(name):
    layer = layers.Dense(6, activation=name)
    y = layer(np.ones((2, 3)))
    assert layer.output_shape == (None, *y.shape[1:])


def test_glu_halves_the_units():
    layer = layers.Dense(6, activation="glu")
    assert layer(np.ones((2, 3))).shape == (2, 3)
    assert layer.output_shape == (None, 3)
    assert layer.compute_output_shape((None, 7, 3)) == (None, 7, 3)
    with pytest.raises(RefnetError, match=r"^Dense 'g': "):
        layers.Dense(5, activation="glu", name="g")


@pytest.mark.parametrize("shape", [(2, 3), (2, 4, 3), (2, 1, 5, 3), (0, 3), (2, 0, 3)])
def test_the_last_axis_is_contracted(shape):
    x = np.random.default_rng(1).standard_normal(shape)
    layer = layers.Dense(4, activation="softmax")
    layer.build((None, 3))
    y = layer(x)
    assert y.shape == (*shape[:-1], 4)
    flat = layer(x.reshape(int(np.prod(shape[:-1])), 3))
    np.testing.assert_array_equal(y.reshape(flat.shape), flat)


def test_without_bias():
    layer = layers.Dense(2, use_bias=False, kernel_initializer="ones")
    np.testing.assert_array_equal(layer([[1, 2, 3]]), [[6, 6]])
    assert layer.bias is None
    assert layer.weight_names == ("kernel",)
    assert len(layer.get_weights()) == 1


def test_one_input_and_no_inputs():
    np.testing.assert_array_equal(layers.Dense(2, kernel_initializer="ones")([[3], [4]]), [[3, 3], [4, 4]])
    empty = layers.Dense(2, bias_initializer="ones")
    np.testing.assert_array_equal(empty(np.zeros((3, 0))), np.ones((3, 2)))


@pytest.mark.parametrize(
    "function",
    [lambda z: np.maximum(z, 0), np.tanh, layers.ReLU(), activations.get("relu"), lambda z: z, lambda z: z > 0],
    ids=["lambda", "ufunc", "layer", "Activation", "identity", "booleans"],
)
def test_callables(function):
    x = np.random.default_rng(2).standard_normal((3, 4)).astype(np.float32)
    layer = layers.Dense(5, activation=function)
    y = layer(x)
    plain = layers.Dense(5)
    plain.build((None, 4))
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(y, np.asarray(function(plain(x)), np.float32))
    assert y.dtype == np.float32
    assert layer.call(x).dtype == np.float32


def test_a_callable_may_change_the_shape_but_not_the_rows():
    layer = layers.Dense(4, activation=lambda z: z[..., :3])
    assert layer(np.ones((2, 5))).shape == (2, 3)
    assert layer.output_shape == (None, 3)
    with pytest.raises(ShapeError, match=r"^Dense 'd': activation <lambda> turns shape \(2, 4\) into \(4,\)"):
        layers.Dense(4, activation=lambda z: z.sum(axis=0), name="d")


def test_a_callable_that_fails_is_named():
    def broken(z):
        raise RuntimeError("no")

    with pytest.raises(ArgumentError, match=r"^Dense 'd': activation broken fails .*RuntimeError: no"):
        layers.Dense(4, activation=broken, name="d")


def test_a_callable_cannot_change_what_it_gets():
    def in_place(z):
        z += 1
        return z

    with pytest.raises(ArgumentError, match="read-only"):
        layers.Dense(4, activation=in_place)


@pytest.mark.parametrize("units", [0, -1, 2.0, "3", None, True, [3], float("nan")])
def test_units_that_are_refused(units):
    with pytest.raises(ArgumentError) as caught:
        layers.Dense(units, name="d")
    assert str(caught.value) == f"Dense 'd': units is {units!r}; accepted: a positive integer"


def test_units_of_numpy():
    assert type(layers.Dense(np.int64(3)).units) is int


def test_an_unknown_activation_gets_the_nearest_name():
    with pytest.raises(ArgumentError) as caught:
        layers.Dense(3, activation="swihs", name="hidden")
    assert str(caught.value) == "Dense 'hidden': activation 'swihs' unknown; did you mean 'swish'?"


@pytest.mark.parametrize("activation", [3, 1.5, ["relu"], ""])
def test_activations_that_are_refused(activation):
    with pytest.raises(ArgumentError, match=r"^Dense 'd': "):
        layers.Dense(3, activation=activation, name="d")


def test_classes_and_layers_with_weights_are_no_activations():
    with pytest.raises(ArgumentError, match=r"accepted: an object, ReLU\(\)$"):
        layers.Dense(3, activation=layers.ReLU)
    for layer in (layers.PReLU(), layers.Dense(3), layers.Flatten()):
        with pytest.raises(UnsupportedError, match="weights of its own"):
            layers.Dense(3, activation=layer)


def test_inputs_that_are_refused():
    layer = layers.Dense(3, name="d")
    with pytest.raises(ShapeError, match=r"^Dense 'd': input has one axis, of size 4; .*x\[np.newaxis, :\]"):
        layer(np.zeros(4))
    assert not layer.built
    layer.build((None, 4))
    for x in (np.zeros(4), np.zeros((2, 5)), np.zeros(()), np.zeros((2, 3, 5))):
        with pytest.raises(ShapeError, match=r"^Dense 'd': .*accepted: shape \(rows, ..., 4\)"):
            layer(x)


@pytest.mark.parametrize("shape", [(None,), (5,), (None, None), ()])
def test_shapes_that_cannot_be_built(shape):
    with pytest.raises(ShapeError, match=r"^Dense 'd': .*; accepted: "):
        layers.Dense(3, name="d").build(shape)


def test_float64():
    layer = layers.Dense(3, dtype="float64", kernel_initializer="ones")
    np.testing.assert_array_equal(layer([[0.1]]), [[0.1] * 3])
    assert layer.kernel.dtype == np.float64
    np.testing.assert_array_equal(layer(np.array([[0.1]], np.float32)), np.full((1, 3), np.float64(np.float32(0.1))))


def test_an_activation_layer_of_another_dtype_rounds_to_its_own():
    layer = layers.Dense(1, dtype="float64", kernel_initializer="ones", activation=layers.LeakyReLU(0.1))
    expected = activations.get("leaky_relu")(np.array([[-0.1]], np.float32), negative_slope=0.1)
    np.testing.assert_array_equal(layer([[-0.1]]), expected.astype(np.float64))


def test_training_arguments_are_kept():
    given = {
        "kernel_regularizer": "l2",
        "bias_regularizer": {"class_name": "L1", "config": {"l1": 0.1}},
        "kernel_constraint": "max_norm",
        "bias_constraint": "non_neg",
        "lora_rank": 2,
        "lora_alpha": 4,
    }
    layer = layers.Dense(3, activity_regularizer="l2", **given)
    config = layer.get_config()
    assert {key: config[key] for key in given} == given
    assert layers.Dense.from_config(config).get_config() == config
    assert "lora_rank" not in layers.Dense(3).get_config()


def test_config_of_parameters_and_layers():
    for activation in (activations.get("elu").with_parameters(alpha=0.5), layers.LeakyReLU(0.1), "gelu", None):
        layer = layers.Dense(3, activation=activation)
        again = layers.Dense.from_config(layer.get_config())
        assert describe(again.activation) == describe(layer.activation)
    with pytest.raises(ArgumentError, match="units"):
        layers.Dense.from_config({"name": "d"})


def test_use_bias_must_be_a_flag():
    with pytest.raises(ArgumentError, match="use_bias is 'yes'"):
        layers.Dense(3, use_bias="yes")


def test_an_activation_that_does_not_fit_in_anothers_place_is_refused():
    layer = layers.Dense(4, "relu", name="d")
    layer.activation = "glu"
    layer.activation = "relu"
    x = np.float32([[1.0, -2.0]])
    y = layer(x)
    with pytest.raises(ShapeError, match=r"activation glu gives shape \(None, 2\) where relu gave \(None, 4\)"):
        layer.activation = "glu"
    with pytest.raises(ArgumentError, match=r"^Dense 'd': activation 'rleu' unknown; did you mean 'relu'\?$"):
        layer.activation = "rleu"
    assert layer.activation is activations.relu
    assert np.array_equal(layer(x), y)
