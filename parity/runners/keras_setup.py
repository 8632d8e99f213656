"""Keras, loaded without noise: the one place that decides how it is imported."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

from refnet.errors import UnsupportedError

__all__ = ["load", "quiet"]

EXTRA = "pip install 'refnet[keras]'"


@functools.cache
def load() -> Any:
    """Return the module ``keras``, on TensorFlow unless ``KERAS_BACKEND`` says otherwise.

    Raises
    ------
    UnsupportedError
        If Keras 3 or its backend is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if importlib.util.find_spec("keras") is None:
        raise UnsupportedError(f"Keras is not installed; parity needs it: {EXTRA}")
    try:
        with _stderr_held_back(), quiet():
            import keras
    except ImportError as error:
        backend = os.environ["KERAS_BACKEND"]
        raise UnsupportedError(
            f"Keras is installed, but its backend {backend!r} cannot be imported ({error}); "
            f"install what it asks for{': ' + EXTRA if backend == 'tensorflow' else ''}"
        ) from error
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.get_logger().setLevel("ERROR")  # retracing warnings: a check traces many small models
    return keras


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Keras' warnings (softmax over one unit, ``input_shape=``) from users who did not ask Keras anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Hold file descriptor 2 back; show what was written only if an error comes out, which Ctrl-C is not.

    TensorFlow's C++ side writes to it before any log level is read, past sys.stderr.
    """
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, AttributeError):
        yield  # no stderr to hold back
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
