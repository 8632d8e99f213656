"""How wrong Keras' activations are, in ulps: the table ``keras_errors.json``, made by `parity.measure_keras`.

A sample is a lower bound of the largest error. `budget` therefore allows half as much again and half an ulp.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np

from refnet.activations import Activation

__all__ = ["FILE", "budget", "key", "table"]

FILE = Path(__file__).with_suffix(".json")


@functools.cache
def table() -> dict[str, Any]:
    """Return the measured table: ``{"versions": ..., "ulps": {path: {dtype: {name: ulps}}}}``."""
    loaded: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return loaded


def budget(activation: Activation, dtype: np.dtype[Any], path: str) -> float:
    """Return what Keras' activation may be off by, in ulps, known differences apart.

    An activation that has not been measured gets the largest budget of all; each parameter other than the default one
    gets one ulp more, for the multiplication or subtraction. What predict runs, compiled code or the operations one by
    one, depends on the shapes, so it gets the largest budget of all ways.

    Examples
    --------
    >>> from refnet import activations
    >>> budget(activations.relu, np.dtype("float32"), "call")
    0.0
    """
    ways = table()["ulps"]
    measured = [ways[way][dtype.name] for way in (ways if path == "predict" else (path,))]
    name = key(activation)
    if not all(name in errors for errors in measured):
        return 1.5 * float(max(max(errors.values()) for errors in measured)) + 0.5
    largest = max(errors[name] for errors in measured)
    allowed = 1.5 * largest + 0.5 if largest > 0 else 0.0
    changed = sum(value != activation.defaults.get(parameter) for parameter, value in activation.parameters.items())
    return float(allowed + changed)


def key(activation: Activation) -> str:
    """Return the name that an activation has in the table: gelu has two forms."""
    return f"{activation.name}(approximate)" if activation.parameters.get("approximate") else activation.name
