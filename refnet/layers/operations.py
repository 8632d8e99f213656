"""What a layer asks the engine to do: the few operations that a Plan is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from refnet.activations.activation import Activation

__all__ = ["Activate", "Call", "Matmul", "Operation"]


@dataclass(frozen=True, eq=False)
class Matmul:
    """``z = x @ weight + bias`` over the last axis; weight (in, out), bias (out,) or None."""

    weight: NDArray[Any]
    bias: NDArray[Any] | None


@dataclass(frozen=True, eq=False)
class Activate:
    """An activation of the book; rowwise ones work along the last axis."""

    activation: Activation


@dataclass(frozen=True, eq=False)
class Call:
    """A Python function of the whole array: a user's own callable, a reshape, another axis."""

    function: Callable[[NDArray[Any]], NDArray[Any]]
    text: str


Operation = Matmul | Activate | Call
