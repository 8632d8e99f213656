"""Checking what a layer or a model is given: one sentence for what cannot be used, one array for what can."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from refnet.activations.reading import beyond_64_bits, is_masked
from refnet.errors import DTypeError, ShapeError

__all__ = [
    "Shape",
    "as_input",
    "as_plain",
    "as_real_array",
    "check_input",
    "check_shape",
    "converted",
    "is_plain",
]

#: A shape with the batch axis first; None stands for any size.
Shape = tuple[int | None, ...]

_ACCEPTED = "accepted: an array of real numbers"


def as_real_array(x: ArrayLike, who: str, what: str = "input") -> NDArray[Any]:
    """Return ``x`` as an array of real numbers, without copying what is one already.

    Lists and tuples are taken where they are rectangular, and whatever else NumPy can read as numbers.

    Parameters
    ----------
    x : array_like
        Real numbers of any shape: floating, integer or boolean, in any layout and byte order.
    who : str
        Who asks, for the message: ``"Sequential 'my_model'"``.
    what : str
        What it is to be, for the message.

    Returns
    -------
    ndarray
        The same numbers in the same dtype.

    Raises
    ------
    ShapeError
        If ``x`` is ragged.
    DTypeError
        If ``x`` is complex, text, dates, objects, a masked array, or nothing that NumPy can read.
    """
    if is_masked(x):
        raise DTypeError(f"{who}: {what} is a masked array; {_ACCEPTED} without a mask (see numpy.ma.filled)")
    if isinstance(x, (str, bytes)):
        raise DTypeError(f"{who}: {what} is text ({type(x).__name__}); {_ACCEPTED}")
    try:
        array = np.asarray(x)
    except ValueError as error:
        if isinstance(x, (list, tuple)):
            raise ShapeError(
                f"{who}: {what} is ragged (its rows differ in length); accepted: a rectangular array"
            ) from error
        raise DTypeError(f"{who}: {what} of type {type(x).__name__} cannot be read as numbers; {_ACCEPTED}") from error
    except Exception as error:  # whatever an array-like's own conversion raises
        raise DTypeError(f"{who}: {what} of type {type(x).__name__} cannot be read as numbers; {_ACCEPTED}") from error
    if array.dtype.kind in "fiub" or array.dtype.name == "bfloat16":
        return array
    raise DTypeError(f"{who}: {what} of {_kind(x, array)} is not accepted; {_ACCEPTED}")


def _kind(x: Any, array: NDArray[Any]) -> str:
    """Say in a word or two what was found."""
    if array.dtype.kind == "c":
        return f"complex numbers ({array.dtype})"
    if array.dtype.kind in "USTa":
        return f"text ({array.dtype})"
    if beyond_64_bits(array):
        return "an integer beyond 64 bits"
    if array.dtype.kind == "O":
        return "Python objects" if isinstance(x, (np.ndarray, list, tuple)) else f"type {type(x).__name__}"
    return f"dtype {array.dtype}"


def check_shape(found: tuple[int, ...], accepted: Shape, who: str, *, any_rank: bool = False) -> None:
    """Raise ShapeError unless ``found`` fits ``accepted``. The size of the batch is free, as in Keras.

    Parameters
    ----------
    found : tuple of int
        The shape of an input.
    accepted : tuple of int or None
        The shape that is asked for, batch first; None fits any size.
    who : str
        Who asks, for the message.
    any_rank : bool
        Whether only the last axis counts, and any number of axes from two up will do.
    """
    if len(found) == 1 and len(accepted) > 1:
        raise ShapeError(
            f"{who}: input has one axis, of size {found[0]}; accepted: {_shape_text(accepted, any_rank)}"
            f" (for one row, x[np.newaxis, :])"
        )
    fits_rank = len(found) >= 2 if any_rank else len(found) == len(accepted)
    if not fits_rank:
        raise ShapeError(
            f"{who}: input has {len(found)} axes, shape {found}; accepted: {_shape_text(accepted, any_rank)}"
        )
    pairs = [(found[-1], accepted[-1])] if any_rank else zip(found[1:], accepted[1:], strict=True)
    if any(size is not None and here != size for here, size in pairs):
        raise ShapeError(f"{who}: input has shape {found}; accepted: {_shape_text(accepted, any_rank)}")


def _shape_text(shape: Shape, any_rank: bool = False) -> str:
    sizes = ["any" if size is None else str(size) for size in shape[1:]]
    return f"shape (rows, {'..., ' if any_rank else ''}{', '.join(sizes)})" if sizes else "shape (rows,)"


def check_input(
    x: ArrayLike, in_shape: Shape | None, dtype: np.dtype[Any], who: str, *, any_rank: bool = False
) -> NDArray[Any]:
    """Return ``x`` checked, as an array of real numbers; nothing is converted yet (see `as_input`)."""
    array = as_real_array(x, who) if type(x) is not np.ndarray or x.dtype != dtype else x
    if in_shape is not None:
        check_shape(array.shape, in_shape, who, any_rank=any_rank)
    return array


def is_plain(array: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Tell whether compiled code can read an array as it is: C-contiguous, in ``dtype`` and native byte order."""
    return array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned


def converted(values: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
    """Return numbers in a dtype; those beyond it are infinities, as everywhere in IEEE arithmetic: no warning of it."""
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=dtype)


def as_plain(array: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array of real numbers in the form of `is_plain`: itself where it has that already."""
    if is_plain(array, dtype):
        return array  # what a program in a loop passes: nothing to convert
    # Numbers beyond float32's range become infinities, as everywhere in IEEE arithmetic; NumPy need not warn of it.
    with np.errstate(over="ignore"):
        return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def as_input(
    x: ArrayLike, in_shape: Shape | None, dtype: DTypeLike, who: str, *, any_rank: bool = False
) -> NDArray[Any]:
    """Return ``x`` checked, as a C-contiguous array of native byte order in ``dtype``. ``x`` is never modified.

    Parameters
    ----------
    x : array_like
        Real numbers: float64, float16, integers and booleans are converted to ``dtype`` with one rounding; lists
        are taken where they are rectangular; any layout and byte order will do.
    in_shape : tuple of int or None, or None
        What is accepted, batch first: ``(None, 5)``. None accepts every shape.
    dtype : dtype
        float32 or float64.
    who : str
        Who asks, for the message: ``"Sequential 'my_model'"``.
    any_rank : bool
        Whether any number of axes from two up will do, as for a Dense on its own.

    Returns
    -------
    ndarray
        ``x`` itself where it is in that form already, otherwise a copy.

    Raises
    ------
    DTypeError, ShapeError
        One sentence with who, what was found, and what is accepted.

    Examples
    --------
    >>> as_input([[1, 2], [3, 4]], (None, 2), "float32", "Dense 'dense'")
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    >>> as_input([1, 2], (None, 2), "float32", "Dense 'dense'")
    Traceback (most recent call last):
        ...
    refnet.errors.ShapeError: Dense 'dense': input has one axis, of size 2; accepted: shape (rows, 2) (for one row, \
x[np.newaxis, :])
    """
    wanted = np.dtype(dtype)
    return as_plain(check_input(x, in_shape, wanted, who, any_rank=any_rank), wanted)
