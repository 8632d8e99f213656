"""Keras inside ``tf.function(jit_compile=True)``: compiled by XLA."""

from __future__ import annotations

from typing import Any

from parity.runners.runner import Run, Runner
from parity.runners.tf_function import compiled

__all__ = ["RUNNER"]


def _prepare(model: Any) -> Run:
    return compiled(model, jit=True, name="xla")


RUNNER = Runner("xla", "Keras in XLA", "keras", _prepare, errors="xla")
