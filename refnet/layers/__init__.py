"""Layers, with the names and arguments of ``keras.layers``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refnet.activations.naming import LAYER_READERS
from refnet.errors import did_you_mean
from refnet.layers import initializers
from refnet.layers.activation import ELU, Activation, LeakyReLU, ReLU
from refnet.layers.configs import deserialize, serialize
from refnet.layers.dense import Dense
from refnet.layers.input import Input, InputLayer
from refnet.layers.layer import LAYERS, Layer
from refnet.layers.prelu import PReLU
from refnet.layers.shaping import Dropout, Flatten
from refnet.layers.softmax import Softmax

__all__ = [
    "ELU",
    "Activation",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "PReLU",
    "ReLU",
    "Softmax",
    "deserialize",
    "initializers",
    "serialize",
]


def _read_layer(config: Mapping[str, Any], custom_objects: Mapping[str, Any]) -> Layer | None:
    """Read an activation layer for `refnet.activations.deserialize`; None if the config is no layer's."""
    return deserialize(config) if config.get("class_name") in LAYERS else None


LAYER_READERS.append(_read_layer)


def __getattr__(name: str) -> Any:
    """Say which layers there are: Keras has more, and who knows Keras will ask for them."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    reason = " (it holds Python code, which refnet does not run)" if name == "Lambda" else ""
    hint = did_you_mean(name, LAYERS) or f"; accepted: {', '.join(sorted(LAYERS))}"
    raise AttributeError(f"refnet.layers has no {name!r}{reason}{hint}")
