from __future__ import annotations

import functools

import numpy as np
import pytest

import refnet
from parity import bridge, copy_weights, from_keras, to_keras
from refnet import activations, layers
from refnet.errors import ArgumentError, DTypeError, NotBuiltError, ShapeError, UnsupportedError
from tests.parity.nets import build, usable

pytestmark = pytest.mark.keras


def bits(weights):
    return [(array.dtype, array.shape, array.tobytes()) for array in weights]


def keras_dense(keras, **kwargs):
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, name="d", **kwargs)], name="m")


@pytest.mark.parametrize("name", usable())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_activation_crosses_by_name(keras, name, dtype):
    model = build([3, 4], [name], dtype, 1)
    peer = to_keras(model)
    assert peer.layers[0].activation is getattr(keras.activations, name)
    assert str(peer.layers[0].dtype) == dtype
    back = from_keras(peer)
    assert back.layers[0].activation is activations.get(name)
    assert bits(back.get_weights()) == bits(model.get_weights())


def test_odd_bit_patterns_survive(keras):
    """NaNs with a payload, infinities, zeros of both signs, subnormals."""
    model = build([3, 4], ["relu"], "float32", 1)
    odd = np.array([0x7FC12345, 0xFF800000, 0x80000000, 0x00000001] * 3, np.uint32).view(np.float32).reshape(3, 4)
    model.layers[0].set_weights([odd, np.zeros(4, np.float32)])
    assert bits(from_keras(to_keras(model)).get_weights()) == bits(model.get_weights())


def test_every_kind_of_layer_crosses(keras):
    model = refnet.Sequential(
        [
            refnet.Input((2, 3)),
            layers.Flatten(name="flat"),
            layers.Dense(6, activation=layers.LeakyReLU(0.1), use_bias=False, name="a"),
            layers.Activation("tanh", name="b"),
            layers.ReLU(max_value=6.0, negative_slope=0.1, threshold=0.5, name="c"),
            layers.LeakyReLU(0.2, name="e"),
            layers.PReLU(alpha_initializer="glorot_uniform", name="f"),
            layers.ELU(0.5, name="g"),
            layers.Dropout(0.5, name="h"),
            layers.Softmax(name="i"),
        ],
        name="all",
    )
    peer = to_keras(model)
    assert [type(layer).__name__ for layer in peer.layers] == [type(layer).__name__ for layer in model.layers]
    back = from_keras(peer)
    assert back.name == "all"
    assert [layer.name for layer in back.layers] == [layer.name for layer in model.layers]
    assert bits(back.get_weights()) == bits(model.get_weights())
    x = np.random.default_rng(0).standard_normal((5, 2, 3)).astype(np.float32)
    assert back(x).tobytes() == model(x).tobytes()
    assert [layer.get_config().get("negative_slope") for layer in back.layers[3:5]] == [
        layer.get_config().get("negative_slope") for layer in model.layers[3:5]
    ]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda keras: "gelu", "gelu"),
        (lambda keras: None, "linear"),
        (lambda keras: keras.activations.swish, "silu"),
        (lambda keras: keras.ops.relu, "relu"),
        (lambda keras: functools.partial(keras.activations.elu, alpha=0.5), "elu(alpha=0.5)"),
        (lambda keras: keras.layers.ReLU(max_value=6.0), "relu(max_value=6)"),
        (lambda keras: keras.layers.LeakyReLU(negative_slope=0.1), "leaky_relu(negative_slope=0.1)"),
    ],
)
def test_every_form_of_an_activation_is_read(keras, make, expected):
    assert from_keras(keras_dense(keras, activation=make(keras))).layers[0].activation_text == expected


def test_tensorflows_functions_mean_the_same(keras):
    tensorflow = pytest.importorskip("tensorflow")
    for function, name in (
        (tensorflow.nn.relu, "relu"),
        (tensorflow.nn.softmax, "softmax"),
        (tensorflow.nn.gelu, "gelu"),
    ):
        assert from_keras(keras_dense(keras, activation=function)).layers[0].activation is activations.get(name)


def test_gelus_default_differs_between_keras_ops_and_keras_activations(keras):
    approximate = from_keras(keras_dense(keras, activation=keras.ops.gelu)).layers[0].activation
    exact = from_keras(keras_dense(keras, activation=keras.activations.gelu)).layers[0].activation
    assert approximate.parameters["approximate"]
    assert not exact.parameters["approximate"]


def test_parameters_cross_to_keras(keras):
    gelu = activations.get("gelu").with_parameters(approximate=True)
    model = refnet.Sequential([refnet.Input((3,)), layers.Dense(2, activation=gelu)])
    peer = to_keras(model)
    z = np.linspace(-3, 3, 7).astype(np.float32)
    close = np.asarray(peer.layers[0].activation(keras.ops.convert_to_tensor(z)))
    assert np.abs(close - gelu.numpy(z)).max() < 1e-6
    assert np.abs(close - activations.get("gelu").numpy(z)).max() > 1e-4


def test_a_functional_chain_is_taken_and_a_branch_refused(keras):
    x = inner = keras.Input((3,))
    inner = keras.layers.Dense(4, activation="tanh", name="one")(inner)
    out = keras.layers.Dense(2, name="two")(inner)
    assert [layer.name for layer in from_keras(keras.Model(x, out)).layers] == ["one", "two"]
    other = keras.layers.Dense(2, name="three")(inner)
    branched = keras.Model(x, keras.layers.Add(name="sum")([out, other]), name="branched")
    with pytest.raises(UnsupportedError, match="model 'branched' branches at layer 'three'"):
        from_keras(branched)


def test_a_nested_model_crosses(keras):
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "relu", name="in")], name="inner")
    outer = keras.Sequential([keras.Input((3,)), inner, keras.layers.Dense(2, name="out")], name="outer")
    model = from_keras(outer)
    assert [layer.name for layer in bridge.leaves(model)] == ["in", "out"]
    assert bits(model.get_weights()) == bits([np.asarray(w) for w in outer.get_weights()])
    assert bits(np.asarray(w) for w in to_keras(model).get_weights()) == bits(model.get_weights())


def refused_layers(keras):
    def shape_of(layer, *shape):
        return keras.Sequential([keras.Input(shape), layer], name="m")

    class Mine(keras.layers.Dense):
        pass

    return [
        (
            shape_of(keras.layers.Lambda(lambda x: x, name="twice"), 3),
            "Lambda 'twice': a Lambda layer holds Python code",
        ),
        (shape_of(keras.layers.Conv2D(2, 3, name="c"), 8, 8, 1), "Conv2D 'c': layer class 'Conv2D' has no counterpart"),
        (shape_of(Mine(2, name="own"), 3), r"Mine 'own': layer class 'Mine' \(a class of its own\) has no counterpart"),
        (keras_dense(keras, activation=lambda x: x), "Dense 'd': activation '<lambda>' is a function of its own"),
        (keras_dense(keras, dtype="mixed_float16"), "Dense 'd': dtype 'mixed_float16' has no counterpart"),
    ]


def test_what_has_no_counterpart_is_refused_by_name(keras):
    for model, message in refused_layers(keras):
        with pytest.raises(UnsupportedError, match=message) as caught:
            from_keras(model)
        assert "\n" not in str(caught.value)


def test_lora_is_refused(keras):
    model = keras_dense(keras)
    model.layers[0].enable_lora(1)
    with pytest.raises(UnsupportedError, match="LoRA is enabled"):
        from_keras(model)


def test_a_function_of_the_users_in_refnet_is_refused_by_name(keras):
    def mine(x):
        return x * 2

    model = refnet.Sequential([refnet.Input((3,)), layers.Dense(2, activation=mine, name="d")])
    with pytest.raises(UnsupportedError, match="Dense 'd': activation 'mine' is a function of its own"):
        to_keras(model)


def test_a_layer_behind_glu_is_refused_because_keras_cannot_run_it(keras):
    model = refnet.Sequential([refnet.Input((3,)), layers.Dense(4, "glu", name="g"), layers.Dense(2)])
    with pytest.raises(UnsupportedError, match="Dense 'g': Keras takes its output for 4 wide, though glu leaves 2"):
        to_keras(model)


def test_models_that_are_not_ready_are_refused(keras):
    with pytest.raises(NotBuiltError, match="model 'm' is not built"):
        from_keras(keras.Sequential([keras.layers.Dense(2)], name="m"))
    with pytest.raises(NotBuiltError, match="model 'm' is not built"):
        to_keras(refnet.Sequential([layers.Dense(2)], name="m"))
    with pytest.raises(UnsupportedError, match="model 'e' has no layers"):
        from_keras(keras.Sequential(name="e"))


def test_weights_copy_both_ways_between_models_that_exist(keras):
    ours, theirs = (
        build([3, 4, 2], ["relu", "tanh"], "float32", 1),
        to_keras(build([3, 4, 2], ["relu", "tanh"], "float32", 2)),
    )
    copy_weights(theirs, ours)
    assert bits(ours.get_weights()) == bits([np.asarray(w) for w in theirs.get_weights()])
    fresh = build([3, 4, 2], ["relu", "tanh"], "float32", 3)
    copy_weights(fresh, theirs)
    assert bits([np.asarray(w) for w in theirs.get_weights()]) == bits(fresh.get_weights())


def test_weights_that_do_not_fit_are_refused_and_nothing_is_cast(keras):
    ours = build([3, 4], ["relu"], "float32", 1)
    for other, error, message in [
        (build([3, 5], ["relu"], "float32", 1), ShapeError, r"weight 0 of shape \(3, 5\) given; accepted: \(3, 4\)"),
        (build([3, 4], ["relu"], "float64", 1), DTypeError, "weight 0 of dtype float64 given; accepted: float32"),
        (build([3, 4, 4], ["relu", "relu"], "float32", 1), ShapeError, "has 1 layers, but 'net' has 2"),
        (build([3, 4], ["relu"], "float32", 1, bias=[False]), ShapeError, "1 weights given by 'dense_0'; accepted: 2"),
    ]:
        with pytest.raises(error, match=message):
            copy_weights(to_keras(other), ours)


def test_the_other_dtype_keeps_layers_and_weights():
    model = refnet.Sequential(
        [refnet.Input((3,)), layers.Dense(4, activation=layers.ReLU(6.0), name="a"), layers.PReLU(name="b")]
    )
    wide = bridge.in_dtype(model, "float64")
    assert wide.dtype == "float64"
    assert [layer.name for layer in wide.layers] == ["a", "b"]
    assert [array.dtype for array in wide.get_weights()] == [np.float64] * 3
    assert bits(bridge.in_dtype(wide, "float32").get_weights()) == bits(model.get_weights())
    with pytest.raises(ArgumentError, match="float16"):
        bridge.in_dtype(model, "float16")


def test_models_are_told_apart(keras):
    assert bridge.is_refnet_model(build([3, 4], ["relu"], "float32", 1))
    assert not bridge.is_keras_model(build([3, 4], ["relu"], "float32", 1))
    assert bridge.is_keras_model(keras_dense(keras))
    assert not bridge.is_keras_model(keras.layers.Dense(2))
    assert not bridge.is_keras_model(3)


def test_a_keras_models_initializers_do_not_matter(keras):
    class Own(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return keras.ops.ones(shape, dtype)

    def ones(shape, dtype=None):
        return keras.ops.ones(shape, dtype)

    constant = keras.initializers.Constant(np.arange(4.0))  # the bias of an output that knows its classes' shares
    for initializer in (constant, np.arange(4.0), ones, lambda shape, dtype: ones(shape), Own(), None):
        model = keras_dense(keras, bias_initializer=initializer)
        assert bits(from_keras(model).get_weights()) == bits(model.get_weights())


def test_an_elu_with_a_number_of_numpys_crosses(keras):
    model = keras.Sequential([keras.Input((5,)), keras.layers.ELU(np.float32(0.5), name="cut")])
    assert from_keras(model).layers[0].alpha == 0.5
    assert from_keras(model).layers[0].name == "cut"


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_an_input_of_whole_numbers_crosses(keras, dtype):
    model = keras.Sequential([keras.Input((3,), dtype=dtype), keras.layers.Dense(2, kernel_initializer="ones")])
    x = np.float32([[0.75, 1.5, -2.25]])
    ours = from_keras(model)
    expected = np.asarray(model(x))
    assert ours(x).tolist() == expected.tolist()
    assert np.asarray(to_keras(ours)(x)).tolist() == expected.tolist()


def test_only_a_chain_with_one_output_at_its_end_is_taken(keras):
    def dense(name):
        return keras.layers.Dense(3, name=name)

    x = keras.Input((3,))
    middle = dense("one")(x)
    last = dense("two")(middle)
    refused = {
        "gives 2 outputs": [middle, last],
        "gives a dict": {"y": last},
        "ReLU '.*' is an operation without a layer": keras.activations.relu(last),
        "Multiply '.*' is an operation without a layer": last * 2,
    }
    for message, outputs in refused.items():
        with pytest.raises(UnsupportedError, match=f"model 'm'.* {message}"):
            from_keras(keras.Model(x, outputs, name="m"))
    assert [layer.name for layer in from_keras(keras.Model(x, middle)).layers] == ["one"]
    assert [layer.name for layer in from_keras(keras.Model(x, [last])).layers] == ["one", "two"]


def test_a_layer_that_stands_in_another_model_too_is_taken(keras):
    layer = keras.layers.Dense(3, name="one")
    layer(keras.Input((4,)))
    x = keras.Input((4,))
    assert [one.name for one in from_keras(keras.Model(x, layer(x))).layers] == ["one"]


def test_a_layer_that_stands_twice_stays_one(keras):
    peer_layer = keras.layers.Dense(3, activation="tanh", name="same")
    x = keras.Input((3,))
    for peer in (keras.Sequential([x, peer_layer, peer_layer]), keras.Model(x, peer_layer(peer_layer(x)))):
        model = from_keras(peer)
        assert model.layers[0] is model.layers[1]
        assert bits(model.get_weights()) == bits(peer.get_weights())
        back = to_keras(model)
        assert back.layers[0] is back.layers[1]
        assert bits(back.get_weights()) == bits(peer.get_weights())
        wide = bridge.in_dtype(model, "float64")
        assert wide.layers[0] is wide.layers[1]


def test_what_is_no_model_or_one_of_the_other_library_is_refused(keras):
    own, peer = build([3, 4], ["relu"], "float32", 1), keras_dense(keras)
    for call, message in [
        (lambda: from_keras(3), "from_keras was given an object of type int; accepted: a model of Keras"),
        (
            lambda: from_keras(own),
            "from_keras was given an object of type Sequential of refnet; accepted: a model of K",
        ),
        (lambda: to_keras(3), "to_keras was given an object of type int; accepted: a refnet.Sequential"),
        (lambda: to_keras(peer), "to_keras was given an object of type Sequential of keras; accepted: a refnet.Sequen"),
        (lambda: copy_weights(3, own), "copy_weights was given an object of type int; accepted: models of refnet or o"),
        (lambda: copy_weights(peer, None), "copy_weights was given an object of type NoneType; accepted: models of r"),
    ]:
        with pytest.raises(DTypeError, match=message):
            call()


def test_activations_that_differ_are_described(keras):
    def differ(ours, theirs):
        return bridge.activations_differ(
            layers.Dense(2, activation=ours), keras_dense(keras, activation=theirs).layers[0]
        )

    assert differ("relu6", "relu") == "relu6 in refnet, relu in Keras"
    assert differ("softmax", None) == "softmax in refnet, linear in Keras"
    slope = activations.get("leaky_relu").with_parameters(negative_slope=0.3)
    assert differ(slope, "leaky_relu") == "leaky_relu(negative_slope=0.3) in refnet, leaky_relu in Keras"
    assert differ("swish", "silu") == ""
    assert differ("relu6", keras.layers.ReLU(6.0)) == ""  # the same function by another name
    assert differ("relu", lambda x: x) == ""  # a function of the user's says nothing of itself
