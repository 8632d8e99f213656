"""What the tests of the sweep share."""

from __future__ import annotations

from pathlib import Path

from parity.sweep.run import task_for
from refnet import activations

ROOT = Path(__file__).resolve().parents[3]
PLANTED = "tests.parity.sweep.planted"
ROWS = [name for name in activations.names() if activations.REGISTRY[name].kind != "elementwise"]
ELEMENTWISE = [name for name in activations.names() if activations.REGISTRY[name].kind == "elementwise"]


def complete(name):
    """Return the activation with 0.5 for parameters that have no default."""
    entry = activations.REGISTRY[name]
    return entry.with_parameters(**dict.fromkeys(entry.required, 0.5)) if entry.required else entry


def half_task(runner="off_by_one", size=4096):
    """Return the task of relu6 over all of float16 in chunks of 4096."""
    return task_for(activations.REGISTRY["relu6"], "float16", f"{PLANTED}:{runner}", size=size)


def row_task(runner="step_in_rows", name="softmax", dtype="float32", size=None):
    """Return the task of sweeping some 130,000 entries of rows."""
    return task_for(activations.REGISTRY[name], dtype, f"{PLANTED}:{runner}", samples=10, size=size)
