"""Layers to configs and back, in the form of ``keras.layers.serialize`` and ``deserialize``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from refnet.errors import ArgumentError, RefnetError, UnsupportedError, did_you_mean
from refnet.layers.layer import LAYERS, Layer

__all__ = ["deserialize", "keras_object", "serialize"]


def serialize(layer: Layer) -> dict[str, Any]:
    """Return a layer's class and config as one dict.

    Examples
    --------
    >>> from refnet import layers
    >>> serialize(layers.ReLU(6.0, name="cut"))["class_name"]
    'ReLU'
    """
    entry = {
        "module": layer._module,
        "class_name": type(layer).__name__,
        "config": layer.get_config(),
        "registered_name": None,
    }
    if layer._needs_shape and layer._input_shape is not None:
        entry["build_config"] = {"input_shape": layer._input_shape}
    return entry


def deserialize(config: Any) -> Layer:
    """Return the layer that a dict, of refnet or of Keras, describes.

    Nothing is imported by name: the class must be one of refnet's.

    Raises
    ------
    ArgumentError
        If the dict is not a layer's.
    UnsupportedError
        If the class has no counterpart here, or is not Keras' own.
    """
    if not isinstance(config, Mapping) or "class_name" not in config or not isinstance(config.get("config"), Mapping):
        raise ArgumentError(
            f"layer config {_short(config)} is not one; accepted: a dict with 'class_name' and 'config'"
        )
    name, arguments = str(config["class_name"]), config["config"]
    who = f"{name} {arguments.get('name', '?')!r}"
    module, registered = config.get("module"), config.get("registered_name")
    if name == "Lambda":
        raise UnsupportedError(
            f"{who}: a Lambda layer holds Python code, which refnet does not run; accepted: built-in layers"
        )
    if name not in LAYERS:
        raise UnsupportedError(f"{who}: layer class {name!r} has no counterpart in refnet{did_you_mean(name, LAYERS)}")
    foreign = module is not None and str(module).split(".")[0] not in ("keras", "tf_keras", "refnet")
    if foreign or registered not in (None, name):
        raise UnsupportedError(f"{who}: it is not Keras' own {name} (module {module!r}, registered as {registered!r})")
    try:
        layer = LAYERS[name].from_config(arguments)
    except RefnetError:
        raise
    except TypeError as error:
        raise ArgumentError(f"{who}: its config does not fit ({error})") from None
    shape = (config.get("build_config") or {}).get("input_shape")
    if shape is not None and not layer.built:
        layer.build(shape)
    return layer


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def keras_object(value: Any, module: str) -> Any:
    """Return a training-only argument (a regularizer, a constraint) as a config can hold it.

    Names and dicts stay; objects of Keras give their own config; refnet does nothing with any of them.
    """
    if value is None or isinstance(value, (str, int, float, bool, list, tuple)):
        return value
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "get_config"):
        name, config = type(value).__name__, value.get_config()
        return {"module": module, "class_name": name, "config": config, "registered_name": None}
    return {
        "module": "builtins",
        "class_name": "function",
        "config": getattr(value, "__name__", type(value).__name__),
        "registered_name": "function",
    }
