"""The seed tutorial, line by line in refnet, and the same lines in real Keras."""

from __future__ import annotations

import json

import numpy as np
import pytest

import refnet
from refnet import layers
from refnet.errors import RefnetError


@pytest.fixture
def model() -> refnet.Sequential:
    return build(refnet, layers)


def build(library, layers):
    model = library.Sequential(name="my_model")
    model.add(layers.Dense(units=10, activation="relu", input_shape=(5,)))
    model.add(layers.Dense(units=10, activation="relu"))
    model.add(layers.Dense(units=10, activation="softmax"))
    return model


# In refnet


def test_model_summary(model, capsys):
    model.summary()
    out = capsys.readouterr().out
    assert 'Model: "my_model"' in out
    for text in ("Layer (type)", "Output Shape", "Param #", "Activation", "dense_2 (Dense)", "(None, 10)", "softmax"):
        assert text in out
    assert " Total params: 280 (1.09 KB)" in out


def test_print_an_activation(model):
    activation = model.layers[0].activation
    assert repr(activation).startswith("<activation relu")
    assert activation.name == "relu"
    assert activation.text in repr(activation)
    assert "rectif" in activation.help.lower() or "relu" in activation.help.lower()
    np.testing.assert_array_equal(activation(np.array([-1.0, 0.0, 2.0])), [0.0, 0.0, 2.0])


def test_the_activations_of_the_three_layers(model):
    assert [layer.activation.name for layer in model.layers] == ["relu", "relu", "softmax"]


def test_the_result(model):
    result = model(np.random.default_rng(0).standard_normal((3, 5)))
    assert type(result) is np.ndarray
    assert result.dtype == np.float32
    assert result.shape == (3, 10)
    assert (result > 0).all()
    # Ten numbers below 1, each within an ulp of its own and a sum of nine roundings: 10 ulp of 1 cover both.
    assert (np.abs(result.sum(axis=1) - 1) <= 10 * np.finfo(np.float32).eps).all()


def test_predict_gives_the_same_bits(model):
    x = np.random.default_rng(0).standard_normal((3, 5))
    np.testing.assert_array_equal(model.predict(x), model(x))


def test_relu_in_the_result_of_a_layer(model):
    x = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    seen = refnet.trace(model, x)
    np.testing.assert_array_equal(seen["dense"].a, np.maximum(seen["dense"].z, 0))
    np.testing.assert_array_equal(seen.output, model(x))


# Against Keras


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("keras", reason="Keras is not installed")
    from parity.runners import keras_setup

    return keras_setup.load()


@pytest.fixture
def peer(keras):
    from parity.runners import keras_setup

    keras.backend.clear_session()
    with keras_setup.quiet():
        return build(keras, keras.layers)


def as_json(config):
    return json.loads(json.dumps(config))


@pytest.mark.keras
def test_the_same_names_shapes_and_counts(model, peer):
    assert [layer.name for layer in model.layers] == [layer.name for layer in peer.layers]
    assert (model.input_shape, model.output_shape) == (peer.input_shape, peer.output_shape)
    assert model.count_params() == peer.count_params()
    assert [array.shape for array in model.get_weights()] == [array.shape for array in peer.get_weights()]
    assert repr(model) == repr(peer)
    assert [repr(layer) for layer in model.layers] == [repr(layer) for layer in peer.layers]


@pytest.mark.keras
def test_the_same_result_within_the_bound(model, peer):
    """Two engines differ by at most twice Higham's bound per layer, grown by the layers behind."""
    x = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    model.set_weights(peer.get_weights())
    y, error = x.astype(np.float64), np.zeros_like(x, np.float64)
    u = np.finfo(np.float32).eps / 2
    for layer in model.layers:
        kernel, n = np.abs(layer.kernel.astype(np.float64)), layer.kernel.shape[0] + 1
        z = y @ layer.kernel.astype(np.float64) + layer.bias.astype(np.float64)
        error = error @ kernel + 2 * (n * u / (1 - n * u)) * (np.abs(y) @ kernel + np.abs(layer.bias))
        y = layer.activation.numpy(z)
    # relu passes errors on as they are. softmax multiplies the largest by at most 1, and adds 8 ulp of Keras' own.
    limit = error.max(axis=1, keepdims=True) + 8 * np.finfo(np.float32).eps
    assert (np.abs(model(x) - np.asarray(peer(x))) <= limit).all()


def table(text: str) -> list[list[str]]:
    lines = [line.replace("┃", "│") for line in text.splitlines()]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]


@pytest.mark.keras
@pytest.mark.parametrize("arguments", [{}, {"line_length": 76}, {"show_trainable": True, "line_length": 78}])
def test_the_summary_is_keras_with_one_column_more(model, peer, arguments):
    texts: list[str] = []
    model.summary(print_fn=texts.append, **arguments)
    peer.summary(print_fn=texts.append, **arguments)
    ours, theirs = texts
    without = [[*row[:3], *row[4:]] for row in table(ours)]
    # Keras cuts "Trainable" off in a narrow column, and so does refnet, each at its own width.
    assert [row[:3] for row in without] == [row[:3] for row in table(theirs)]
    assert [row[3:] for row in without][1:] == [row[3:] for row in table(theirs)][1:]
    assert [line for line in ours.splitlines() if "params" in line] == [
        line for line in theirs.splitlines() if "params" in line
    ]
    assert ours.splitlines()[0] == theirs.splitlines()[0]
    assert {line[0] for line in ours.splitlines()} == {line[0] for line in theirs.splitlines()}


@pytest.mark.keras
def test_the_config_is_keras(model, peer):
    assert as_json(model.get_config()) == as_json(peer.get_config())


def more_models(library, layers):
    """Build models of everything that refnet has layers for, with the names that both libraries share."""
    inner = library.Sequential([layers.Dense(2)], name="inner")
    return [
        library.Sequential([layers.Dense(3, "gelu"), layers.Dense(2)], name="unbuilt"),
        library.Sequential(
            [
                library.Input((5,), name="in"),
                layers.Dense(4, kernel_initializer=library.initializers.HeNormal(seed=3), use_bias=False, name="d"),
                layers.Dropout(0.5, name="drop"),
                layers.Flatten(name="f"),
                layers.LeakyReLU(name="l"),
                layers.ReLU(6.0, name="r"),
                layers.PReLU(shared_axes=[1], name="p"),
                layers.Softmax(name="s"),
                layers.Activation("swish", name="a"),
            ],
            name="all",
        ),
        library.Sequential([library.Input((4,)), layers.ELU(0.5), inner], name="outer"),
    ]


@pytest.mark.keras
def test_more_configs_are_keras(keras):
    keras.backend.clear_session()
    # refnet's names of the initializers are functions; what they make has the same config.
    from types import SimpleNamespace

    ours = SimpleNamespace(
        Sequential=refnet.Sequential,
        Input=refnet.Input,
        initializers=SimpleNamespace(HeNormal=refnet.initializers.he_normal),
    )
    for model, peer in zip(more_models(ours, layers), more_models(keras, keras.layers), strict=True):
        expected = as_json(peer.get_config())
        for entry in expected["layers"]:
            entry.pop("compile_config", None)  # of training
        assert as_json(model.get_config()) == expected


@pytest.mark.keras
def test_configs_go_both_ways(keras):
    """What Keras writes refnet reads, and the other way round; shapes and weights' shapes stay."""
    keras.backend.clear_session()
    for peer in more_models(keras, keras.layers):
        model = refnet.Sequential.from_config(as_json(peer.get_config()))
        assert [layer.name for layer in model.layers] == [layer.name for layer in peer.layers]
        assert [array.shape for array in model.get_weights()] == [array.shape for array in peer.get_weights()]
        again = keras.Sequential.from_config(as_json(model.get_config()))
        assert [array.shape for array in again.get_weights()] == [array.shape for array in peer.get_weights()]
        if model.built:
            assert again.output_shape == model.output_shape == peer.output_shape


@pytest.mark.keras
def test_layers_that_stand_alone_agree_with_keras(keras):
    """Every activation layer gives Keras' numbers, within a few ulp, on ordinary input."""
    x = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    pairs = [
        (layer(layers), layer(keras.layers))
        for layer in (
            lambda of: of.ReLU(),
            lambda of: of.ReLU(1.0, 0.1, 0.5),
            lambda of: of.LeakyReLU(),
            lambda of: of.LeakyReLU(0.05),
            lambda of: of.ELU(0.5),
            lambda of: of.PReLU(alpha_initializer="ones"),
            lambda of: of.Softmax(),
            lambda of: of.Softmax(0),
            lambda of: of.Softmax([0, 1]),
            lambda of: of.Activation("tanh"),
            lambda of: of.Dropout(0.5),
            lambda of: of.Flatten(),
        )
    ]
    for ours, theirs in pairs:
        # Keras' own errors on such input: up to 5.4 ulp (tanh), a lost digit or two in elu near 0 (exp(x) - 1).
        limit = 16 * np.finfo(np.float32).eps
        assert np.abs(ours(x) - np.asarray(theirs(x))).max() <= limit, ours.name


@pytest.mark.keras
def test_softmax_masks_agree_with_keras(keras):
    x = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32)
    mask = np.random.default_rng(1).random((4, 6)) > 0.5
    mask[0] = False
    theirs = np.asarray(keras.layers.Softmax()(x, mask=keras.ops.convert_to_tensor(mask)))
    assert np.abs(layers.Softmax()(x, mask=mask) - theirs).max() <= 8 * np.finfo(np.float32).eps


REFUSED_BY_BOTH = {
    "units of 0": lambda lib, of: of.Dense(0),
    "units of text": lambda lib, of: of.Dense("3"),
    "units of a float": lambda lib, of: of.Dense(2.5),
    "an unknown activation": lambda lib, of: of.Dense(3, activation="swihs"),
    "another case": lambda lib, of: of.Dense(3, activation="ReLU"),
    "an unknown initializer": lambda lib, of: of.Dense(3, kernel_initializer="foo"),
    "an unknown argument": lambda lib, of: of.Dense(3, foo=1),
    "a name with a slash": lambda lib, of: of.Dense(3, name="a/b"),
    "a name that is a number": lambda lib, of: of.Dense(3, name=3),
    "an unknown dtype": lambda lib, of: of.Dense(3, dtype="int8"),
    "trainable of 3": lambda lib, of: of.Dense(3, trainable=3),
    "a negative ceiling": lambda lib, of: of.ReLU(-1),
    "no slope": lambda lib, of: of.ReLU(negative_slope=None),
    "a negative slope": lambda lib, of: of.LeakyReLU(-0.1),
    "a rate above 1": lambda lib, of: of.Dropout(1.5),
    "a data format": lambda lib, of: of.Flatten("middle"),
    "an Input of a number": lambda lib, of: lib.Input(5),
    "an Input of nothing": lambda lib, of: lib.Input(),
    "two names": lambda lib, of: lib.Sequential([of.Dense(3, name="a"), of.Dense(3, name="a")]),
    "no layer": lambda lib, of: lib.Sequential(["dense"]),
    "no layers": lambda lib, of: lib.Sequential()(np.zeros((3, 5), np.float32)),
    "nothing to pop": lambda lib, of: lib.Sequential().pop(),
    "two inputs": lambda lib, of: lib.Sequential([lib.Input((3,)), lib.Input((3,))]),
    "no such layer": lambda lib, of: lib.Sequential([of.Dense(3)]).get_layer("zz"),
    "counting unbuilt": lambda lib, of: lib.Sequential([of.Dense(3)]).count_params(),
    "an open last axis": lambda lib, of: lib.Sequential([lib.Input((None,)), of.Dense(3)]),
    "one axis": lambda lib, of: lib.Sequential([lib.Input((5,)), of.Dense(3)])(np.zeros(5, np.float32)),
    "a wrong last axis": lambda lib, of: lib.Sequential([lib.Input((5,)), of.Dense(3)])(np.zeros((3, 4), np.float32)),
    "a wrong rank": lambda lib, of: lib.Sequential([lib.Input((5,)), of.Dense(3)])(np.zeros((2, 3, 5), np.float32)),
    "a short list": lambda lib, of: lib.Sequential([lib.Input((5,)), of.Dense(3)]).set_weights([np.zeros((5, 3))]),
    "wrong shapes": lambda lib, of: lib.Sequential([lib.Input((5,)), of.Dense(3)]).set_weights([np.eye(3), np.ones(3)]),
    "a narrow summary": lambda lib, of: lib.Sequential([of.Dense(3)]).summary(line_length=5),
    "a range of nothing": lambda lib, of: lib.Sequential([of.Dense(3)]).summary(layer_range=["x", "y"]),
    "an empty config": lambda lib, of: lib.Sequential.from_config({}),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED_BY_BOTH)
def test_refnet_refuses_in_one_sentence(what):
    with pytest.raises(RefnetError) as caught:
        REFUSED_BY_BOTH[what](refnet, layers)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.keras
@pytest.mark.parametrize("what", REFUSED_BY_BOTH)
def test_keras_refuses_the_same(what, keras):
    from parity.runners import keras_setup

    with keras_setup.quiet(), pytest.raises(Exception):  # noqa: B017 - Keras' classes vary by backend
        REFUSED_BY_BOTH[what](keras, keras.layers)
