from __future__ import annotations

import numpy as np
import pytest

from refnet import layers
from refnet.errors import DTypeError, ShapeError


@pytest.mark.filterwarnings("error")
def test_weights_beyond_float32_become_infinite_without_a_warning():
    layer = layers.Dense(1, kernel_initializer=lambda shape, dtype: np.full(shape, 1e300))
    layer.build((None, 2))
    assert layer.kernel.tolist() == [[np.inf]] * 2
    layer.set_weights([[[-1e39], [1.0]], [1e39]])
    assert [array.tolist() for array in layer.weights] == [[[-np.inf], [1.0]], [np.inf]]


def test_set_weights_takes_lists_and_other_types():
    layer = layers.Dense(2)
    layer.build((None, 2))
    layer.set_weights([[[1, 2], [3, 4]], np.array([True, False])])
    np.testing.assert_array_equal(layer.kernel, [[1, 2], [3, 4]])
    assert layer.kernel.dtype == np.float32
    layer.set_weights((np.full((2, 2), np.nan), np.zeros(2, np.float16)))
    assert np.isnan(layer.kernel).all()


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([], ShapeError, "0 weights given; accepted: 2 (kernel, bias)"),
        ([np.zeros((2, 3))], ShapeError, "1 weights given; accepted: 2 (kernel, bias)"),
        ([np.zeros((3, 2)), np.zeros(3)], ShapeError, "kernel of shape (3, 2) given; accepted: (2, 3)"),
        ([np.zeros((2, 3)), np.zeros((1, 3))], ShapeError, "bias of shape (1, 3) given; accepted: (3,)"),
        (
            [np.zeros((2, 3), complex), np.zeros(3)],
            DTypeError,
            "kernel of complex numbers (complex128) is not accepted",
        ),
        ([np.zeros((2, 3)), ["a"] * 3], DTypeError, "bias of text (<U1) is not accepted"),
        ([[[1, 2, 3], [4]], np.zeros(3)], ShapeError, "kernel is ragged"),
        (np.zeros((2, 3)), DTypeError, "the weights are of type ndarray; accepted: a list of arrays"),
        (3, DTypeError, "the weights are of type int; accepted: a list of arrays"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(weights, error, message):
    layer = layers.Dense(3, name="d")
    layer.build((None, 2))
    before = layer.kernel
    with pytest.raises(error) as caught:
        layer.set_weights(weights)
    assert str(caught.value).startswith(f"Dense 'd': {message}")
    assert "\n" not in str(caught.value)
    assert layer.kernel is before
