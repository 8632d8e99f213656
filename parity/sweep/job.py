"""One chunk of a sweep as plain data in, plain data out: what runs here, in a process of its own, or on a cluster."""

from __future__ import annotations

import functools
from typing import Any

from parity.runners import activations as runners
from parity.sweep import subject, tally
from parity.sweep.task import Task

__all__ = ["chunks", "run_chunk", "versions_of"]


def chunks(task: Task) -> list[tuple[int, int]]:
    """Return the chunks of a task."""
    return subject.of(task.activation).chunks(task)


@functools.cache
def _runner(name: str) -> runners.ActivationRunner:
    return runners.get(name)


def versions_of(task: Task) -> dict[str, str]:
    """Return the versions, in this process, of what a sweep's results depend on."""
    return dict(_runner(task.runner).versions)


def run_chunk(plain: dict[str, Any], start: int, stop: int) -> dict[str, Any]:
    """Run and judge a chunk of a sweep.

    Parameters
    ----------
    plain : dict
        A `Task` as `dataclasses.asdict` gives it.
    start, stop : int
        The chunk, one of those that the task's subject has.

    Returns
    -------
    dict
        ``start``, the ``tally`` as plain values, the ``versions`` of what computed it, and the seconds that runner and
        judge took.
    """
    task = Task(**{key: _frozen(each) for key, each in plain.items()})
    found, ran, judged = subject.of(task.activation).judged(task, _runner(task.runner), start, stop)
    seconds = {"run_seconds": ran, "judge_seconds": judged}
    return {"start": start, "tally": tally.write(found), "versions": versions_of(task), **seconds}


def _frozen(value: Any) -> Any:
    return tuple(_frozen(each) for each in value) if isinstance(value, (list, tuple)) else value
