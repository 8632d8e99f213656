"""What a check is run on: seeded random batches, special values, or a file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.errors import ArgumentError, DTypeError, FileError, ShapeError, did_you_mean

__all__ = ["KINDS", "fit", "from_file", "make"]

#: The batches that can be asked for by name.
KINDS = ("normal", "uniform", "special", "nonfinite")


def make(kind: str, shape: tuple[int, ...], *, seed: int = 0, dtype: Any = "float32") -> NDArray[Any]:
    """Return a batch of inputs; the same for the same arguments on every machine.

    Parameters
    ----------
    kind : {"normal", "uniform", "special", "nonfinite"}
        ``normal``: mean 0, deviation 1. ``uniform``: between -1 and 1. ``special``: numbers that engines get
        wrong (zeros of both signs, subnormals, the smallest normal ones, neighbours of 1, large and huge numbers)
        among normal ones. ``nonfinite``: the same with infinities and NaN.
    shape : tuple of int
        (rows, features, ...).
    seed : int
        For `numpy.random.default_rng`.
    dtype : dtype
        float32 or float64.

    Raises
    ------
    ArgumentError
        If the kind is unknown or the seed is negative.

    Examples
    --------
    >>> make("uniform", (2, 3)).shape
    (2, 3)
    """
    if kind not in KINDS:
        raise ArgumentError(f"input {kind!r} unknown; accepted: {', '.join(KINDS)}{did_you_mean(kind, KINDS)}")
    if seed < 0:
        raise ArgumentError(f"seed {seed} is negative; accepted: 0 and up")
    rng = np.random.default_rng(seed)
    if kind == "uniform":
        return np.asarray(rng.uniform(-1.0, 1.0, shape), dtype)
    x: NDArray[Any] = rng.standard_normal(shape).astype(dtype)
    if kind != "normal":
        chosen = rng.random(shape) < 0.5
        x = np.where(chosen, rng.choice(_special_values(dtype, kind == "nonfinite"), shape), x)
    return x


def _special_values(dtype: Any, nonfinite: bool) -> NDArray[Any]:
    info = np.finfo(dtype)
    one = info.dtype.type(1)
    sizes = [
        0.0,
        info.smallest_subnormal,
        info.tiny / 3,
        info.tiny,
        info.eps,
        np.nextafter(one, one * 0),
        one,
        np.nextafter(one, one * 2),
        17.0,
        88.7,
        1e3,
        np.sqrt(info.max) / 4,
    ]
    values = np.array([*sizes, *(-size for size in sizes)], dtype)
    special = np.array([np.inf, -np.inf, np.nan], dtype)
    return np.append(values, special) if nonfinite else values


def from_file(path: str | Path) -> NDArray[Any]:
    """Return the batch in a ``.npy`` file, or the only array of a ``.npz`` file.

    Raises
    ------
    FileError
        If the file is missing, damaged, of another kind, or holds several arrays.
    DTypeError
        If it does not hold real numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(f"input file {str(path)!r} does not exist; accepted: a .npy or .npz file")
    if path.suffix not in (".npy", ".npz"):
        raise FileError(f"input file {str(path)!r} ends in {path.suffix!r}; accepted: a .npy or .npz file")
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.ndarray):
            with loaded:
                names = list(loaded)
                if len(names) != 1:
                    raise FileError(f"input file {str(path)!r} holds {len(names)} arrays; accepted: exactly one")
                loaded = loaded[names[0]]
    except FileError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise FileError(f"input file {str(path)!r} is damaged or holds Python objects; accepted: numbers") from error
    if loaded.dtype.kind not in "fiub":
        raise DTypeError(f"input file {str(path)!r} holds dtype {loaded.dtype}; accepted: real numbers")
    return np.asarray(loaded)


def fit(x: Any, shape: tuple[int | None, ...], dtype: Any, who: str) -> NDArray[Any]:
    """Return ``x`` as a native contiguous array of the model's dtype, if its shape fits the model's input.

    Parameters
    ----------
    x : array_like
        Real numbers.
    shape : tuple
        The model's input shape with its batch axis; ``None`` takes any size.
    dtype : dtype
        What the model computes in; converted once here, so that both sides see the same bits.
    who : str
        The model, for the message.

    Raises
    ------
    ShapeError, DTypeError
        If it does not fit.
    """
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ShapeError(
            f"{who}: input is ragged (rows of different lengths); accepted: a rectangular array"
        ) from error
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"{who}: input of dtype {array.dtype} is not accepted; accepted: real numbers")
    fits = array.ndim == len(shape) and all(
        size is None or size == found for size, found in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise ShapeError(f"{who}: input of shape {array.shape} does not fit; accepted: {_readable(shape)}")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=dtype)


def _readable(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any number of rows" if size is None else str(size) for size in shape) + ")"
