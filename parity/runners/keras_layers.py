"""Keras, layer by layer: what each layer gives for an input of our choice, and in halves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.runners import keras_setup

__all__ = ["one", "product"]


def one(layer: Any, x: NDArray[Any]) -> NDArray[Any]:
    """Return the layer's output for ``x``, called eagerly, as ``model(x)`` calls it."""
    keras = keras_setup.load()
    with keras_setup.quiet():
        return np.asarray(keras.ops.convert_to_numpy(layer(keras.ops.convert_to_tensor(x))))


def product(layer: Any, x: NDArray[Any]) -> NDArray[Any]:
    """Return a Dense layer's ``x @ kernel + bias`` without its activation."""
    keras = keras_setup.load()
    with keras_setup.quiet():
        z = keras.ops.matmul(keras.ops.convert_to_tensor(x), layer.kernel)
        return np.asarray(keras.ops.convert_to_numpy(z + layer.bias if layer.use_bias else z))
