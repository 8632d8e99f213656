"""What every runner is: a name, and a way to make a model into a function of one batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from parity.runners import keras_setup
from refnet.errors import UnsupportedError

__all__ = ["Run", "Runner", "tensorflow_only"]

Run = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True)
class Runner:
    """One thing that can run a model.

    Attributes
    ----------
    name : str
        As chosen on the command line.
    title : str
        As reports show it.
    takes : {"keras", "refnet"}
        Whose models it runs.
    prepare : callable
        ``prepare(model)`` returns the function ``x -> y``; it may compile.
    errors : {"call", "predict"}
        Which column of the measured errors of Keras' activations holds for it.
    refuses : callable
        ``refuses(x)`` returns why it cannot take a batch, or an empty string.
    """

    name: str
    title: str
    takes: str
    prepare: Callable[[Any], Run]
    errors: str = "call"
    refuses: Callable[[NDArray[Any]], str] = lambda x: ""


def tensorflow_only(name: str) -> Any:
    """Return TensorFlow, if Keras runs on it.

    Raises
    ------
    UnsupportedError
        If Keras has another backend.
    """
    keras = keras_setup.load()
    if keras.backend.backend() != "tensorflow":
        raise UnsupportedError(
            f"runner {name!r} needs Keras on TensorFlow; this Keras runs on {keras.backend.backend()}"
        )
    import tensorflow

    return tensorflow
