"""Reading the arguments that layers share: shapes, dtypes, names, numbers."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from refnet.errors import ArgumentError, RefnetError
from refnet.layers.inputs import Shape
from refnet.layers.naming import auto_name

__all__ = [
    "as_config",
    "as_shape",
    "batch_shape",
    "checked_name",
    "dtype_name",
    "dtype_policy",
    "errors_of",
    "for_training",
    "is_real",
]

_log = logging.getLogger("refnet")


def as_config(config: Any, class_name: str) -> Mapping[str, Any]:
    """Return a layer's config as it is; raise ArgumentError if it is none."""
    if not isinstance(config, Mapping):
        found = type(config).__name__
        raise ArgumentError(f"{class_name}: the config is of type {found}; accepted: a dict, as get_config returns it")
    return config


def dtype_name(dtype: Any, who: str) -> str:
    """Return ``"float32"`` or ``"float64"`` from a name, a NumPy type, or a Keras policy or its config.

    Python's ``float`` is float32, as Keras reads it.

    Raises
    ------
    ArgumentError
        For every other dtype, such as float16 or a mixed policy.
    """
    if dtype is None or dtype is float:
        return "float32"
    name = dtype
    if isinstance(dtype, Mapping):
        name = dtype.get("config", {}).get("name")
    elif not isinstance(dtype, str):
        try:
            name = np.dtype(dtype).name
        except TypeError:
            name = getattr(dtype, "name", dtype)
    if name not in ("float32", "float64"):
        raise ArgumentError(f"{who}: dtype {name!r} is not accepted; accepted: 'float32', 'float64'")
    return str(name)


def dtype_policy(name: str) -> dict[str, Any]:
    """Return a dtype in the form that Keras 3 writes it in configs."""
    return {"module": "keras", "class_name": "DTypePolicy", "config": {"name": name}, "registered_name": None}


def as_shape(shape: Any, who: str, *, what: str = "input_shape") -> Shape:
    """Return a shape as a tuple of integers and Nones.

    Raises
    ------
    ArgumentError
        If it is anything but a sequence of such.
    """
    hint = f"; did you mean ({shape},)?" if isinstance(shape, (int, np.integer)) else ""
    if isinstance(shape, str) or not isinstance(shape, Iterable):
        raise ArgumentError(f"{who}: {what} is {shape!r}; accepted: a tuple of sizes{hint}")
    sizes = tuple(shape)
    for size in sizes:
        whole = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
        if size is not None and not (whole and size >= 0):
            raise ArgumentError(
                f"{who}: {what} is {sizes}; accepted: a tuple of integers from 0 up, or None for any size"
            )
    return tuple(None if size is None else int(size) for size in sizes)


def batch_shape(input_shape: Any, input_dim: Any, batch_input_shape: Any, who: str) -> Shape | None:
    """Return the shape that a layer's arguments give for its input, batch first; None if they give none.

    The first ``input_shape=`` or ``input_dim=`` of a process is noted on the logger ``refnet`` at level INFO. Not a
    warning: two in five of the world's Keras snippets pass one, it does here exactly what they mean by it, and a
    warning at each of their layers would bury the ones that matter.
    """
    if batch_input_shape is not None:  # only configs of Keras 2 have it
        return as_shape(batch_input_shape, who, what="batch_input_shape")
    if input_dim is not None:
        input_shape = (input_dim,)
    if input_shape is None:
        return None
    _note_input_shape()
    return (None, *as_shape(input_shape, who))


@functools.cache  # once in a process
def _note_input_shape() -> None:
    _log.info("input_shape= and input_dim= are taken as in Keras; Input(shape) as a model's first entry says the same")


def checked_name(name: Any, class_name: str) -> str:
    """Return a layer's name: the one given, or the next automatic one."""
    if name is None:
        return auto_name(class_name)
    if not isinstance(name, str) or not name or "/" in name:
        raise ArgumentError(f"{class_name}: name is {name!r}; accepted: a string without '/'")
    return name


def for_training(value: Any, what: str, who: str) -> Any:
    """Return a regularizer or a constraint as it is: refnet does not train, and only keeps it for the config.

    A name is not looked up: it may be one that the user registers with Keras.

    Raises
    ------
    ArgumentError
        If it is neither a name, nor a config, nor a function or an object with a config.
    """
    if value is None or isinstance(value, (str, Mapping)) or callable(value) or hasattr(value, "get_config"):
        return value
    raise ArgumentError(f"{who}: {what} is {value!r}; accepted: a name, a config, a function or object of Keras, None")


@contextlib.contextmanager
def errors_of(who: str) -> Iterator[None]:
    """Put ``who`` in front of the error of something that does not know for whom it works.

    Examples
    --------
    >>> with errors_of("Dense 'hidden'"):
    ...     raise ArgumentError("activation 'swihs' unknown")
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: Dense 'hidden': activation 'swihs' unknown
    """
    try:
        yield
    except RefnetError as error:
        raise type(error)(f"{who}: {error}") from None


def is_real(value: Any) -> bool:
    """Tell whether a value is one real number, of Python or of NumPy; True and False are not."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
