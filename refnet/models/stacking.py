"""What may be put on a stack of layers, and what its first layer says of the input."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from refnet.errors import ArgumentError
from refnet.layers.input import InputLayer
from refnet.layers.layer import Layer

if TYPE_CHECKING:
    from refnet.models.sequential import Sequential

__all__ = ["entry_of", "place_of", "require_addable"]


def require_addable(model: Sequential, layer: Any, has_input: bool) -> None:
    """Raise ArgumentError unless ``layer`` can be put on top of ``model``."""
    if not isinstance(layer, Layer):
        keras = type(layer).__module__.split(".")[0] in ("keras", "tf_keras")
        hint = " (parity.from_keras turns a Keras model into one of refnet)" if keras else ""
        raise ArgumentError(
            f"{model._who}: {layer!r} of type {type(layer).__name__} cannot be added; accepted: layers of refnet{hint}"
        )
    if layer is model or any(inner is model for inner in getattr(layer, "_within", tuple)()):
        raise ArgumentError(f"{model._who}: a model cannot be a layer of itself; accepted: another model")
    if isinstance(layer, InputLayer):
        if has_input or model.layers:
            raise ArgumentError(f"{model._who}: a second or a late Input found; accepted: one, in front of all layers")
        return
    if any(layer.name == other.name and layer is not other for other in model.layers):
        raise ArgumentError(f"{model._who}: two layers are named {layer.name!r}; accepted: a name for each")


def entry_of(layer: Layer) -> InputLayer | None:
    """Return the InputLayer that a first layer implies: by its input_shape=, or by being a model with one."""
    if layer._given_shape is not None:
        return InputLayer(batch_shape=layer._given_shape, dtype=layer.dtype)
    inner: InputLayer | None = getattr(layer, "_input_layer", None)
    return None if inner is None else InputLayer(batch_shape=inner.batch_shape, dtype=inner.dtype)


def place_of(index: Any, count: int, who: str) -> int:
    """Return the place that ``index`` names among ``count`` layers; raise ArgumentError if it names none."""
    try:
        place = operator.index(index)
    except TypeError:
        raise ArgumentError(f"{who}: index is {index!r}; accepted: an integer") from None
    if not -count <= place < count:
        raise ArgumentError(f"{who}: there is no layer at index {place}; it has {count} layers")
    return place
