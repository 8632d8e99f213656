"""Models from Keras to refnet and back: the same layers, the same bits in the weights, or a refusal by name."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

import refnet
from parity.runners import keras_activations, keras_setup
from parity.weights import copy_layer
from refnet import activations, layers
from refnet.activations import Activation
from refnet.errors import DTypeError, NotBuiltError, RefnetError, ShapeError, UnsupportedError
from refnet.layers.layer import LAYERS, Layer

__all__ = [
    "activations_differ",
    "copy_weights",
    "from_keras",
    "in_dtype",
    "input_dtype",
    "is_keras_model",
    "is_refnet_model",
    "keras_chain",
    "leaves",
    "require_built",
    "to_keras",
]


_PROBE = np.concatenate([np.linspace(-50, 50, 1001), [-1e30, -1e-30, -0.0, 1e-30, 1e30]]).astype(np.float32)
_CHAIN = "accepted: Sequential, or a chain of layers"


def is_keras_model(model: Any) -> bool:
    """Return whether ``model`` is a model of Keras 3; loads Keras only if the class comes from there."""
    if not any(base.__module__.split(".")[0] == "keras" for base in type(model).__mro__):
        return False
    return isinstance(model, keras_setup.load().Model)


def is_refnet_model(model: Any) -> bool:
    """Return whether ``model`` is a model of refnet."""
    return isinstance(model, refnet.Sequential)


def leaves(model: Any) -> list[Any]:
    """Return the layers of a model of either library in order, those of nested models among them."""
    if is_refnet_model(model):
        return list(model.leaves())
    keras = keras_setup.load()
    flat: list[Any] = []
    for layer in keras_chain(model):
        flat += leaves(layer) if isinstance(layer, keras.Model) else [layer]
    return flat


def _refuse_unless(fits: bool, who: str, model: Any, accepted: str) -> None:
    if not fits:
        library = type(model).__module__.partition(".")[0]
        of = f" of {library}" if library in ("refnet", "keras") else ""
        raise DTypeError(f"{who} was given an object of type {type(model).__name__}{of}; accepted: {accepted}")


def require_built(model: Any) -> None:
    """Raise NotBuiltError if a model of either library has no weights yet."""
    if not model.built:
        raise NotBuiltError(f"model {model.name!r} is not built; give it an Input, or call it once")


def from_keras(model: Any) -> Any:
    """Return a `refnet.Sequential` that computes what a Keras model computes.

    Parameters
    ----------
    model : keras.Model
        A Sequential, or a functional model whose layers form a chain. Built.

    Returns
    -------
    refnet.Sequential
        With the same layer names and the same weights, bit for bit.

    Raises
    ------
    DTypeError
        If it is no model of Keras.
    UnsupportedError
        If a layer, an activation or a dtype has no counterpart; the message names it.
    NotBuiltError
        If the model has no weights yet.
    """
    _refuse_unless(is_keras_model(model), "from_keras", model, "a model of Keras")
    peers = keras_chain(model)
    if not peers:
        raise UnsupportedError(f"model {model.name!r} has no layers; accepted: at least one")
    require_built(model)
    found = _twins(peers, _layer_from_keras)
    result = refnet.Sequential(name=model.name)
    try:
        shape = tuple(model.input_shape)
    except (AttributeError, ValueError) as error:
        raise NotBuiltError(f"model {model.name!r} has no input shape; give it an Input") from error
    entry = input_dtype(model)
    result.add(refnet.Input(shape=shape[1:], dtype=entry if _is_whole(entry) else _dtype(peers[0])))
    for layer in found:
        result.add(layer)
    copy_weights(model, result)
    return result


def to_keras(model: Any) -> Any:
    """Return a `keras.Sequential` that computes what a refnet model computes.

    Parameters
    ----------
    model : refnet.Sequential
        Built.

    Returns
    -------
    keras.Sequential
        With the same layer names and the same weights, bit for bit.

    Raises
    ------
    DTypeError
        If it is no model of refnet.
    UnsupportedError
        If a layer or an activation has no counterpart in the installed Keras; the message names it.
    NotBuiltError
        If the model is not built.
    """
    _refuse_unless(is_refnet_model(model), "to_keras", model, "a refnet.Sequential")
    keras = keras_setup.load()
    require_built(model)
    _refuse_halved(model)
    with keras_setup.quiet():
        peers = _twins(model.layers, _layer_to_keras)
        entry = input_dtype(model)
        first = keras.Input(tuple(model.input_shape[1:]), dtype=entry if _is_whole(entry) else model.layers[0].dtype)
        result = keras.Sequential([first, *peers], name=model.name)
    copy_weights(model, result)
    return result


def input_dtype(model: Any) -> str:
    """Return the dtype that a model's Input asks for; empty where it asks for none.

    Keras converts to it what it is given; refnet only where it is one of whole numbers.
    """
    if is_refnet_model(model):
        first = model.get_config()["layers"][0]
        return str(first["config"]["dtype"]) if first["class_name"] == "InputLayer" else ""
    try:
        return str(model.inputs[0].dtype)
    except (AttributeError, ValueError, TypeError, IndexError):  # a model that was built by calling it has no Input
        return ""


def _is_whole(dtype: str) -> bool:
    return dtype.startswith(("int", "uint", "bool"))


def in_dtype(model: Any, dtype: str) -> Any:
    """Return a refnet model with the same layers and weights in another dtype (rounded once, if it is narrower).

    Parameters
    ----------
    model : refnet.Sequential
        Built. The layers of nested models come out in one chain.
    dtype : {"float32", "float64"}
    """
    result = refnet.Sequential([refnet.Input(shape=tuple(model.input_shape[1:]), dtype=dtype)], name=model.name)
    for layer in _twins(model.leaves(), lambda layer: _layer_in_dtype(layer, dtype)):
        result.add(layer)
    result.set_weights(model.get_weights())
    return result


def _layer_in_dtype(layer: Layer, dtype: str) -> Layer:
    config = dict(layer.get_config()) | {"dtype": dtype}
    if "activation" in config:
        activation = getattr(layer, "activation", None)
        config["activation"] = _layer_in_dtype(activation, dtype) if isinstance(activation, Layer) else activation
    return type(layer).from_config(config)


def _refuse_halved(model: Any) -> None:
    """Refuse a layer behind a Dense that halves its units: Keras 3 builds it for all of them, and cannot run it."""
    for layer in model.layers[:-1]:
        if type(layer).__name__ == "Dense" and layer.output_shape[-1] != layer.units:
            raise UnsupportedError(
                f"Dense {layer.name!r}: Keras takes its output for {layer.units} wide, though {layer.activation_text}"
                f" leaves {layer.output_shape[-1]}; accepted: such an activation in the last layer"
            )


def copy_weights(source: Any, target: Any) -> None:
    """Copy all weights from a model of either library to one of the other, and check that every bit arrived.

    Parameters
    ----------
    source, target : refnet.Sequential or keras.Model
        The same layers in the same order.

    Raises
    ------
    ShapeError, DTypeError
        If the layers, or a weight's shape or dtype, do not match, or one of the two is no model.
    UnsupportedError
        If a Keras model is not a chain of layers.
    """
    for model in (source, target):
        known = is_refnet_model(model) or is_keras_model(model)
        _refuse_unless(known, "copy_weights", model, "models of refnet or of Keras")
    givers, takers = leaves(source), leaves(target)
    if len(givers) != len(takers):
        raise ShapeError(
            f"model {target.name!r} has {len(takers)} layers, but {source.name!r} has {len(givers)};"
            " accepted: the same layers"
        )
    for giver, taker in zip(givers, takers, strict=True):
        copy_layer(giver, taker)


def activations_differ(own: Any, peer: Any) -> str:
    """Return how the activations of a layer of refnet and one of Keras differ, in words; empty if they do not.

    Two of different names are the same if they give the same bits for many numbers, as relu6 and a relu up to 6 do.
    """
    if not own.activation_text:
        return ""
    try:
        twin = _layer_from_keras(peer)
    except RefnetError:  # a function of the user's: nothing to look up
        return ""
    text = f"{own.activation_text} in refnet, {twin.activation_text} in Keras"
    ours, theirs = (_innermost(layer) for layer in (own, twin))
    alike = own.activation_text == twin.activation_text
    if not alike and isinstance(ours, Activation) and isinstance(theirs, Activation):
        with np.errstate(all="ignore"):
            alike = ours.kind == theirs.kind == "elementwise" and (
                ours.numpy(_PROBE).tobytes() == theirs.numpy(_PROBE).tobytes()
            )
    return "" if alike else text


def _innermost(layer: Any) -> Any:
    """Return the activation of a layer, or of the layer that is its activation; None if it has none."""
    while isinstance(layer, Layer):
        layer = getattr(layer, "activation", None)
    return layer


def keras_chain(model: Any) -> list[Any]:
    """Return the layers of a Keras model in order, without InputLayers, if they form a chain.

    Raises
    ------
    UnsupportedError
        If the model branches, or is of a class of the user's.
    """
    keras = keras_setup.load()
    if isinstance(model, keras.Sequential):
        return list(model.layers)
    who = f"model {model.name!r}"
    if type(model).__name__ not in ("Functional", "Model") or not hasattr(model, "inputs"):
        raise UnsupportedError(f"{who} is a {type(model).__name__}, a class of its own; {_CHAIN}")
    if len(model.outputs) != 1 or isinstance(model.output, dict):
        names = "a dict" if isinstance(model.output, dict) else f"{len(model.outputs)} outputs"
        raise UnsupportedError(f"{who} gives {names}; accepted: one output")
    nodes = [node for depth in sorted(model._nodes_by_depth, reverse=True) for node in model._nodes_by_depth[depth]]
    tensor = model.inputs[0] if len(model.inputs) == 1 else None
    found = []
    for node in (node for node in nodes if not node.is_input):
        operation = node.operation
        if not isinstance(operation, keras.layers.Layer):
            raise UnsupportedError(
                f"{who}: {type(operation).__name__} {operation.name!r} is an operation without a layer;"
                " accepted: layers, such as Activation('relu')"
            )
        if len(node.input_tensors) != 1 or node.input_tensors[0] is not tensor:
            raise UnsupportedError(f"{who} branches at layer {operation.name!r}; {_CHAIN}")
        tensor = node.output_tensors[0]
        found.append(operation)
    return found


def _twins(layers: list[Any], make: Callable[[Any], Any]) -> list[Any]:
    """Return what ``make`` makes of each layer; of one that stands twice, the same twice."""
    made = {key: make(layer) for key, layer in {id(layer): layer for layer in layers}.items()}
    return [made[id(layer)] for layer in layers]


def _dtype(peer: Any) -> str:
    return str(peer.compute_dtype)


def _layer_from_keras(peer: Any) -> Any:
    if is_keras_model(peer):
        return from_keras(peer)
    kind, who = type(peer).__name__, f"{type(peer).__name__} {peer.name!r}"
    if kind == "Lambda":
        raise UnsupportedError(
            f"{who}: a Lambda layer holds Python code, which refnet does not run; accepted: built-in layers"
        )
    if kind not in LAYERS or not type(peer).__module__.startswith("keras."):
        own = "" if type(peer).__module__.startswith("keras.") else " (a class of its own)"
        raise UnsupportedError(
            f"{who}: layer class {kind!r}{own} has no counterpart in refnet; accepted: {', '.join(LAYERS)}"
        )
    if peer.dtype_policy.name not in ("float32", "float64"):
        raise UnsupportedError(
            f"{who}: dtype {peer.dtype_policy.name!r} has no counterpart; accepted: 'float32', 'float64'"
        )
    if getattr(peer, "lora_enabled", False):
        raise UnsupportedError(f"{who}: LoRA is enabled; accepted: merged weights (save the model and load it again)")
    config = _plain_config(peer)
    for name in [name for name in config if name.endswith("_initializer") and not _readable(config[name])]:
        del config[name]  # one of the user's own, or None: the weights are copied, so nothing is ever drawn from it
    if "activation" in config:
        config["activation"] = activation_from_keras(peer.activation, who)
    try:
        return LAYERS[kind].from_config(config)
    except RefnetError:
        raise
    except TypeError as error:
        raise UnsupportedError(f"{who}: its configuration has no counterpart ({error})") from error


def _plain_config(peer: Any) -> dict[str, Any]:
    """Return the layer's config; activations come from the object, since serializing a function can lose it."""
    try:
        with keras_setup.quiet():
            config = dict(peer.get_config())
    except (TypeError, ValueError, NotImplementedError):  # a partial, or ELU's alpha of NumPy: they run all the same
        plain = ("name", "trainable", "units", "use_bias", "activation", "alpha")
        config = {name: getattr(peer, name) for name in plain if hasattr(peer, name)}
    config["dtype"] = _dtype(peer)
    return config


def _readable(initializer: Any) -> bool:
    try:
        layers.initializers.get(initializer)
    except RefnetError:
        return False
    return True


def activation_from_keras(function: Any, who: str) -> Any:
    """Return the activation of the book, or the activation layer, that a Keras layer's ``activation`` means.

    Raises
    ------
    UnsupportedError
        If it is a function of the user's.
    """
    keras = keras_setup.load()
    if function is None:
        return activations.get("linear")
    if isinstance(function, keras.layers.Layer):
        return _layer_from_keras(function)
    if isinstance(function, functools.partial) and not function.args:
        base = activation_from_keras(function.func, who)
        if isinstance(base, Activation):
            return base.with_parameters(**function.keywords)
    for name in activations.REGISTRY:
        if function is getattr(keras.activations, name, None):
            return activations.get(name)
        if function is getattr(keras.ops, name, None):
            return _with_defaults_of(function, activations.get(name))
        if function is _of_tensorflow(function, name):
            return activations.get(name)
    raise _of_its_own(function, who, "the names of keras.activations, and activation layers")


def _with_defaults_of(function: Any, activation: Activation) -> Activation:
    """Return the activation with the defaults of ``function``: keras.ops.gelu, for one, has others."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if name in activation.parameters and parameter.default is not inspect.Parameter.empty
    }
    return activation.with_parameters(**defaults) if defaults else activation


def _of_tensorflow(function: Any, name: str) -> Any:
    """Return TensorFlow's function of this name; its defaults are those of keras.activations."""
    if not str(getattr(function, "__module__", "")).startswith("tensorflow"):
        return None
    import tensorflow

    return getattr(tensorflow.nn, name, None)


def _of_its_own(function: Any, who: str, accepted: str) -> UnsupportedError:
    name = str(getattr(function, "__name__", type(function).__name__))
    return UnsupportedError(
        f"{who}: activation {name!r} is a function of its own, which has no counterpart; accepted: {accepted}"
    )


def _layer_to_keras(layer: Any) -> Any:
    if is_refnet_model(layer):
        return to_keras(layer)
    keras = keras_setup.load()
    kind, who = type(layer).__name__, f"{type(layer).__name__} {layer.name!r}"
    if not hasattr(keras.layers, kind):
        raise UnsupportedError(f"{who}: layer class {kind!r} has no counterpart in Keras {keras.__version__}")
    # First the activation: a function of the user's is to be refused by name, not for lack of a config.
    given = isinstance(layer, (layers.Activation, layers.Dense))
    activation = {"activation": _activation_to_keras(layer.activation, who)} if given else {}
    config = dict(layer.get_config()) | activation
    try:
        return getattr(keras.layers, kind).from_config(config)
    except (TypeError, ValueError) as error:
        raise UnsupportedError(
            f"{who}: Keras {keras.__version__} does not accept its configuration ({error})"
        ) from error


def _activation_to_keras(activation: Any, who: str) -> Any:
    if isinstance(activation, Activation):
        try:
            return keras_activations.function(activation)
        except AttributeError as error:
            raise UnsupportedError(f"{who}: this Keras has no activation {activation.name!r}") from error
    if isinstance(activation, Layer):
        return _layer_to_keras(activation)
    raise _of_its_own(activation, who, "activations of the book, and activation layers")
