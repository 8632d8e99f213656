"""Running compiled code from Python: the doors to the walk and to the activation kernels."""

from __future__ import annotations

import ctypes
import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.activations.activation import Activation
from refnet.engine.objects import native

__all__ = ["activation_kernel", "columns_code", "kernel_door", "parameter_values", "walk_code", "walk_door"]

_serial = itertools.count()  # tells apart users' formulas of the same name
_door = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6)
_walk_door = ctypes.CFUNCTYPE(
    None, ctypes.c_int64, ctypes.py_object, ctypes.py_object, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64
)


@functools.cache
def walk_door(dtype: str) -> Callable[..., None]:
    """Return the compiled walk for a dtype: ``walk(table, x, y, first row, last row, scratch)``.

    x and y are C-contiguous ndarrays; the others are addresses and row numbers. It releases the GIL.
    """
    return _walk_door(walk_code(dtype))


@functools.cache
def walk_code(dtype: str) -> int:
    """Return the address of the compiled walk for a dtype."""

    def recipe() -> tuple[Any, Any]:
        from refnet.engine.walk import SIGNATURE, walk

        return walk(dtype), SIGNATURE

    return native(f"walk-{dtype}", recipe)


@functools.cache
def columns_code(dtype: str) -> int:
    """Return the address of the compiled walk over columns for a dtype (see `refnet.engine.walk.walk_columns`)."""

    def recipe() -> tuple[Any, Any]:
        from refnet.engine.walk import SIGNATURE, walk_columns

        return walk_columns(dtype), SIGNATURE

    return native(f"columns-{dtype}", recipe)


def activation_kernel(activation: Activation, dtype: str) -> int:
    """Return the address of an activation's kernel (see `refnet.engine.kernels`)."""
    exceptions = tuple(activation.exceptions.items()) if dtype == "float32" else ()
    return _kernel(activation.formula, activation.kind, len(activation.parameters), dtype, exceptions)


@functools.cache
def _kernel(
    formula: Callable[..., Any], kind: str, parameters: int, dtype: str, exceptions: tuple[tuple[float, float], ...]
) -> int:
    """Load or compile a kernel. The book's are kept on disk; those of a user's own formulas are not."""
    ours = formula.__module__.startswith("refnet.activations.")
    name = f"{formula.__name__}-{dtype}{'-corrected' if exceptions else ''}"

    def recipe() -> tuple[Any, Any]:
        from refnet.engine.kernels import SIGNATURE, kernel

        return kernel(formula, kind, parameters, dtype, exceptions), SIGNATURE

    return native(name if ours else f"{name}-{next(_serial)}", recipe, keep=ours)


@functools.cache
def kernel_door(address: int) -> Callable[..., None]:
    """Return a kernel as a function of six integers. It releases the GIL."""
    return _door(address)


def parameter_values(activation: Activation, dtype: Any) -> NDArray[np.float64]:
    """Return the activation's parameters as the kernel reads them: rounded to ``dtype``, in float64."""
    return np.array([*activation.parameters_in(dtype).values()], dtype=np.float64)
