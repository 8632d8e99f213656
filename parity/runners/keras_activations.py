"""Keras' activations by themselves: called, and as the activation of a Dense inside ``predict``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.runners import keras_setup
from parity.runners.runner import tensorflow_only
from refnet.activations import Activation

__all__ = ["PATHS", "call", "function", "fused", "given", "xla"]

#: Inputs in a row of the fused form.
_COLUMNS = 16


def function(activation: Activation) -> Any:
    """Return Keras' function of one array for an activation of the book, with its parameters.

    Raises
    ------
    AttributeError
        If this Keras does not have it.
    """
    keras = keras_setup.load()
    base = getattr(keras.activations, activation.name)
    changed = given(activation)
    if not changed:
        return base

    def with_parameters(x: Any) -> Any:
        return base(x, **changed)

    with_parameters.__name__ = activation.name
    return with_parameters


def given(activation: Activation) -> Mapping[str, Any]:
    """Return the parameters that are not the default ones, as Keras' signature takes them."""
    defaults = activation.defaults
    changed = {key: value for key, value in activation.parameters.items() if value != defaults.get(key)}
    return {key: None if value == float("inf") else value for key, value in changed.items()}


def call(activation: Activation, x: NDArray[Any]) -> NDArray[Any]:
    """Return Keras' activation of ``x``, called eagerly."""
    keras = keras_setup.load()
    with keras_setup.quiet():
        return np.asarray(keras.ops.convert_to_numpy(function(activation)(keras.ops.convert_to_tensor(x))))


def fused(activation: Activation, x: NDArray[Any]) -> NDArray[Any]:
    """Return the activation as ``predict`` computes it in a Dense layer, with the unit matrix for a kernel.

    TensorFlow fuses the matrix product, the bias and some activations, and computes these in other ways then.
    ``x`` must be finite: the product mixes 16 neighbours, 15 of them times zero.
    """
    keras = keras_setup.load()
    padded = np.zeros(-(-x.size // _COLUMNS) * _COLUMNS, x.dtype)
    padded[: x.size] = x.ravel()
    with keras_setup.quiet():
        layer = keras.layers.Dense(_COLUMNS, activation=function(activation), dtype=x.dtype.name)
        model = keras.Sequential([keras.Input((_COLUMNS,), dtype=x.dtype.name), layer])
        layer.set_weights([np.eye(_COLUMNS, dtype=x.dtype), np.zeros(_COLUMNS, x.dtype)])
        y = np.asarray(model.predict_on_batch(padded.reshape(-1, _COLUMNS)))
    return y.ravel()[: x.size].reshape(x.shape)


def xla(activation: Activation, x: NDArray[Any]) -> NDArray[Any]:
    """Return Keras' activation of ``x``, compiled by XLA."""
    tensorflow = tensorflow_only("xla")
    with keras_setup.quiet():
        return np.asarray(tensorflow.function(function(activation), jit_compile=True)(tensorflow.constant(x)).numpy())


#: How an activation can be run, by name.
PATHS = {"call": call, "predict": fused, "xla": xla}
