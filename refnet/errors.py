"""What refnet raises: one family, each also the built-in class that a Keras user would catch."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ArgumentError",
    "DTypeError",
    "FileError",
    "NotBuiltError",
    "RefnetError",
    "ShapeError",
    "UnsupportedError",
    "did_you_mean",
    "missing",
]


class RefnetError(Exception):
    """The base of every error that refnet, parity and bench raise on purpose."""


class ArgumentError(RefnetError, ValueError):
    """An argument has a value that is not accepted."""


class ShapeError(RefnetError, ValueError):
    """An array or a weight list has the wrong rank, length or size."""


class DTypeError(RefnetError, TypeError):
    """An array, or an object given for one, has a type that is not accepted."""


class NotBuiltError(RefnetError, ValueError, AttributeError):
    """A layer or a model is asked for what it has only once its input shape is known."""


class UnsupportedError(RefnetError, ValueError):
    """Something of Keras that has no counterpart here."""


class FileError(RefnetError, OSError):
    """A file is missing, damaged, or not what its name says."""


def did_you_mean(found: str, accepted: Iterable[str]) -> str:
    """Return ``"; did you mean 'swish'?"`` for the nearest accepted name, or an empty string.

    Examples
    --------
    >>> did_you_mean("swihs", ["relu", "swish"])
    "; did you mean 'swish'?"
    """
    nearest = difflib.get_close_matches(found.lower(), list(accepted), n=1)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""


def missing(error: ModuleNotFoundError) -> str:
    """Return the sentence for a package that is not installed; raise the error again if the module is one of ours.

    Examples
    --------
    >>> missing(ModuleNotFoundError(name="rich.console"))
    'this needs rich, which is not installed; accepted: pip install rich'
    """
    package = (error.name or "").partition(".")[0]
    if package in ("", "bench", "parity", "refnet"):
        raise error
    return f"this needs {package}, which is not installed; accepted: pip install {package}"
