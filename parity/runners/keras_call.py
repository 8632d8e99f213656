"""Keras, called: ``model(x)``, one operation after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.runners import keras_setup
from parity.runners.runner import Run, Runner

__all__ = ["RUNNER"]


def _prepare(model: Any) -> Run:
    keras = keras_setup.load()

    def run(x: NDArray[Any]) -> NDArray[Any]:
        with keras_setup.quiet():
            return np.asarray(keras.ops.convert_to_numpy(model(keras.ops.convert_to_tensor(x))))

    return run


RUNNER = Runner("call", "Keras model(x)", "keras", _prepare)
