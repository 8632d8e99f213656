"""The weights of a layer: what they are, how they are made, and what may take their place."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnet.errors import ShapeError
from refnet.layers.arguments import errors_of
from refnet.layers.inputs import Shape, as_real_array

__all__ = ["WeightSpec", "checked", "frozen", "initial", "require_shapes"]

#: What NumPy can count the bytes of, in float64, in which weights are drawn.
_MOST_NUMBERS = sys.maxsize // 8


class WeightSpec(NamedTuple):
    """What one weight is: its name, its shape, and the initializer that fills it."""

    name: str
    shape: tuple[int, ...]
    initializer: Callable[..., Any]


def initial(spec: WeightSpec, dtype: str, who: str) -> NDArray[Any]:
    """Return what a weight's initializer gives, for a layer to keep.

    Raises
    ------
    RefnetError
        Of the initializer, with the layer's name; ShapeError or DTypeError if it gives something else than asked for.
    """
    what = f"{spec.name}_initializer"
    if math.prod(spec.shape) > _MOST_NUMBERS:
        raise ShapeError(
            f"{who}: its {spec.name} would be of shape {spec.shape};"
            f" accepted: {_MOST_NUMBERS:,} numbers in all, the most that an array can hold"
        )
    with errors_of(f"{who}: {what}"):
        made = spec.initializer(spec.shape, dtype=dtype)
    values = as_real_array(made, who, f"what {what} gave")
    if values.shape != spec.shape:
        raise ShapeError(f"{who}: {what} gave shape {values.shape}; accepted: {spec.shape}")
    return _stored(values, dtype)


def checked(given: ArrayLike, name: str, shape: tuple[int, ...], dtype: str, who: str) -> NDArray[Any]:
    """Return what is to take a weight's place, for a layer to keep.

    Raises
    ------
    ShapeError, DTypeError
        If it is not an array of real numbers of that shape.
    """
    array = as_real_array(given, who, name)
    if array.shape != shape:
        raise ShapeError(f"{who}: {name} of shape {array.shape} given; accepted: {shape}")
    return _stored(array, dtype)


def require_shapes(
    weights: Iterable[NDArray[Any]], specs: Sequence[WeightSpec], accepted: Shape | None, who: str
) -> None:
    """Raise ShapeError unless the weights have the shapes that an input needs; one like ``accepted`` would do."""
    for array, spec in zip(weights, specs, strict=True):
        if array.shape != spec.shape:
            raise ShapeError(
                f"{who}: its {spec.name} has shape {array.shape}, but this input needs {spec.shape};"
                f" accepted: an input like {accepted}"
            )


def _stored(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Return a copy for a layer to keep: C-contiguous, in its dtype, read-only. Numbers beyond it become infinities."""
    with np.errstate(over="ignore"):
        return frozen(np.array(values, dtype=dtype, order="C"))


def frozen(values: NDArray[Any]) -> NDArray[Any]:
    """Return the same array, which can be written no more."""
    values.flags.writeable = False
    return values
