"""One chunk of a sweep as plain data in, plain data out: what runs here, in a process of its own, or on a cluster."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.runners import activations as runners
from parity.sweep import checks, inputs, tally
from parity.sweep.judge import border, judge
from parity.sweep.model import Model
from parity.ulp import format_of, from_bits
from refnet import activations
from refnet.activations import Activation
from refnet.activations.activation import as_written

__all__ = ["Task", "activation_of", "chunks", "model_of", "run_chunk", "title", "versions_of"]


@dataclasses.dataclass(frozen=True)
class Task:
    """What a sweep of one function is; two equal tasks give equal tallies.

    Attributes
    ----------
    activation : str
        Its name in the book.
    parameters : tuple of (str, float)
        All its parameters.
    dtype, runner : str
        The format, and who computes.
    step : int
        1 for every input, else the length of a stratum of which one input is taken.
    size : int
        Bit patterns to a chunk.
    seed : int
        Where in the strata the inputs lie.
    low, high : float
        The range of right results.
    places : tuple of int
        Bit patterns that a sampled sweep takes in any case.
    """

    activation: str
    parameters: tuple[tuple[str, float], ...]
    dtype: str
    runner: str
    step: int
    size: int
    seed: int = 0
    low: float = float("-inf")
    high: float = float("inf")
    places: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """The function as the user would write it."""
        return title(self.activation, dict(self.parameters))


def title(name: str, parameters: Mapping[str, float]) -> str:
    """Return a function as the user would write it: parameters only where they are not the defaults.

    Examples
    --------
    >>> title("leaky_relu", {"negative_slope": 0.3}), title("gelu", {"approximate": True})
    ('leaky_relu(negative_slope=0.3)', 'gelu(approximate=True)')
    """
    defaults = activations.REGISTRY[name].parameters
    given = ", ".join(as_written(key, each) for key, each in parameters.items() if each != defaults.get(key))
    return f"{name}({given})" if given else name


def chunks(task: Task) -> list[tuple[int, int]]:
    """Return the chunks of a task."""
    return inputs.chunks(format_of(task.dtype), task.size)


def activation_of(task: Task) -> Activation:
    """Return the activation with the task's parameters."""
    return _activation(task.activation, task.parameters)


def model_of(task: Task) -> Model:
    """Return the truth for a task; made once in a process."""
    return _model(task.activation, task.parameters, task.dtype)


@functools.cache
def _activation(name: str, parameters: tuple[tuple[str, float], ...]) -> Activation:
    return activations.REGISTRY[name].with_parameters(**dict(parameters))


@functools.lru_cache(maxsize=8)
def _model(name: str, parameters: tuple[tuple[str, float], ...], dtype: str) -> Model:
    return Model(_activation(name, parameters), format_of(dtype))


@functools.cache
def _runner(name: str) -> runners.ActivationRunner:
    return runners.get(name)


def versions_of(task: Task) -> dict[str, str]:
    """Return the versions, in this process, of what a sweep's results depend on."""
    return dict(_runner(task.runner).versions)


def run_chunk(plain: dict[str, Any], start: int, stop: int) -> dict[str, Any]:
    """Run and judge the patterns from ``start`` up to ``stop``.

    Parameters
    ----------
    plain : dict
        A `Task` as `dataclasses.asdict` gives it.
    start, stop : int
        The chunk.

    Returns
    -------
    dict
        ``start``, the ``tally`` as plain values, the ``versions`` of what computed it, and the seconds that runner and
        judge took.
    """
    task = Task(**{key: _frozen(each) for key, each in plain.items()})
    model, runner, activation = model_of(task), _runner(task.runner), activation_of(task)
    bits = inputs.patterns(model.kind, start, stop, task.step, task.places, task.seed)
    began = time.perf_counter()
    got = runner(activation, from_bits(bits, task.dtype))
    ran = time.perf_counter()
    found = judge(model, bits, got, (task.low, task.high))
    if task.step == 1 and start > 0:
        pair = np.array([start - 1, start], np.uint64)
        found = tally.add(found, border(model, pair, runner(activation, from_bits(pair, task.dtype))))
    checks.audit(model, found, bits, seed=task.seed + start)
    judged = time.perf_counter()
    seconds = {"run_seconds": ran - began, "judge_seconds": judged - ran}
    return {"start": start, "tally": tally.write(found), "versions": versions_of(task), **seconds}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(each) for each in value) if isinstance(value, (list, tuple)) else value
