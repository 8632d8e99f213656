"""Running compiled code from Python: the doors to the walk and to the activation kernels."""

from __future__ import annotations

import ctypes
import functools
import itertools
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.activations.activation import REGISTRY, Activation
from refnet.activations.reading import itself
from refnet.engine.capi import builtin, usable
from refnet.engine.objects import native
from refnet.engine.records import ARRAY_CLASS, ARRAYS, CODE, INT_CLASS, LENGTH, NONE
from refnet.errors import ArgumentError

__all__ = [
    "DOORS",
    "activation_kernel",
    "column_kernel",
    "columns_code",
    "door",
    "door_code",
    "has_kernel",
    "kernel_door",
    "parameter_values",
    "six_words",
    "walk_code",
    "walk_door",
]

#: The functions of `refnet.engine.doors`.
DOORS = ("six_words", "forward", "activate")

_serial = itertools.count()  # tells apart users' formulas of the same name


@functools.cache
def walk_door(dtype: str) -> Callable[..., None]:
    """Return the compiled walk for a dtype: ``walk(table, x, y, first row, last row, scratch)``.

    x and y are C-contiguous ndarrays; the others are addresses and numbers of rows. It releases the GIL.
    """
    return six_words(walk_code(dtype), (ctypes.c_int64, ctypes.py_object, ctypes.py_object, *[ctypes.c_int64] * 3))


@functools.cache
def walk_code(dtype: str) -> int:
    """Return the address of the compiled walk for a dtype."""

    def recipe() -> tuple[Any, Any]:
        from refnet.engine.walk import SIGNATURE, walk

        return walk(dtype), SIGNATURE

    return native(f"walk-{dtype}", recipe)


@functools.cache
def columns_code(dtype: str) -> int:
    """Return the address of the compiled walk that threads share by columns (see `refnet.engine.walk.walk_columns`)."""

    def recipe() -> tuple[Any, Any]:
        from refnet.engine.walk import SIGNATURE, walk_columns

        return walk_columns(dtype), SIGNATURE

    return native(f"columns-{dtype}", recipe)


def has_kernel(activation: Activation) -> bool:
    """Tell whether an activation can be compiled; only NumPy reads the others.

    Array code cannot, but for the book's sparsemax there is `refnet.engine.sparsemax`.
    """
    return activation.kind != "array" or activation.formula is REGISTRY["sparsemax"].formula


def activation_kernel(activation: Activation, dtype: str, streaming: bool = False) -> int:
    """Return the address of an activation's kernel (see `refnet.engine.kernels`); a streaming one for long arrays."""
    exceptions = tuple(activation.exceptions.items()) if dtype == "float32" else ()
    usual = activation.parameters and dict(activation.parameters) == activation.defaults and dtype != "half"
    fixed = tuple(activation.parameters_in(dtype).values()) if usual else None
    form = dtype, fixed, exceptions, streaming, activation.of_row
    return _kernel(activation.formula, activation.kind, len(activation.parameters), *form)


def column_kernel(formula: Callable[..., Any], parameters: int, dtype: str) -> int:
    """Return the address of the kernel for a formula with a parameter or two per column."""
    return _kernel(formula, "columnwise", parameters, dtype, None, (), False, itself)


@functools.cache
def _kernel(
    formula: Callable[..., Any],
    kind: str,
    parameters: int,
    dtype: str,
    fixed: tuple[float, ...] | None,
    exceptions: tuple[tuple[float, float], ...],
    streaming: bool,
    of_row: Callable[[Any], Any],
) -> int:
    """Load or compile a kernel. The book's are kept on disk; those of a user's own formulas are not."""
    ours = formula.__module__.startswith("refnet.")
    forms = {"fixed": fixed is not None, "corrected": exceptions, "streaming": streaming}
    name = "-".join([formula.__name__, dtype, *(form for form, holds in forms.items() if holds)])

    def recipe() -> tuple[Any, Any]:
        from refnet.engine.kernels import SIGNATURE, kernel

        return kernel(formula, kind, parameters, dtype, fixed, exceptions, streaming, of_row), SIGNATURE

    if ours:
        return native(name, recipe)
    try:
        return native(f"{name}-{next(_serial)}", recipe, keep=False)
    except Exception as error:  # numba's, in its many ways
        lines = (re.sub(r"\x1b\[\d+m", "", line).strip() for line in str(error).splitlines())
        reason = next((line for line in lines if line and not line.startswith("Failed in nopython")), "no reason given")
        raise ArgumentError(
            f"activation {formula.__name__!r}: its formula cannot be compiled ({reason}); accepted: arithmetic,"
            " comparisons and the words of refnet.elementary; beside an `if` not elu_shortcut, polynomial, seldom,"
            " shortcut and split"
        ) from error


@functools.cache
def kernel_door(address: int) -> Callable[..., None]:
    """Return a kernel as a function of six integers. It releases the GIL."""
    return six_words(address, (ctypes.c_int64,) * 6)


def six_words(address: int, kinds: tuple[Any, ...]) -> Callable[..., None]:
    """Return compiled code as a function of six ints or ndarrays that releases the GIL.

    The code gets the address of a list of one ndarray object for each of these.
    """
    if not usable():
        lists = [ctypes.c_void_p if kind is ctypes.py_object else kind for kind in kinds]
        code = ctypes.CFUNCTYPE(None, *lists)(address)
        return lambda *words: code(*map(_list_of_one, words))
    arrays = sum((kind is ctypes.py_object) << place for place, kind in enumerate(kinds))
    classes = {INT_CLASS: id(int), ARRAY_CLASS: id(np.ndarray), NONE: id(None)}
    return door("six_words", {CODE: address, ARRAYS: arrays, **classes})


def _list_of_one(word: Any) -> Any:
    return ctypes.byref(ctypes.py_object(word)) if isinstance(word, np.ndarray) else word


def door(name: str, words: Mapping[int, int], *kept: Any) -> Callable[..., Any]:
    """Return a function of `refnet.engine.doors` as a builtin.

    ``words`` are its record's, by their places in `refnet.engine.records`; ``kept`` is what must live as long.
    """
    record = np.zeros(LENGTH, dtype=np.int64)
    for place, word in words.items():
        record[place] = word
    return builtin(door_code(name), record, *kept)


@functools.cache
def door_code(name: str) -> int:
    """Return the address of a function of `refnet.engine.doors`."""

    def recipe() -> tuple[Any, Any]:
        from refnet.engine import doors

        return getattr(doors, name), doors.SIGNATURE

    return native(f"door-{name}", recipe)


def parameter_values(activation: Activation, dtype: Any) -> NDArray[np.float64]:
    """Return the activation's parameters as the kernel reads them: rounded to ``dtype``, in float64."""
    return np.array([*activation.parameters_in(dtype).values()], dtype=np.float64)
