from __future__ import annotations

import numpy as np
import pytest

import refnet
from refnet import activations, layers
from refnet.errors import ArgumentError, DTypeError, ShapeError

X = np.random.default_rng(4).standard_normal((2, 3, 4)).astype(np.float32) * 3
SOFTMAX = activations.get("softmax")


def test_last_axis():
    np.testing.assert_array_equal(layers.Softmax()(X), SOFTMAX(X))
    np.testing.assert_array_equal(layers.Softmax()(X[0, 0]), SOFTMAX(X[0, 0]))


@pytest.mark.parametrize("axis", [0, 1, 2, -2, -3])
def test_another_axis(axis):
    y = layers.Softmax(axis)(X)
    np.testing.assert_array_equal(y, np.moveaxis(SOFTMAX(np.moveaxis(X, axis, -1).copy()), -1, axis))
    np.testing.assert_array_equal(layers.Softmax(axis).call(X), y)


@pytest.mark.parametrize("axes", [[1, 2], (0, 2), [-1, 0], [1]])
def test_several_axes(axes):
    layer = layers.Softmax(axes)
    y = layer(X)
    ends = tuple(range(-len(axes), 0))
    moved = np.moveaxis(X, axes, ends)
    rows = SOFTMAX(moved.reshape(*moved.shape[: X.ndim - len(axes)], -1))
    # The order of the sum along joined axes may differ with the order of the axes: one ulp.
    np.testing.assert_array_max_ulp(np.moveaxis(y, axes, ends).reshape(rows.shape), rows, 1)
    np.testing.assert_array_max_ulp(layer.call(X), y, 1)
    assert layer.get_config()["axis"] == list(axes)


def test_in_a_model():
    model = refnet.Sequential([refnet.Input((3, 4)), layers.Softmax(1), layers.Dense(2)])
    plain = refnet.Sequential([refnet.Input((3, 4)), layers.Dense(2)])
    plain.set_weights(model.get_weights())
    np.testing.assert_array_equal(model(X), plain(layers.Softmax(1)(X)))


def test_mask():
    mask = np.array([True, False, True, True])
    y = layers.Softmax()(X, mask=mask)
    assert not y[..., 1].any()
    np.testing.assert_array_max_ulp(y[..., mask], SOFTMAX(X[..., mask]), 1)
    np.testing.assert_array_equal(layers.Softmax()(X, mask=mask * 0.7), y)
    np.testing.assert_array_equal(layers.Softmax()(X, mask), y)  # Keras' second argument


def test_a_row_that_is_masked_as_a_whole_is_zero():
    np.testing.assert_array_equal(layers.Softmax()(X, mask=np.zeros((2, 3, 1))), np.zeros_like(X))


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 2, 3, 4), (5, 1, 1)])
def test_masks_that_do_not_fit(shape):
    with pytest.raises(ShapeError, match=r"^Softmax 's': mask has shape .* accepted: "):
        layers.Softmax(name="s")(X, mask=np.ones(shape))


def test_masks_of_text():
    with pytest.raises(DTypeError, match=r"^Softmax 's': mask of text"):
        layers.Softmax(name="s")(X, mask=["a"])


@pytest.mark.parametrize("axis", ["x", None, 1.5, True, [], [1.5], ["x"]])
def test_axes_that_are_refused(axis):
    with pytest.raises(ArgumentError, match=r"^Softmax 's': axis is "):
        layers.Softmax(axis, name="s")


@pytest.mark.parametrize("axis", [3, -4, [0, 3]])
def test_axes_that_are_not_there(axis):
    layer = layers.Softmax(axis, name="s")
    for call in (lambda: layer(X), lambda: layer.call(X), lambda: layer.compute_output_shape((None, 3, 4))):
        with pytest.raises(ShapeError, match=r"^Softmax 's': axis "):
            call()


def test_an_axis_twice():
    with pytest.raises(ArgumentError, match="twice"):
        layers.Softmax([1, -2])(X)


def test_config_and_text():
    layer = layers.Softmax(1, name="s")
    assert layers.Softmax.from_config(layer.get_config()).get_config() == layer.get_config()
    assert (layers.Softmax().activation_text, layer.activation_text) == ("softmax", "softmax(axis=1)")


def test_no_rows():
    for shape in [(0, 3), (2, 0, 3), (0, 2, 3)]:
        layer = layers.Softmax(axis=(-2, -1) if len(shape) > 2 else -1)
        assert layer.call(np.zeros(shape, np.float32)).shape == layer(np.zeros(shape, np.float32)).shape == shape
