"""The main job: the tutorial's model, built in refnet and in Keras, with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import refnet
from parity import bridge
from parity.check import check
from parity.report.records import Report
from parity.runners import keras_setup

__all__ = ["models", "report"]


def build(library: Any) -> Any:
    """Return the tutorial's model, written with the names that refnet and Keras share."""
    layers = library.layers
    model = library.Sequential(name="my_model")
    model.add(library.Input(shape=(5,)))
    model.add(layers.Dense(units=10, activation="relu", name="dense"))
    model.add(layers.Dense(units=10, activation="relu", name="dense_1"))
    model.add(layers.Dense(units=10, activation="softmax", name="dense_2"))
    return model


def models(seed: int = 0, batch: int = 3) -> tuple[Any, Any, NDArray[np.float32]]:
    """Return ``(refnet_model, keras_model, x)``: the tutorial's model twice with the same weights, and a batch.

    Parameters
    ----------
    seed : int
        Seeds Keras' initial weights and the batch.
    batch : int
        Rows of ``x``.

    Returns
    -------
    tuple
        A `refnet.Sequential`, a `keras.Sequential`, and ``x`` of shape (batch, 5), float32.
    """
    keras = keras_setup.load()
    keras.utils.set_random_seed(seed)
    with keras_setup.quiet():
        peer = build(keras)
    model = build(refnet)
    bridge.copy_weights(peer, model)
    x = np.random.default_rng(seed).standard_normal((batch, 5)).astype(np.float32)
    return model, peer, x


def report(seed: int = 0, batch: int = 3) -> Report:
    """Return the parity report of the tutorial's model."""
    model, peer, x = models(seed, batch)
    return check(model, x, peer=peer)
