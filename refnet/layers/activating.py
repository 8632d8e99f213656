"""What the layers that have an activation share: reading it, running it, naming it, saving it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet import activations
from refnet.activations.activation import Activation
from refnet.activations.naming import title
from refnet.errors import ArgumentError, DTypeError, RefnetError, ShapeError, UnsupportedError
from refnet.layers.arguments import errors_of
from refnet.layers.configs import deserialize, serialize
from refnet.layers.inputs import Shape
from refnet.layers.layer import LAYERS, Layer
from refnet.layers.locking import state_lock
from refnet.layers.operations import Activate, Call, Operation

__all__ = ["describe", "numpy_reading", "operations_of", "replace", "resolve", "serialized", "shape_after"]

#: What a layer's ``activation`` can be once it is read.
Function = Activation | Layer | Callable[..., Any]


def resolve(identifier: Any, who: str) -> Function:
    """Return the activation that an argument means: of the book, an activation layer, or the user's callable.

    Raises
    ------
    ArgumentError, UnsupportedError
        If there is no such activation; the sentence begins with ``who``.
    """
    if isinstance(identifier, Mapping) and identifier.get("class_name") in LAYERS:
        identifier = deserialize(identifier)
    if inspect.isclass(identifier):
        raise ArgumentError(
            f"{who}: activation is the class {identifier.__name__}; accepted: an object, {identifier.__name__}()"
        )
    if isinstance(identifier, Layer):
        return _weightless(identifier, who)
    with errors_of(who):
        function = activations.get(identifier)
    if isinstance(function, Activation):
        _require_parameters(function, who)
    return function  # type: ignore[no-any-return]


def _weightless(layer: Layer, who: str) -> Layer:
    if layer._needs_shape or hasattr(layer, "layers"):
        raise UnsupportedError(
            f"{who}: activation is {layer._who}, which has a shape or weights of its own;"
            " accepted: a name, a function, or an activation layer without weights (add the others behind this layer)"
        )
    return layer


def _require_parameters(function: Activation, who: str) -> None:
    """Refuse what cannot run without parameters that were not given, such as ``threshold``."""
    if function.required:
        values = ", ".join(f"{name}=..." for name in function.required)
        raise ArgumentError(
            f"{who}: activation {function.name!r} needs {' and '.join(function.required)};"
            f" accepted: activations.{function.name}.with_parameters({values})"
        )


def operations_of(function: Function, dtype: str, who: str) -> tuple[Operation, ...]:
    """Return what the engine is to do for an activation, inside a layer of this dtype."""
    if function is activations.get(None):
        return ()
    if isinstance(function, Activation):
        return (Activate(function),)
    if isinstance(function, Layer) and function.dtype == dtype:
        return function.operations()
    # A layer of another dtype rounds to its own, as in Keras: it runs as a whole, like a function of the user's.
    return (Call(_guarded(function, who), f"{describe(function)} (called)"),)


def numpy_reading(function: Function, z: NDArray[Any], who: str) -> NDArray[Any]:
    """Return the activation of ``z``, computed by NumPy, in the dtype of ``z``."""
    if isinstance(function, Activation):
        return function.numpy(z)
    if isinstance(function, Layer):
        return function.call(z).astype(z.dtype)
    return _guarded(function, who)(z).astype(z.dtype)


def _guarded(function: Function, who: str) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Wrap a user's function: it cannot change its argument, and must give an array of real numbers that is its own."""

    def guarded(z: NDArray[Any]) -> NDArray[Any]:
        view = z.view()
        view.flags.writeable = False
        result = np.asarray(function(view))
        if result.dtype.kind not in "fiub" and result.dtype.name != "bfloat16":
            raise DTypeError(
                f"{who}: activation {describe(function)} gave dtype {result.dtype}; accepted: real numbers"
            )
        return result.copy() if np.may_share_memory(result, z) else result

    return guarded


def shape_after(function: Function, shape: Shape, dtype: str, who: str) -> Shape:
    """Return the shape that the activation gives for one that it takes.

    The elementwise and rowwise ones of the book keep it. The others (glu halves the last axis) and the user's
    own functions are asked, with two rows of zeros.

    Raises
    ------
    ShapeError, ArgumentError
        If the activation cannot take this shape, or does not keep the rows.
    """
    if isinstance(function, Layer):
        return function.compute_output_shape(shape)
    if isinstance(function, Activation) and function.kind in ("elementwise", "rowwise"):
        return shape
    probe = np.zeros((2, *(2 if size is None else size for size in shape[1:])), dtype=dtype)
    try:
        with np.errstate(all="ignore"):
            found = numpy_reading(function, probe, who).shape
    except ShapeError as error:
        raise ShapeError(f"{who}: {error}") from None
    except RefnetError:
        raise
    except Exception as error:
        raise ArgumentError(
            f"{who}: activation {describe(function)} fails on an array of shape {probe.shape} ({type(error).__name__}:"
            f" {error}); accepted: a function of one array"
        ) from error
    if len(found) == 0 or found[0] != 2:
        raise ShapeError(
            f"{who}: activation {describe(function)} turns shape {probe.shape} into {found};"
            " accepted: one that keeps the rows"
        )
    if len(found) != len(shape):
        return (shape[0], *found[1:])
    return (
        shape[0],
        *(None if old is None and new == 2 else new for old, new in zip(shape[1:], found[1:], strict=True)),
    )


def replace(layer: Any, identifier: Any, shape: Shape | None) -> None:
    """Put an activation in the place of a layer's: ``shape`` is what it takes, if that is known.

    Raises
    ------
    ShapeError
        If it gives another shape than the old one, for which the layers behind are built.
    """
    old, new = layer.activation, resolve(identifier, layer._who)
    if shape is not None:
        found, kept = (shape_after(one, shape, layer.dtype, layer._who) for one in (new, old))
        if found != kept:
            raise ShapeError(
                f"{layer._who}: activation {describe(new)} gives shape {found} where {describe(old)} gave {kept};"
                " accepted: one that gives the same"
            )
    with state_lock():
        layer._activation = new
        layer._changed()


def describe(function: Function) -> str:
    """Return an activation's name, with the parameters that are not the default ones, for a table or a message.

    Examples
    --------
    >>> from refnet import layers
    >>> describe(layers.LeakyReLU(0.1)), describe(np.tanh)
    ('leaky_relu(negative_slope=0.1)', 'tanh')
    """
    if isinstance(function, Activation):
        return title(function.name, function.parameters)
    if isinstance(function, Layer):
        return function.activation_text or function.name
    return str(getattr(function, "__name__", type(function).__name__))


def serialized(function: Function) -> Any:
    """Return the config of an activation, in Keras' form."""
    return serialize(function) if isinstance(function, Layer) else activations.serialize(function)
