"""How NumPy reads the book: what may go in, what rows are made of, and the one rounding at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnet.errors import DTypeError, ShapeError

__all__ = [
    "as_floating",
    "beyond_64_bits",
    "diagonals",
    "halved",
    "halves",
    "is_masked",
    "itself",
    "narrow",
    "row_shares",
    "row_terms",
]


def as_floating(x: ArrayLike, who: str) -> NDArray[Any]:
    """Return ``x`` as an array of native floating-point numbers of 64 bits at most.

    Integers and booleans become float32, long double becomes float64.

    Raises
    ------
    DTypeError, ShapeError
        If ``x`` is complex, text, an object array, or a ragged list.
    """
    given_array = isinstance(x, (np.ndarray, np.generic, memoryview)) or hasattr(x, "dtype") or hasattr(x, "typecode")
    if is_masked(x):
        raise DTypeError(f"{who}: input is a masked array, whose mask would be lost; accepted: x.filled(value)")
    try:
        array = np.asarray(x)
    except Exception as error:  # whatever an array-like's own conversion raises
        if isinstance(error, ValueError) and isinstance(x, (list, tuple)):
            raise ShapeError(f"{who}: input is ragged; accepted: rows of one length") from error
        raise DTypeError(f"{who}: input of type {type(x).__name__} is not accepted; accepted: real numbers") from error
    if array.dtype.kind in "iub" or (array.dtype == np.float64 and not given_array):
        with np.errstate(over="ignore"):  # an infinity is the right result
            return array.astype(np.float32)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return narrow(array, np.dtype(np.float64))
    if array.dtype.kind == "f" or array.dtype.name == "bfloat16":
        return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))
    if beyond_64_bits(array):
        raise DTypeError(
            f"{who}: input of an integer beyond 64 bits is not accepted; accepted: real numbers up to 64 bits"
        )
    found = f"type {type(x).__name__}" if array.dtype == object and not given_array else f"dtype {array.dtype}"
    raise DTypeError(f"{who}: input of {found} is not accepted; accepted: real numbers")


def is_masked(x: Any) -> bool:
    """Return whether x is a masked array; who has one has loaded numpy.ma, which takes longer than a first call."""
    return isinstance(x, getattr(sys.modules.get("numpy.ma"), "MaskedArray", ()))


def beyond_64_bits(array: NDArray[Any]) -> bool:
    """Return whether an array is one of objects because it has an integer that fits no dtype.

    Examples
    --------
    >>> beyond_64_bits(np.asarray([1, 2**64])), beyond_64_bits(np.asarray([1, None]))
    (True, False)
    """
    return array.dtype == object and any(isinstance(x, int) and not -(2**63) <= x < 2**64 for x in array.flat)


def narrow(y: NDArray[np.floating[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Round float64 ``y`` to ``dtype`` once.

    NumPy's conversion to bfloat16 passes through float32 and rounds there too; rounding to odd on the way makes
    the second rounding the only one that counts.
    """
    with np.errstate(over="ignore", under="ignore"):  # an infinity is the right result
        if dtype.name != "bfloat16":
            return y.astype(dtype)
        half = y.astype(np.float32)
    even = half.view(np.int32) & 1 == 0
    inexact = np.isfinite(half) & (half != y)
    outward = np.nextafter(half, np.where(y > half, np.inf, -np.inf).astype(np.float32))
    with np.errstate(over="ignore", under="ignore"):
        return np.where(even & inexact, outward, half).astype(dtype)


def halves(x: NDArray[Any], who: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the first and the second half of each row, as views.

    Raises
    ------
    ShapeError
        If the length of a row is odd.
    """
    half = halved(x.shape[-1], who)
    return x[..., :half], x[..., half:]


def halved(size: int, who: str) -> int:
    """Return half of an axis' size, or raise ShapeError."""
    if size % 2:
        raise ShapeError(f"{who}: an axis of size {size} cannot be halved; accepted: an even size")
    return size // 2


def diagonals(along_a: NDArray[Any], along_b: NDArray[Any]) -> NDArray[Any]:
    """Return matrices (..., m, 2 m) with one array (..., m) on the left half's diagonal, one on the right's.

    Examples
    --------
    >>> diagonals(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([[1., 0., 3., 0.],
           [0., 2., 0., 4.]])
    """
    on = np.eye(along_a.shape[-1], dtype=bool)
    return np.concatenate([np.where(on, each[..., None], 0.0) for each in (along_a, along_b)], axis=-1)


def itself(rest: Any) -> Any:
    """Return the rest of a row as the share that a rowwise formula takes."""
    return rest


def row_terms(x: NDArray[Any], of_row: Callable[[Any], Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return what rowwise formulas are written in: the row's highest entry, each entry's term, and the row's share.

    ``highest = max(x)``, ``term = exp(x - highest)``, and ``of_row(rest)``, where ``rest`` is the sum of the terms of
    all entries but one highest. The sum of all terms is ``1 + rest``; keeping the 1 apart is what keeps the logarithm
    accurate when one entry dominates. A term is 1 at every highest entry, and NaN there if that makes no sense:
    several entries of inf, or nothing but -inf.
    """
    if x.shape[-1] == 0:
        return x, x, x
    highest = x.max(axis=-1, keepdims=True)
    first = x.argmax(axis=-1, keepdims=True)
    with np.errstate(all="ignore"):
        gap = x - highest
        kept = gap - x
        low = (x - (gap - kept)) - (highest + kept)  # what rounding took from the gap, exactly (Knuth)
        term = np.exp(gap)
        term = term + np.where(np.isfinite(low), term * low, 0.0)
    top = x == highest
    senseless = np.isinf(highest) & ((highest < 0.0) | (top.sum(axis=-1, keepdims=True) > 1))
    term = np.where(top, np.where(senseless, np.nan, 1.0), np.where(np.isinf(x), 0.0, term))
    others = np.where(senseless, 0.0, term)
    np.put_along_axis(others, first, 0.0, axis=-1)
    rest = np.where(np.isnan(highest), np.nan, others.sum(axis=-1, keepdims=True))
    return highest, term, of_row(rest)


def row_shares(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return softmax of each row, and 1 minus it: what all other entries have, which keeps its digits next to 0."""
    _, term, rest = row_terms(x, itself)
    return term / (1.0 + rest), (rest + (1.0 - term)) / (1.0 + rest)
