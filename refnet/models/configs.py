"""A Sequential model to a config and back, in Keras' form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from refnet.errors import ArgumentError, UnsupportedError
from refnet.layers.arguments import dtype_policy
from refnet.layers.configs import deserialize, serialize
from refnet.layers.inputs import Shape
from refnet.layers.layer import Layer

__all__ = ["model_config", "read_config"]


def model_config(model: Layer, entries: Iterable[Layer], build_shape: Shape | None) -> dict[str, Any]:
    """Return the config of a model that consists of ``entries``, the InputLayer first if there is one."""
    config: dict[str, Any] = {"name": model.name, "trainable": model.trainable, "dtype": dtype_policy("float32")}
    config["layers"] = [serialize(layer) for layer in entries]
    if build_shape is not None:
        config["build_input_shape"] = build_shape
    return config


def read_config(config: Any) -> tuple[str, bool, list[Layer], Any]:
    """Return a config's name, trainable flag, layers and build shape (or None).

    Raises
    ------
    ArgumentError
        If the config is not one of a Sequential model.
    UnsupportedError
        If it is one of a Functional model, or a layer has no counterpart.
    """
    if isinstance(config, Mapping) and "input_layers" in config:
        name = config.get("name", "?")
        raise UnsupportedError(f"model {name!r} is a Functional model; accepted: a Sequential model")
    if not isinstance(config, Mapping) or "name" not in config or not isinstance(config.get("layers"), (list, tuple)):
        raise ArgumentError("the config is not one of a Sequential model; accepted: a dict with 'name' and 'layers'")
    layers = [deserialize(entry) for entry in config["layers"]]
    shape = config.get("build_input_shape")
    known = shape if isinstance(shape, (list, tuple)) else None
    return config["name"], config.get("trainable") is not False, layers, known
