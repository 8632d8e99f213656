"""Sweeps of activations of one number: bit patterns, all or one of each stratum (see `parity.sweep.subject`)."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from parity.runners.activations import ActivationRunner
from parity.sweep import checks, inputs, tally
from parity.sweep.judge import border, judge
from parity.sweep.model import Model
from parity.sweep.tally import Finding, Tally
from parity.sweep.task import Task, activation_of, activation_with
from parity.ulp import format_of, from_bits, number
from refnet.activations import Activation
from refnet.errors import ArgumentError

__all__ = [
    "EXHAUSTIBLE",
    "chunks",
    "judged",
    "known_places",
    "model_of",
    "place",
    "promise",
    "require",
    "sample",
    "task",
    "worst",
]

#: A format has an end of numbers.
EXHAUSTIBLE = True
#: Bit patterns in a chunk of an exhaustive float32 sweep, as a power of two: 64 MB of inputs.
_CHUNK = 24
#: What a parameter without a default in Keras' signature is set to, unless it is given.
_STAND_IN = 0.5


def require(activation: Activation, dtype: str, exhaustive: bool) -> None:
    """Raise an ArgumentError if float64 is to be swept exhaustively."""
    if exhaustive and format_of(dtype).bits > 32:
        raise ArgumentError("float64 has 2**64 inputs; --exhaustive takes float32, float16 and bfloat16")


def task(
    activation: Activation, dtype: str, runner: str, exhaustive: bool, seed: int, samples: int, size: int | None
) -> Task:
    """Return the task; parameters that have no value are set to 0.5."""
    require(activation, dtype, exhaustive)
    kind = format_of(dtype)
    missing = {key: _STAND_IN for key, each in activation.parameters.items() if math.isnan(each)}
    activation = activation.with_parameters(**missing) if missing else activation
    step = 1 if exhaustive or kind.bits == 16 else 1 << (kind.bits - samples)
    length = size or (1 << min(kind.bits, _CHUNK)) if step == 1 else size or 1 << (kind.bits - 4)
    places = () if step == 1 else tuple(inputs.neighbourhoods(activation, kind, known_places(activation.name, dtype)))
    made = Task(activation.name, tuple(activation.parameters.items()), dtype, runner, step, length, seed, places=places)
    low, high = checks.extent(model_of(made))
    return dataclasses.replace(made, low=low, high=high)


def known_places(name: str, dtype: str, file: Path | None = None) -> list[int]:
    """Return the worst inputs that the committed results list for an activation, whoever it was that failed there."""
    file = file or Path(__file__).resolve().parents[2] / "results" / "accuracy.json"
    try:
        results = json.loads(file.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError):
        return []
    places = []
    for each in results:
        if each["activation"] == name and each["dtype"] == dtype:
            found = [part["worst"] for part in each["classes"].values() if part["worst"]]
            found += each["misrounded_inputs"][:16]
            places += [int(finding[0], 16) for finding in found]
    return sorted(set(places))


def chunks(task: Task) -> list[tuple[int, int]]:
    """Return ranges of bit patterns."""
    return inputs.chunks(format_of(task.dtype), task.size)


def model_of(task: Task) -> Model:
    """Return the truth for a task; made once in a process."""
    return _model(task.activation, task.parameters, task.dtype)


@functools.lru_cache(maxsize=8)
def _model(name: str, parameters: tuple[tuple[str, float], ...], dtype: str) -> Model:
    return Model(activation_with(name, parameters), format_of(dtype))


def judged(task: Task, runner: ActivationRunner, start: int, stop: int) -> tuple[Tally, float, float]:
    """Return the tally of the patterns from ``start`` up to ``stop``, and the seconds of runner and judge."""
    model, activation = model_of(task), activation_of(task)
    bits = inputs.patterns(start, stop, task.step, task.places, task.seed)
    began = time.perf_counter()
    got = runner(activation, from_bits(bits, task.dtype))
    ran = time.perf_counter()
    found = judge(model, bits, got, (task.low, task.high))
    if task.step == 1 and start > 0:
        pair = np.array([start - 1, start], np.uint64)
        found = tally.add(found, border(model, pair, runner(activation, from_bits(pair, task.dtype))))
    checks.audit(model, found, bits, seed=task.seed + start)
    return found, ran - began, time.perf_counter() - ran


def place(task: Task, bits: int) -> tuple[str, str]:
    """Return an input as a number, and its pattern."""
    return number(bits, task.dtype), f"{bits:#x}"


def worst(task: Task, finding: Finding) -> dict[str, Any]:
    """Return the input, the result and the right result in decimals."""
    return {"worst_decimal": [number(bits, task.dtype) for bits in (finding.bits, finding.got, finding.right)]}


def sample(task: Task) -> dict[str, Any]:
    """Return the number of samples and their seed; nothing if all inputs are swept."""
    if task.step == 1:
        return {}
    return {"samples": (1 << format_of(task.dtype).bits) // task.step, "seed": task.seed}


def promise(dtype: str) -> float | None:
    """Return 1 ulp for float64; the other formats are promised correct rounding."""
    return 1.0 if dtype == "float64" else None
