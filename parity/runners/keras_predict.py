"""Keras, ``model.predict``: batches of 32 through a compiled graph, whose fused steps round differently."""

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
            return np.asarray(model.predict(x, verbose=0))

    return run


def _refuses(x: NDArray[Any]) -> str:
    return "" if len(x) else "Keras' predict cannot take a batch of 0 rows"


RUNNER = Runner("predict", "Keras predict", "keras", _prepare, errors="predict", refuses=_refuses)
