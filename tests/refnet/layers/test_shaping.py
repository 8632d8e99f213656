from __future__ import annotations

import numpy as np
import pytest

import refnet
from refnet import layers
from refnet.errors import ArgumentError, ShapeError

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def test_flatten():
    np.testing.assert_array_equal(layers.Flatten()(X), X.reshape(2, 12))
    np.testing.assert_array_equal(layers.Flatten().call(X), X.reshape(2, 12))
    np.testing.assert_array_equal(layers.Flatten()(X[:0]), X[:0].reshape(0, 12))
    assert layers.Flatten()(np.zeros(3)).shape == (3, 1)


def test_flatten_channels_first():
    expected = X.transpose(0, 2, 1).reshape(2, 12)
    np.testing.assert_array_equal(layers.Flatten("channels_first")(X), expected)


def test_flatten_shapes():
    flatten = layers.Flatten()
    assert flatten.compute_output_shape((None, 3, 4)) == (None, 12)
    assert flatten.compute_output_shape((None, None, 4)) == (None, None)
    assert flatten.compute_output_shape((None,)) == (None, 1)
    with pytest.raises(ShapeError):
        flatten.compute_output_shape(())
    with pytest.raises(ShapeError, match="single number"):
        flatten(1.0)


def test_results_are_never_views_of_the_input():
    for layer in (layers.Flatten(), layers.Dropout(0.5)):
        result = layer(X)
        assert not np.shares_memory(result, X)
        result[...] = 0
    assert X.any()


def test_a_model_of_flatten_alone_owns_its_result():
    model = refnet.Sequential([refnet.Input((3, 4)), layers.Flatten()])
    assert not np.shares_memory(model(X), X)


def test_dropout_passes_everything_on():
    dropout = layers.Dropout(0.5, noise_shape=(2, 1), seed=3)
    np.testing.assert_array_equal(dropout(X), X)
    assert dropout.count_params() == 0
    config = dropout.get_config()
    assert (config["rate"], config["noise_shape"], config["seed"]) == (0.5, (2, 1), 3)
    assert layers.Dropout.from_config(config).get_config() == config


@pytest.mark.parametrize("rate", [-0.1, 1.5, "a", None, True, float("nan")])
def test_dropout_rates_that_are_refused(rate):
    with pytest.raises(ArgumentError, match=r"^Dropout 'dropout': rate is .*; accepted: a number from 0 to 1$"):
        layers.Dropout(rate)


def test_flatten_formats_that_are_refused():
    with pytest.raises(ArgumentError, match="data_format"):
        layers.Flatten("last")
