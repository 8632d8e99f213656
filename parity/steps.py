"""A layer -> the steps that bounds are derived for.

Most layers say what they are in operations that the bounds know. Two say it as a Python function, whose meaning is
taken from the layer here: PReLU, and Softmax along other axes than the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity import bounds
from parity.bounds import Enclosure, Engine
from parity.ulp import ulp
from refnet.activations import Activation, get as activation_named
from refnet.errors import UnsupportedError
from refnet.layers.operations import Activate, Matmul, Operation

__all__ = ["Along", "Slopes", "Step", "activation_of", "product", "steps", "through"]


@dataclass(frozen=True, eq=False)
class Along:
    """A rowwise activation along other axes than the last."""

    activation: Activation
    axes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Slopes:
    """PReLU: x where x > 0, ``alpha * x`` elsewhere; alpha broadcasts against one row."""

    alpha: NDArray[Any]


Step = Operation | Along | Slopes


def steps(layer: Any) -> tuple[Step, ...]:
    """Return what a layer of refnet does, in steps that `through` knows."""
    kind = type(layer).__name__
    if kind == "PReLU":
        return (Slopes(layer.alpha),)
    if kind == "Softmax" and layer.axis != -1:
        axes = tuple(layer.axis) if isinstance(layer.axis, list) else (layer.axis,)
        return (Along(activation_named("softmax"), axes),)
    return tuple(layer.operations())


def activation_of(chain: Sequence[Step]) -> Activation | None:
    """Return the activation that ends a chain of steps, if one does."""
    last = chain[-1] if chain else None
    return last.activation if isinstance(last, (Activate, Along)) else None


def through(chain: Sequence[Step], enclosure: Enclosure, own: Engine, peer: Engine, who: str) -> Enclosure:
    """Carry an enclosure through a layer's steps.

    Raises
    ------
    UnsupportedError
        If a step is a Python function of the user's.
    """
    for step in chain:
        try:
            if isinstance(step, Slopes):
                enclosure = _through_slopes(step, enclosure)
            elif isinstance(step, Along):
                enclosure = _through_along(step, enclosure, own, peer)
            else:
                enclosure = bounds.through(step, enclosure, own, peer)
        except UnsupportedError as error:
            raise UnsupportedError(f"{who}: {error}") from None
    return enclosure


def _through_slopes(step: Slopes, before: Enclosure) -> Enclosure:
    dtype = before.dtype
    with np.errstate(all="ignore"):
        alpha = step.alpha.astype(before.value.dtype)
        value = np.where(before.value > 0, before.value, alpha * before.value)
        steepest = np.maximum(np.abs(alpha.astype(np.float64)), 1.0)
        size = np.abs(value).astype(np.float64)

        def grown(error: NDArray[np.float64]) -> NDArray[np.float64]:
            spread = steepest * error
            product = np.where(before.value - error <= 0, ulp(size + spread, dtype), 0.0)
            return np.where(np.isfinite(value), spread + product, 0.0)

        flush = 4 * float(np.finfo(dtype).tiny) * steepest
        peer = grown(before.peer)
        rooms = {"subnormal flush": peer + flush}
        return replace(
            before,
            value=value,
            own=grown(before.own),
            peer=peer,
            granted=grown(before.granted) + flush,
            rooms=rooms,
        )


def _through_along(step: Along, before: Enclosure, own: Engine, peer: Engine) -> Enclosure:
    rank = before.value.ndim
    count = len(step.axes)
    to_end = tuple(range(-count, 0))
    moved_shape = np.moveaxis(before.value, step.axes, to_end).shape

    def rows(values: NDArray[Any]) -> NDArray[Any]:
        full = np.broadcast_to(values, before.value.shape)
        return np.moveaxis(full, step.axes, to_end).reshape(*moved_shape[: rank - count], -1)

    def back(values: NDArray[Any]) -> NDArray[Any]:
        return np.moveaxis(values.reshape(moved_shape), to_end, step.axes)

    after = bounds.through(Activate(step.activation), before.moved(rows), own, peer)
    rooms = {name: back(np.broadcast_to(room, after.value.shape)) for name, room in after.rooms.items()}
    return replace(after.moved(back), rooms=rooms)


def product(chain: Sequence[Step]) -> tuple[Matmul, ...]:
    """Return the matrix product that a chain of steps begins with, if it does."""
    return (chain[0],) if chain and isinstance(chain[0], Matmul) else ()
