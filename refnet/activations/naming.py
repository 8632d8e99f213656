"""From a name to an activation and back, as Keras does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from refnet.activations.activation import REGISTRY, Activation
from refnet.activations.parameters import Parameter, as_written
from refnet.errors import ArgumentError, DTypeError, did_you_mean

__all__ = ["LAYER_READERS", "deserialize", "get", "names", "serialize", "title"]

#: Readers of layer configurations, ``reader(config, custom_objects) -> layer``. `refnet.layers` puts its own here, so
#: that an activation layer's dictionary is understood without this folder knowing about layers.
LAYER_READERS: list[Callable[[Mapping[str, Any], Mapping[str, Any]], Any]] = []

_OWN_MODULE = "refnet.activations"


def names() -> tuple[str, ...]:
    """Return the name of every activation, without aliases, in the order of the book.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.names()[:3]
    ('linear', 'relu', 'leaky_relu')
    """
    return tuple(dict.fromkeys(entry.name for entry in REGISTRY.values()))


def get(identifier: Any) -> Any:
    """Return the activation that ``identifier`` stands for.

    Parameters
    ----------
    identifier : None, str, dict or callable
        None is `linear`; a name of the book, its activation; a dictionary from `serialize`, what it describes;
        any callable (an activation, a layer, a function), itself.

    Returns
    -------
    callable

    Raises
    ------
    ArgumentError
        If the name is unknown, or ``identifier`` is none of these.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.get("swish")
    <activation silu: x / (1 + exp(-x))>
    >>> activations.get("swihs")
    Traceback (most recent call last):
    refnet.errors.ArgumentError: activation 'swihs' unknown; did you mean 'swish'?
    """
    if identifier is None:
        return REGISTRY["linear"]
    if isinstance(identifier, str):
        return _named(identifier)
    found = deserialize(identifier) if isinstance(identifier, dict) else identifier
    if not callable(found):
        raise ArgumentError(
            f"activation {identifier!r} is not accepted; accepted: None, a name, a dictionary, a callable"
        )
    return found


def _named(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    known = {**REGISTRY, **(custom_objects or {})}
    if name not in known:
        hint = did_you_mean(name, known) or f"; accepted: {', '.join(names())}"
        raise ArgumentError(f"activation {name!r} unknown{hint}")
    return known[name]


def serialize(activation: Any) -> str | dict[str, Any]:
    """Return the name of an activation, or the dictionary that describes it.

    Parameters
    ----------
    activation : Activation, layer or function
        A block of the book with its default parameters gives its name (``"silu"``, also for swish). One with other
        parameters, an activation layer or a named function gives a dictionary.

    Returns
    -------
    str or dict

    Raises
    ------
    ArgumentError
        For a lambda, which has no name to find it by. Keras stores its byte code, and then refuses to load it.
    DTypeError
        If ``activation`` cannot be called.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.serialize(activations.swish)
    'silu'
    >>> activations.serialize(activations.elu.with_parameters(alpha=0.5))["config"]
    {'alpha': 0.5}
    """
    if isinstance(activation, Activation):
        changed = {key: value for key, value in activation.parameters.items() if value != activation.defaults[key]}
        changed = {key: value for key, value in changed.items() if value == value}
        if not changed:
            return activation.name
        return _described(_OWN_MODULE, activation.name, changed, None)
    if isinstance(activation, (str, type)) or not callable(activation):
        raise DTypeError(
            f"activation {activation!r} cannot be serialized; accepted: an activation, a layer, a function"
        )
    if hasattr(activation, "get_config"):
        return _described("keras.layers", type(activation).__name__, activation.get_config(), None)
    name = getattr(activation, "__name__", None)
    if not name or name == "<lambda>":
        raise ArgumentError(f"activation {activation!r} has no name to be found by; accepted: a function with def")
    return _described("builtins", "function", name, "function")


def _described(module: str, class_name: str, config: Any, registered_name: str | None) -> dict[str, Any]:
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered_name}


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the activation that `serialize` described; the inverse of `serialize`.

    Nothing is ever imported by name: a dictionary can only choose among the book, the activation layers, and what
    ``custom_objects`` holds.

    Parameters
    ----------
    config : str, dict or None
        What `serialize`, or Keras', returned.
    custom_objects : mapping of str to callable, optional
        Functions of your own by the names they were stored under.

    Returns
    -------
    callable, or None for None

    Raises
    ------
    ArgumentError
        If nothing goes by that name. Keras hands an unknown name back as it is.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.deserialize("relu")
    <activation relu: max(x, 0)>
    """
    if config is None:
        return None
    if isinstance(config, str):
        return _named(config, custom_objects)
    if not isinstance(config, Mapping) or not isinstance(config.get("class_name"), str) or "config" not in config:
        raise ArgumentError(f"activation {config!r} is not accepted; accepted: a name, a dictionary from serialize")
    class_name, inner = config["class_name"], config["config"]
    if class_name == "function" and isinstance(inner, str):
        return _named(inner, custom_objects)
    if config.get("module") == _OWN_MODULE and isinstance(inner, Mapping):
        return _named(class_name).with_parameters(**inner)
    for reader in LAYER_READERS:
        layer = reader(config, custom_objects or {})
        if layer is not None:
            return layer
    raise ArgumentError(
        f"activation {class_name!r} of module {config.get('module')!r} unknown; accepted: the book's names"
    )


def title(name: str, parameters: Mapping[str, Parameter]) -> str:
    """Return an activation as a user would write it: parameters only where they are not the defaults.

    Examples
    --------
    >>> title("leaky_relu", {"negative_slope": 0.3}), title("gelu", {"approximate": True})
    ('leaky_relu(negative_slope=0.3)', 'gelu(approximate=True)')
    """
    defaults = REGISTRY[name].parameters
    given = ", ".join(as_written(key, each) for key, each in parameters.items() if each != defaults.get(key))
    return f"{name}({given})" if given else name
