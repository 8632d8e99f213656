from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import refnet
from refnet import Input, Sequential, activations, layers
from refnet.errors import ArgumentError, DTypeError, NotBuiltError, ShapeError

X = np.random.default_rng(0).standard_normal((3, 5))


def tutorial(**more) -> Sequential:
    model = Sequential(name="my_model")
    model.add(layers.Dense(10, activation="relu", input_shape=(5,), **more))
    model.add(layers.Dense(10, activation="relu", **more))
    model.add(layers.Dense(10, activation="softmax", **more))
    return model


# Building


def test_input_shape_builds_at_once():
    for model in (
        tutorial(),
        Sequential([Input((5,)), layers.Dense(10), layers.Dense(10)]),
        Sequential([layers.InputLayer((5,)), layers.Dense(10), layers.Dense(10)]),
        Sequential([layers.Dense(10, input_dim=5), layers.Dense(10)]),
    ):
        assert model.built
        assert model.input_shape == (None, 5)
        assert model.output_shape == (None, 10)
        assert [type(layer).__name__ for layer in model.layers] == ["Dense"] * len(model.layers)
        assert model.layers[1].input_shape == (None, 10)


def test_without_input_shape_the_first_array_builds():
    model = Sequential([layers.Dense(4), layers.Dense(2)])
    assert not model.built
    assert model.get_weights() == []
    assert model(X).shape == (3, 2)
    assert model.input_shape == (None, 5)
    other = Sequential([layers.Dense(4)])
    assert other.predict(X).shape == (3, 4)
    third = Sequential([layers.Dense(4)])
    assert third.call(X).shape == (3, 4)


def test_build_by_hand():
    model = Sequential([layers.Dense(4)])
    model.build((None, 7))
    assert model.layers[0].kernel.shape == (7, 4)
    kernel = model.layers[0].kernel
    model.build((None, 7))
    assert model.layers[0].kernel is kernel
    model.build()
    with pytest.raises(ShapeError, match=r"input_shape \(None, 8\) given; accepted: \(None, 7\)"):
        model.build((None, 8))


def test_the_input_may_come_after_construction():
    model = Sequential(name="m")
    model.add(Input((5,)))
    assert not model.built
    model.add(layers.Dense(4))
    assert model.built


def test_rebuild_false_waits():
    model = Sequential([Input((5,))])
    model.add(layers.Dense(4), rebuild=False)
    assert not model.built
    assert model(X).shape == (3, 4)


def test_unbuilt_and_empty_models_say_so():
    model = Sequential([layers.Dense(4)], name="m")
    for call in (
        lambda: model.input_shape,
        lambda: model.output_shape,
        lambda: model.count_params(),
        lambda: model.plan,
        lambda: model.set_weights([]),
    ):
        with pytest.raises(NotBuiltError, match=r"^Sequential 'm' "):
            call()
    empty = Sequential(name="e")
    for call in (lambda: empty(X), lambda: empty.predict(X), lambda: empty.build((None, 5)), lambda: empty.call(X)):
        with pytest.raises(NotBuiltError, match=r"^Sequential 'e' has no layers"):
            call()


# Layers


def test_add_and_pop():
    model = tutorial()
    first = model(X)
    last = model.pop()
    assert last.name == "dense_2"
    assert model(X).shape == (3, 10)
    assert not np.array_equal(model(X), first)
    model.add(last)
    np.testing.assert_array_equal(model(X), first)
    for _ in range(3):
        model.pop()
    assert model.layers == []
    with pytest.raises(ArgumentError, match=r"^Sequential 'my_model' has no layer to pop"):
        model.pop()
    model.add(layers.Dense(3, name="new"))
    assert model.output_shape == (None, 3)


def test_a_popped_layer_lets_go_of_the_model():
    model = tutorial()
    layer = model.pop()
    plan = model.plan
    layer.set_weights(layer.get_weights())
    assert model.plan is plan


def test_get_layer():
    model = tutorial()
    assert model.get_layer("dense_1") is model.layers[1]
    assert model.get_layer(index=-1) is model.layers[2]
    for arguments, message in (
        ({"name": "zz"}, "there is no layer 'zz'; its layers are 'dense', 'dense_1', 'dense_2'"),
        ({"index": 3}, "there is no layer at index 3; it has 3 layers"),
        ({}, "get_layer was given neither name nor index"),
        ({"name": "dense", "index": 0}, "get_layer was given both name and index"),
    ):
        with pytest.raises(ArgumentError) as caught:
            model.get_layer(**arguments)
        assert str(caught.value).startswith(f"Sequential 'my_model': {message}")


def test_layers_is_a_copy_and_cannot_be_set():
    model = tutorial()
    model.layers.clear()
    assert len(model.layers) == 3
    with pytest.raises(AttributeError):
        model.layers = []


def test_a_layer_that_does_not_fit_leaves_the_model_as_it_was():
    model = tutorial()
    wrong = layers.Dense(3, name="wrong")
    wrong.build((None, 7))
    expected = model(X)
    with pytest.raises(ShapeError, match=r"^Dense 'wrong': its kernel has shape \(7, 3\)"):
        model.add(wrong)
    assert len(model.layers) == 3
    assert model.built
    np.testing.assert_array_equal(model(X), expected)


@pytest.mark.parametrize("argument", [layers.Dense(1), "dense", 3])
def test_layers_must_be_a_list(argument):
    with pytest.raises(ArgumentError, match="accepted: a list of layers"):
        Sequential(argument)


def test_a_layer_may_stand_twice():
    layer = layers.Dense(5, "tanh")
    model = Sequential([Input((5,)), layer, layer])
    assert len(model.get_weights()) == 2
    assert model.count_params() == 30
    np.testing.assert_array_equal(model(X), layer(layer(X)))
    model.set_weights([np.eye(5), np.zeros(5)])
    np.testing.assert_array_equal(model(X), layer(layer(X)))


# Results


def test_the_result_is_a_float32_array():
    result = tutorial()(X)
    assert type(result) is np.ndarray
    assert result.dtype == np.float32
    assert result.shape == (3, 10)
    assert result.flags.writeable


def test_it_is_what_its_layers_do_one_by_one():
    model = tutorial()
    y = X
    for layer in model.layers:
        y = layer(y)
    np.testing.assert_array_equal(model(X), y)
    np.testing.assert_array_equal(model.predict(X), y)
    np.testing.assert_array_equal(model.predict_on_batch(X), y)


@settings(max_examples=40)
@given(
    widths=st.lists(st.integers(1, 70), min_size=2, max_size=6),
    rows=st.integers(0, 70),
    names=st.lists(st.sampled_from(activations.names()), min_size=5, max_size=5),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 2**16),
)
def test_random_nets_agree_with_their_layers(widths, rows, names, dtype, seed):
    """The plan of a whole model and the plans of its layers give the same bits."""
    rng = np.random.default_rng(seed)
    model = Sequential([Input((widths[0],))])
    for units, name in zip(widths[1:], names, strict=False):
        known = activations.get(name)
        fits = not known.required and (known.kind != "gated" or units % 2 == 0)
        model.add(layers.Dense(units, name if fits else None, dtype=dtype))
    x = rng.standard_normal((rows, widths[0])).astype(dtype)
    y = x
    for layer in model.layers:
        y = layer(y)
    np.testing.assert_array_equal(model(x), y)
    assert y.shape[1:] == model.output_shape[1:]
    assert y.dtype == dtype


def test_rank_3():
    model = Sequential([Input((7, 5)), layers.Dense(4, "relu"), layers.Dense(2, "softmax")])
    x = np.random.default_rng(1).standard_normal((3, 7, 5))
    y = model(x)
    assert y.shape == (3, 7, 2)
    assert model.output_shape == (None, 7, 2)
    flat = Sequential([Input((5,)), *model.layers])
    np.testing.assert_array_equal(y.reshape(21, 2), flat(x.reshape(21, 5)))
    open_middle = Sequential([Input((None, 5)), *model.layers])
    np.testing.assert_array_equal(open_middle(x), y)
    assert open_middle.output_shape == (None, None, 2)
    for wrong in (x[0], x[:, :6], x[..., :4]):
        with pytest.raises(ShapeError, match=r"accepted: shape \(rows, 7, 5\)"):
            model(wrong)


def test_flatten_in_front():
    model = Sequential([Input((4, 4)), layers.Flatten(), layers.Dropout(0.2), layers.Dense(3, "softmax")])
    x = np.random.default_rng(1).standard_normal((5, 4, 4))
    plain = Sequential([Input((16,)), model.layers[-1]])
    np.testing.assert_array_equal(model(x), plain(x.reshape(5, 16)))
    with pytest.raises(ShapeError):
        model(x.reshape(5, 16))


def test_glu_is_followed():
    model = Sequential([Input((5,)), layers.Dense(8, "glu"), layers.Dense(3)])
    assert model.layers[1].kernel.shape == (4, 3)
    assert model.layers[0].output_shape == (None, 4)
    assert model(X).shape == (3, 3)


def test_models_without_a_matrix():
    for stack in ([layers.ReLU()], [layers.Dropout(0.1)], [layers.Activation(np.abs), layers.Softmax()]):
        model = Sequential([Input((5,)), *stack])
        y = X.astype(np.float32)
        for layer in stack:
            y = layer(y)
        np.testing.assert_array_equal(model(X), y)
        assert model.count_params() == 0
        str(model.plan)


def test_mixed_dtypes():
    model = Sequential([Input((5,)), layers.Dense(4, "tanh", dtype="float64"), layers.Dense(2)])
    y = model.layers[1](model.layers[0](X))
    assert y.dtype == model(X).dtype == np.float32
    np.testing.assert_array_equal(model(X), y)
    other = Sequential([Input((5,)), layers.Dense(4), layers.Dense(2, dtype="float64")])
    assert other(X).dtype == np.float64
    assert other.dtype == "float64"
    np.testing.assert_array_equal(other(X), other.layers[1](other.layers[0](X)))


def test_integer_inputs_are_cut_where_the_input_says_so():
    model = Sequential([Input((2,), dtype="int32"), layers.Dense(1, kernel_initializer="ones")])
    np.testing.assert_array_equal(model([[1.7, 1.7]]), [[2.0]])
    np.testing.assert_array_equal(model.call([[1.7, 1.7]]), [[2.0]])
    wide = Sequential([Input((2,)), layers.Dense(1, kernel_initializer="ones", dtype="float64")])
    np.testing.assert_array_equal(wide([[0.1, 0.0]]), [[0.1]])


def test_call_is_the_plain_reading():
    model = tutorial(dtype="float64")
    y = X
    for layer in model.layers:
        y = layer.activation.numpy(y @ layer.kernel + layer.bias)
    np.testing.assert_array_equal(model.call(X), y)


# Input


def test_inputs_of_every_form():
    model = tutorial()
    x = np.round(X * 8) / 8
    expected = model(x)
    for form in (x.astype(">f4"), np.asfortranarray(x), x.astype(np.float16), x.tolist(), x[::-1][::-1]):
        np.testing.assert_array_equal(model(form), expected)
    whole = np.round(X * 3)
    np.testing.assert_array_equal(model(whole.astype(np.int8)), model(whole))
    np.testing.assert_array_equal(model(X > 0), model((X > 0) * 1.0))
    assert model(X[:0]).shape == (0, 10)


def test_inputs_that_are_refused():
    model = tutorial()
    for x, error in (
        (X[0], ShapeError),
        (X[:, :4], ShapeError),
        (X[np.newaxis], ShapeError),
        ([[1, 2], [1]], ShapeError),
        ("abc", DTypeError),
        (X.astype(complex), DTypeError),
        (X.astype(object), DTypeError),
        (None, DTypeError),
    ):
        for call in (model, model.predict, model.predict_on_batch, model.call):
            with pytest.raises(error, match=r"^Sequential 'my_model': .*accepted: ") as caught:
                call(x)
            assert "\n" not in str(caught.value)


def test_one_row_gets_a_hint():
    with pytest.raises(ShapeError, match=r"for one row, x\[np.newaxis, :\]"):
        tutorial()(X[0])
    with pytest.raises(ShapeError, match=r"for one row, x\[np.newaxis, :\]"):
        Sequential([layers.Dense(3)])(X[0])


def test_refnet_does_not_train():
    with pytest.raises(ArgumentError, match="refnet does not train"):
        tutorial()(X, training=True)


def test_plan_tells_the_forward_pass():
    text = str(tutorial().plan)
    assert "my_model" in text
    assert text.count("<activation relu: max(x, 0)>") == 2
    assert "softmax" in text


def test_repr_and_public_names():
    assert repr(tutorial()) == "<Sequential name=my_model, built=True>"
    assert refnet.Sequential is Sequential


def test_a_second_input_is_refused_in_one_sentence():
    with pytest.raises(ArgumentError, match="training is of type ndarray; accepted: False, and one array as input"):
        Sequential([Input((5,)), layers.Dense(2)], name="m")(X, X)
    model = tutorial()
    assert np.array_equal(model(X, training=0), model(X))


def test_an_activation_that_takes_anothers_place_runs():
    model = tutorial()
    outer = Sequential([model, layers.Activation("linear", name="last")])
    before = outer(X)
    model.layers[-1].activation = "linear"
    scores = outer(X)
    assert not np.array_equal(scores, before)
    assert np.array_equal(activations.softmax(scores), before)
    assert np.array_equal(outer.predict(X), scores)
    assert np.array_equal(refnet.trace(outer, X).output, scores)
    assert outer.get_config()["layers"][1]["config"]["layers"][-1]["config"]["activation"] == "linear"
    outer.layers[-1].activation = activations.softmax
    assert np.array_equal(outer(X), before)


def test_trainable_reaches_every_layer_inside_as_in_keras():
    inner = Sequential([layers.Dense(3)])
    model = Sequential([Input((4,)), inner, layers.Dense(2)], trainable=False)
    assert [layer.trainable for layer in model.leaves()] == [True, True]  # given at the start, it stays the model's own
    model.trainable = 0
    assert (model.trainable, inner.trainable) == (False, False)
    assert [layer.trainable for layer in model.leaves()] == [False, False]
    assert [entry["config"]["trainable"] for entry in model.get_config()["layers"][1:]] == [False, False]


def test_models_gives_sequential_where_keras_has_it():
    from refnet import models

    assert models.Sequential is Sequential
    with pytest.raises(AttributeError, match="has no attribute 'load_model'"):
        models.load_model  # noqa: B018 (the access is the test)
