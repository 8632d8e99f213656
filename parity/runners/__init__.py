"""Things that can run a model, one module each. Keras and TensorFlow are imported here only."""

from __future__ import annotations

import importlib

from parity.runners.runner import Runner
from refnet.errors import ArgumentError, did_you_mean

__all__ = ["NAMES", "Runner", "get"]

#: Runners by the names that a user types, and the modules they live in.
NAMES = {
    "call": "keras_call",
    "predict": "keras_predict",
    "predict_on_batch": "keras_predict_on_batch",
    "tf-function": "tf_function",
    "xla": "xla",
    "numpy": "numpy",
    "refnet": "refnet",
}


def get(name: str) -> Runner:
    """Return the runner called ``name``.

    Raises
    ------
    ArgumentError
        If there is none.

    Examples
    --------
    >>> get("numpy").title
    'NumPy'
    """
    if name not in NAMES:
        raise ArgumentError(f"runner {name!r} unknown; accepted: {', '.join(NAMES)}{did_you_mean(name, NAMES)}")
    runner = importlib.import_module(f"parity.runners.{NAMES[name]}").RUNNER
    assert isinstance(runner, Runner)
    return runner
