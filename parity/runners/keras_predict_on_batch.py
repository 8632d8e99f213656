"""Keras, ``model.predict_on_batch``: the graph of ``predict``, on the whole batch at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.runners import keras_setup
from parity.runners.runner import Run, Runner

__all__ = ["RUNNER"]


def _prepare(model: Any) -> Run:
    keras_setup.load()

    def run(x: NDArray[Any]) -> NDArray[Any]:
        with keras_setup.quiet():
            return np.asarray(model.predict_on_batch(x))

    return run


RUNNER = Runner("predict_on_batch", "Keras predict_on_batch", "keras", _prepare, errors="predict")
