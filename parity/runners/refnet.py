"""refnet: the compiled engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.runners.runner import Run, Runner

__all__ = ["RUNNER", "layer_by_layer"]


def _prepare(model: Any) -> Run:
    return lambda x: np.asarray(model(x))


def layer_by_layer(model: Any, x: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the output of every layer, each given the output of the one before."""
    outputs = []
    for layer in model.leaves():
        x = np.asarray(layer(x))
        outputs.append(x)
    return outputs


RUNNER = Runner("refnet", "refnet", "refnet", _prepare)
