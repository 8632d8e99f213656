"""Plain NumPy in float32: what one writes without a framework.

The activations are the book's formulas as NumPy reads them, in float32 throughout, so that no list of names has to
be kept here. A few have a shorter form that everyone writes; those are in `USUAL`. NumPy has no erf, so the exact gelu
calls `math.erfc` for each element, and takes accordingly long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.jobs import Activation, Forward, Job, Ready

__all__ = ["build"]


def softmax(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax of each row in the usual three lines."""
    terms = np.exp(x - x.max(axis=-1, keepdims=True))
    terms /= terms.sum(axis=-1, keepdims=True)
    return terms


#: How one writes these in NumPy.
USUAL: dict[str, Callable[[Any], Any]] = {
    "exponential": np.exp,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "softmax": softmax,
    "tanh": np.tanh,
}


def build(variant: str, job: Job, threads: int) -> Ready:
    """Return the job in NumPy; the threads are pinned by the BLAS library's variables."""
    if isinstance(job, Activation):
        function, x = reading(job.name, job.parameters), job.x
        return Ready(lambda: function(x))
    return _forward(job)


def _forward(job: Forward) -> Ready:
    layers = [(weight, bias, reading(name, {})) for weight, bias, name in job.layers]

    def run() -> NDArray[np.float32]:
        y = job.x
        for weight, bias, function in layers:
            y = function(y @ weight + bias)
        return y

    return Ready(run)


def reading(name: str, given: Mapping[str, float]) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return the book's formula of that name, with these parameters, as a function of a float32 array."""
    from refnet import activations
    from refnet.activations.reading import halves, row_terms

    if name in USUAL:
        return USUAL[name]
    activation = activations.get(name).with_parameters(**given)
    # NumPy keeps float32 only next to Python's own numbers, so the parameters go in as such.
    parameters = activation.parameters_in(np.float32)

    def apply(x: NDArray[np.float32]) -> NDArray[np.float32]:
        with np.errstate(all="ignore"):
            if activation.kind == "rowwise":
                y = activation.formula(x, *row_terms(x, activation.of_row))
            elif activation.kind == "gated":
                y = activation.formula(*halves(x, name))
            else:
                y = activation.formula(x, **parameters)
        return np.asarray(y, dtype=np.float32)

    return apply
