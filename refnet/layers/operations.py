"""What a layer asks the engine to do: the few operations that a Plan is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.activations.activation import Activation
from refnet.elementary import fma

__all__ = ["Activate", "Call", "Columnwise", "Matmul", "Operation", "affine"]


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
class Columnwise:
    """A formula of each number and of its column's parameters, in the words of `refnet.elementary`.

    The parameters broadcast against one row.
    """

    formula: Callable[..., Any]
    parameters: tuple[NDArray[Any], ...]

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return what NumPy makes of the formula: computed in float64 and rounded once, as in the engine."""
        with np.errstate(all="ignore"):
            wide = (np.asarray(each, np.float64) for each in (x, *self.parameters))
            return np.asarray(self.formula(*wide)).astype(x.dtype)

    @property
    def text(self) -> str:
        """The formula's name and its parameters' shapes."""
        return f"{self.formula.__name__}, {' '.join(str(each.shape) for each in self.parameters)} per column"


def affine(x: Any, scale: Any, shift: Any) -> Any:
    """Return x * scale + shift by a fused multiply-add: what batch normalization is once it has learned.

    Examples
    --------
    >>> float(affine(3.0, 0.5, -1.0))
    0.5
    """
    return fma(x, scale, shift)


@dataclass(frozen=True, eq=False)
class Call:
    """A Python function of the whole array: a user's own callable, a reshape, another axis."""

    function: Callable[[NDArray[Any]], NDArray[Any]]
    text: str


Operation = Matmul | Activate | Columnwise | Call
