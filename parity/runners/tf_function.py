"""Keras inside ``tf.function``: one graph, optimized by Grappler."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.runners import keras_setup
from parity.runners.runner import Run, Runner, tensorflow_only

__all__ = ["RUNNER", "compiled"]


def compiled(model: Any, *, jit: bool, name: str) -> Run:
    """Return the model as a TensorFlow graph, with or without XLA."""
    tensorflow = tensorflow_only(name)
    with keras_setup.quiet():
        graph = tensorflow.function(lambda x: model(x), jit_compile=jit)

    def run(x: NDArray[Any]) -> NDArray[Any]:
        with keras_setup.quiet():
            return np.asarray(graph(tensorflow.constant(x)).numpy())

    return run


def _prepare(model: Any) -> Run:
    return compiled(model, jit=False, name="tf-function")


RUNNER = Runner("tf-function", "Keras in tf.function", "keras", _prepare, errors="predict")
