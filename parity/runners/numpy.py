"""Plain NumPy, as a textbook writes it: every layer's ``call``, in the model's own precision."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from parity.runners.runner import Run, Runner

__all__ = ["RUNNER"]


def _prepare(model: Any) -> Run:
    def run(x: NDArray[Any]) -> NDArray[Any]:
        for layer in model.leaves():
            x = layer.call(x)
        return x

    return run


RUNNER = Runner("numpy", "NumPy", "refnet", _prepare)
