from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import refnet
from refnet import Input, Sequential, layers
from refnet.errors import ArgumentError, NotBuiltError, RefnetError, ShapeError
from refnet.layers.layer import LAYERS, Layer

X = np.random.default_rng(3).standard_normal((3, 4)).astype(np.float32)

#: The arguments that a class cannot do without.
NEEDED: dict[str, dict[str, Any]] = {
    "Dense": {"units": 3},
    "Activation": {"activation": "relu"},
    "Dropout": {"rate": 0.5},
    "InputLayer": {"shape": (4,)},
}
SINGLE = sorted(name for name in LAYERS if name != "Sequential")


def make(kind: str, **more: Any) -> Layer:
    return LAYERS[kind](**NEEDED.get(kind, {}), **more)


@pytest.mark.parametrize("name", SINGLE)
def test_config_round_trip(name):
    layer = make(name, name="mine")
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.name == "mine"


KEPT = [(kind, name) for kind in SINGLE for name in LAYERS[kind]._kept]


@pytest.mark.parametrize(("kind", "name"), KEPT, ids=map(".".join, KEPT))
def test_what_would_not_change_the_results_cannot_be_set(kind, name):
    layer = make(kind, name="mine")
    layer(X)
    config = layer.get_config()
    with pytest.raises(ArgumentError, match=f"{kind} 'mine': {name} cannot be set"):
        setattr(layer, name, 0.5)
    assert layer.get_config() == config


@pytest.mark.parametrize("name", SINGLE)
def test_unknown_arguments_are_refused_with_the_nearest(name):
    with pytest.raises(ArgumentError, match=rf"^{name} 'l': argument 'trainible' unknown; did you mean 'trainable'\?$"):
        make(name, name="l", trainible=True)


@pytest.mark.parametrize("name", [name for name in SINGLE if name != "InputLayer"])
def test_results_are_new_arrays_in_the_layers_dtype(name):
    for dtype in ("float32", "float64"):
        layer = make(name, dtype=dtype)
        x = X.astype(dtype)
        before = x.copy()
        y = layer(x)
        assert y.dtype == dtype
        assert not np.shares_memory(y, x)
        np.testing.assert_array_equal(x, before)
        assert y.shape[1:] == layer.output_shape[1:]
        assert layer.call(x).dtype == dtype


@pytest.mark.parametrize("name", [name for name in SINGLE if name != "InputLayer"])
def test_copies_compute_the_same_and_change_alone(name):
    layer = make(name)
    expected = layer(X)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), copy.copy(layer)):
        np.testing.assert_array_equal(other(X), expected)
        assert other.name == layer.name
        assert all(not array.flags.writeable for array in other.weights)
        other.set_weights([array * 0 - 1 for array in other.get_weights()])
        np.testing.assert_array_equal(layer(X), expected)


def test_repr_is_keras():
    layer = layers.Dense(3, name="d")
    assert repr(layer) == "<Dense name=d, built=False>"
    layer.build((None, 2))
    assert repr(layer) == "<Dense name=d, built=True>"


def test_trainable_must_be_a_flag():
    assert layers.Dense(1, trainable=False).get_config()["trainable"] is False
    with pytest.raises(ArgumentError, match="trainable is 3"):
        layers.Dense(1, trainable=3)


def test_what_needs_a_shape_says_so():
    layer = layers.Dense(3, name="d")
    for call in (
        lambda: layer.input_shape,
        lambda: layer.output_shape,
        lambda: layer.kernel,
        lambda: layer.bias,
        lambda: layer.count_params(),
        lambda: layer.set_weights([]),
        lambda: layer.operations(),
        lambda: layer.plan,
    ):
        with pytest.raises(NotBuiltError, match=r"^Dense 'd' "):
            call()
    assert layer.get_weights() == []
    assert layer.weights == []
    assert layer.weight_names == ()
    with pytest.raises(ArgumentError, match="build needs an input_shape"):
        layer.build()


def test_building_twice_keeps_the_weights():
    layer = layers.Dense(3, name="d")
    layer.build((None, 2))
    kernel = layer.kernel
    layer.build((None, 2))
    assert layer.kernel is kernel
    with pytest.raises(ShapeError, match=r"^Dense 'd': its kernel has shape \(2, 3\), but this input needs \(4, 3\)"):
        layer.build((None, 4))


def test_build_uses_a_given_input_shape():
    layer = layers.Dense(3, input_shape=(5,))
    layer.build()
    assert layer.kernel.shape == (5, 3)
    assert layers.Dense(3, input_dim=5)._given_shape == (None, 5)


def test_weights_are_read_only_and_copies_are_not():
    layer = layers.Dense(3)
    layer.build((None, 2))
    with pytest.raises(ValueError, match="read-only"):
        layer.kernel[0] = 1
    with pytest.raises(AttributeError):
        layer.kernel = np.zeros((2, 3))
    weights = layer.get_weights()
    weights[0][...] = 5
    assert not np.any(layer.kernel == 5)
    layer.set_weights(weights)
    weights[0][...] = 7
    np.testing.assert_array_equal(layer.kernel, np.full((2, 3), 5))


def test_whoever_holds_weights_keeps_them():
    layer = layers.Dense(3)
    layer.build((None, 2))
    held = layer.weights
    before = [array.copy() for array in held]
    layer.set_weights([np.ones((2, 3)), np.ones(3)])
    for array, old in zip(held, before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_setting_weights_drops_the_plan():
    layer = layers.Dense(2, kernel_initializer="zeros")
    assert not layer(np.ones((1, 2))).any()
    plan = layer.plan
    assert layer.plan is plan
    layer.set_weights([np.ones((2, 2)), np.zeros(2)])
    assert layer.plan is not plan
    np.testing.assert_array_equal(layer(np.ones((1, 2))), [[2, 2]])


def test_a_plan_of_old_weights_is_not_kept(monkeypatch):
    """Weights that change while a Plan is built must not be overtaken by it."""
    import refnet.layers.layer as module

    layer = layers.Dense(2, kernel_initializer="zeros")
    layer.build((None, 2))
    real = module.make_ready

    def interrupted(*args):
        ready = real(*args)
        monkeypatch.setattr(module, "make_ready", real)
        layer.set_weights([np.ones((2, 2)), np.zeros(2)])
        return ready

    monkeypatch.setattr(module, "make_ready", interrupted)
    np.testing.assert_array_equal(layer(np.ones((1, 2))), [[0, 0]])
    np.testing.assert_array_equal(layer(np.ones((1, 2))), [[2, 2]])


def test_inputs_by_keras_name():
    for layer in (layers.Dense(2), layers.ReLU(), layers.Softmax(), refnet.Sequential([layers.Dense(2)])):
        np.testing.assert_array_equal(layer(inputs=X), layer(X))


def test_refnet_does_not_train():
    for layer in (layers.Dense(2), layers.Dropout(0.5)):
        layer(X, training=False)
        layer(X, training=None)
        with pytest.raises(ArgumentError, match="refnet does not train"):
            layer(X, training=True)


def test_no_mask_is_taken_as_in_keras():
    for layer in (layers.Dense(2), layers.ReLU(), layers.Softmax(), refnet.Sequential([layers.Dense(2)], name="m")):
        np.testing.assert_array_equal(layer(X, training=False, mask=None), layer(X))
    with pytest.raises(ArgumentError, match=r"^Sequential 'm': a mask is given; accepted: None, since only"):
        layer(X, mask=np.ones(3, bool))


def test_layers_of_ones_own():
    class Double(Layer):
        def call(self, x):
            return 2 * self._as_input(x)

    assert "Double" not in LAYERS
    layer = Double(dtype="float64")
    assert layer.name == "double"
    np.testing.assert_array_equal(layer.call([1.0]), [2.0])


def test_every_error_is_one_of_refnets():
    for arguments in ({"dtype": "float16"}, {"name": ""}, {"input_shape": 3}, {"nonsense": 1}):
        with pytest.raises(RefnetError):
            layers.ReLU(**arguments)


@pytest.mark.parametrize("units", [10**20, 2**62, 2**63])
@pytest.mark.parametrize("initializer", ["glorot_uniform", "zeros", "random_normal", "orthogonal"])
def test_a_weight_beyond_what_an_array_can_hold_is_refused(units, initializer):
    layer = layers.Dense(units, kernel_initializer=initializer, name="huge")
    with pytest.raises(ShapeError, match="Dense 'huge': its kernel would be of shape"):
        layer.build((None, 4))
    assert not layer.built


def test_an_input_beyond_what_an_array_can_hold_is_refused():
    with pytest.raises(ShapeError, match="its kernel would be of shape"):
        Sequential([Input((10**20,)), layers.Dense(2)])


@pytest.mark.parametrize("config", [None, [1], 3, "units"])
@pytest.mark.parametrize("name", sorted(LAYERS))
def test_a_config_that_is_none_is_refused(name, config):
    with pytest.raises(ArgumentError, match="config"):
        LAYERS[name].from_config(config)


def test_an_activity_regularizer_stays_in_the_config():
    for layer in (layers.Dense(2, activity_regularizer="l1"), layers.ReLU(activity_regularizer="l1")):
        config = layer.get_config()
        assert config["activity_regularizer"] == "l1"
        assert type(layer).from_config(config).get_config() == config
    assert "activity_regularizer" not in layers.Dense(2).get_config()  # Keras writes it only where there is one
