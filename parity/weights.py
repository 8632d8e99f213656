"""The weights of one layer, of refnet or of Keras, copied to another and compared bit by bit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.errors import DTypeError, ShapeError
from refnet.layers.layer import Layer

__all__ = ["copy_layer", "differ"]


def _arrays(layer: Any) -> list[NDArray[Any]]:
    """Return a layer's weights; Keras also lists the state of random generators, which inference does not use."""
    if isinstance(layer, Layer):
        return layer.get_weights()
    return [np.asarray(array) for array in layer.get_weights()] if _matter(layer) else []


def _matter(layer: Any) -> bool:
    """Return whether a Keras layer's variables are weights, and not only the seed of a Dropout."""
    return any("seed_generator" not in variable.path for variable in layer.variables)


def copy_layer(giver: Any, taker: Any) -> None:
    """Copy the weights of one layer to another, and check that every bit arrived.

    Raises
    ------
    ShapeError, DTypeError
        If the weights differ in number, shape or dtype.
    """
    who = f"layer {taker.name!r}"
    given, present = _arrays(giver), _arrays(taker)
    if len(given) != len(present):
        raise ShapeError(f"{who}: {len(given)} weights given by {giver.name!r}; accepted: {len(present)}")
    for position, (new, old) in enumerate(zip(given, present, strict=True)):
        if new.shape != old.shape:
            raise ShapeError(f"{who}: weight {position} of shape {new.shape} given; accepted: {old.shape}")
        if new.dtype != old.dtype:
            raise DTypeError(f"{who}: weight {position} of dtype {new.dtype} given; accepted: {old.dtype}")
    if not given:
        return
    taker.set_weights(given)
    difference = differ(giver, taker)
    if difference:
        raise DTypeError(f"{who}: copying changed {difference}; accepted: the same bits")


def differ(first: Any, second: Any) -> str:
    """Return where the weights of two layers differ in their bits, in words; empty if nowhere."""
    names = _names(first) or _names(second)
    ours, theirs = _arrays(first), _arrays(second)
    if len(ours) != len(theirs):
        listed = [", ".join(_names(layer)) or "none" for layer in (first, second)]
        return f"{listed[0]} against {listed[1]}"
    for name, a, b in zip(names, ours, theirs, strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{name}: {a.shape} {a.dtype} against {b.shape} {b.dtype}"
        bits = [np.ascontiguousarray(array).view(f"u{array.itemsize}") for array in (a, b)]
        differing = np.argwhere(bits[0] != bits[1])
        if len(differing):
            at = tuple(int(i) for i in differing[0])
            more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
            return f"{name}{list(at)}{more}: {a[at]!s} against {b[at]!s}"
    return ""


def _names(layer: Any) -> list[str]:
    if isinstance(layer, Layer):
        return list(layer.weight_names)
    return [variable.name for variable in layer.weights]
