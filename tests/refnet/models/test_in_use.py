"""What becomes of a model once it is made: inside another, with new weights, copied, or used by many threads."""

from __future__ import annotations

import copy
import gc
import pickle
import re
import threading
import weakref

import numpy as np
import pytest

import refnet
from refnet import Input, Sequential, layers
from refnet.errors import DTypeError, ShapeError
from tests.refnet.models.test_sequential import X, tutorial

# Models in models


def test_nested_models():
    inner = Sequential([layers.Dense(4, "relu"), layers.Dense(3)], name="inner")
    model = Sequential([Input((5,)), layers.Dense(6), inner, layers.Softmax()])
    y = layers.Softmax()(inner(model.layers[0](X)))
    np.testing.assert_array_equal(model(X), y)
    assert inner.input_shape == (None, 6)
    assert len(model.get_weights()) == 6
    inner.layers[0].set_weights([np.zeros((6, 4)), np.zeros(4)])
    np.testing.assert_array_equal(model(X)[0], model(X)[1])
    assert len(model.leaves()) == 4


@pytest.mark.parametrize(("change", "sizes"), [("add", "needs (7, 3)"), ("pop", "needs (6, 3)")])
def test_a_model_inside_that_no_longer_fits_is_refused_by_name(change, sizes):
    inner = Sequential([layers.Dense(6), layers.Dense(4)], name="inner")
    middle = Sequential([inner], name="middle")
    model = Sequential([Input((5,)), middle, layers.Dense(3, name="last")])
    model(X)
    inner.add(layers.Dense(7)) if change == "add" else inner.pop()

    for run in (model, model.predict, lambda x: model.plan, lambda x: refnet.trace(model, x), model):
        with pytest.raises(ShapeError, match=r"Dense 'last': .*(\(4, 3\)|rows, \.\.\., 4)"):
            run(X)
    with pytest.raises(ShapeError, match=re.escape(sizes)):
        model(X)


def test_a_model_inside_may_change_as_long_as_it_fits():
    inner = Sequential([layers.Dense(4)], name="inner")
    model, other = (Sequential([Input((5,)), inner, layers.Dense(3)]) for _ in range(2))
    model(X), other(X)

    inner.add(layers.Dense(4, "relu"), rebuild=False)
    np.testing.assert_array_equal(model(X), model.layers[1](inner(X)))
    np.testing.assert_array_equal(other(X), other.layers[1](inner(X)))
    kept = (model.plan, other.plan)
    model(X), other(X)
    assert (model.plan, other.plan) == kept

    inner.pop()
    np.testing.assert_array_equal(model(X), model.layers[1](inner(X)))
    assert len(model.weights) == 4


def test_a_first_model_gives_the_input_shape():
    model = Sequential([tutorial(), layers.Dense(2)])
    assert model.input_shape == (None, 5)


# Weights


def test_weights_in_keras_order():
    model = tutorial()
    assert [array.shape for array in model.get_weights()] == [(5, 10), (10,), (10, 10), (10,), (10, 10), (10,)]
    names = ("dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias", "dense_2/kernel", "dense_2/bias")
    assert model.weight_names == names
    assert model.count_params() == 60 + 110 + 110


def test_set_weights_takes_what_get_weights_gives():
    one, other = tutorial(), Sequential([Input((5,)), *(layers.Dense(10, a) for a in ("relu", "relu", "softmax"))])
    other.set_weights(one.get_weights())
    np.testing.assert_array_equal(one(X), other(X))


@pytest.mark.parametrize("change", ["model", "layer"])
def test_new_weights_are_used(change):
    model = tutorial()
    model(X)
    plan = model.plan
    zeros = [array * 0 for array in model.get_weights()]
    if change == "model":
        model.set_weights(zeros)
    else:
        for layer, start in zip(model.layers, (0, 2, 4), strict=True):
            layer.set_weights(zeros[start : start + 2])
    np.testing.assert_array_equal(model(X), np.full((3, 10), np.float32(0.1)))
    assert model.plan is not plan


def test_weights_that_do_not_fit_change_nothing():
    model = tutorial()
    weights = model.get_weights()
    expected = model(X)
    for wrong, error, message in (
        (weights[:-1], ShapeError, "Sequential 'my_model': 5 weights given; accepted: 6"),
        ([*weights[:-1], np.zeros(9)], ShapeError, "Dense 'dense_2': bias of shape (9,) given; accepted: (10,)"),
        ([*weights[:-1], ["a"] * 10], DTypeError, "Dense 'dense_2': bias of text"),
        (weights[0], DTypeError, "Sequential 'my_model': the weights are of type ndarray"),
    ):
        with pytest.raises(error) as caught:
            model.set_weights(wrong)
        assert str(caught.value).startswith(message)
    np.testing.assert_array_equal(model(X), expected)


def test_nan_weights_are_weights():
    model = tutorial()
    model.set_weights([array * np.nan for array in model.get_weights()])
    assert np.isnan(model(X)).all()


def test_a_shared_layer_drops_the_plans_of_all_its_models():
    layer = layers.Dense(5, kernel_initializer="ones")
    models = [Sequential([Input((5,)), layer], name=f"m{i}") for i in range(3)]
    for model in models:
        model(X)
    layer.set_weights([np.zeros((5, 5)), np.zeros(5)])
    for model in models:
        assert not model(X).any()


def test_layers_do_not_keep_models_alive():
    layer = layers.Dense(5)
    model = Sequential([Input((5,)), layer])
    model(X)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


# Copies


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies(copied):
    for model in (tutorial(), Sequential([tutorial(), layers.PReLU(), layers.Softmax()], name="outer")):
        expected = model(X)
        other = copied(model)
        np.testing.assert_array_equal(other(X), expected)
        assert other.get_config() == model.get_config()
        other.leaves()[0].set_weights([array * 0 for array in other.leaves()[0].get_weights()])
        assert not np.array_equal(other(X), expected)
        np.testing.assert_array_equal(model(X), expected)
        assert all(not array.flags.writeable for array in other.weights)


def test_unbuilt_models_can_be_copied():
    model = pickle.loads(pickle.dumps(Sequential([layers.Dense(3)], name="m")))
    assert model(X).shape == (3, 3)


# Threads


def test_whoever_calls_sees_old_weights_or_new_ones():
    """One thread sets all weights to n, others predict: every result belongs to one n."""
    model = Sequential([Input((4,)), layers.Dense(4), layers.Dense(1)])

    def weights(n):
        return [np.full(array.shape, n) for array in model.get_weights()]

    model.set_weights(weights(0))
    # With all weights n and an input of ones: (4n + n) * n * 4 + n.
    allowed = {float(20 * n * n + n) for n in range(4)}
    seen: set[float] = set()
    stop = threading.Event()

    def watch():
        while not stop.is_set():
            seen.add(float(model(np.ones((1, 4)))[0, 0]))

    watchers = [threading.Thread(target=watch) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    for turn in range(120):
        model.set_weights(weights(turn % 4))
    stop.set()
    for watcher in watchers:
        watcher.join()
    assert seen <= allowed
    model.set_weights(weights(3))
    assert float(model(np.ones((1, 4)))[0, 0]) == 183.0


def test_many_threads_build_one_set_of_weights():
    model = Sequential([layers.Dense(4), layers.Dense(2)])
    barrier = threading.Barrier(8)
    results = []

    def first_call():
        barrier.wait()
        results.append(model(X))

    threads = [threading.Thread(target=first_call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        np.testing.assert_array_equal(result, results[0])
