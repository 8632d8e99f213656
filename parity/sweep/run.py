"""A sweep of one function from start to end: the task, the chunks still to do, the checkpoint, the result."""

from __future__ import annotations

import dataclasses
import datetime
import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from parity.sweep import checkpoint, job, pool, subject, tally
from parity.sweep.checkpoint import Progress
from parity.sweep.task import Task
from parity.ulp import CLASSES
from refnet.activations import Activation
from refnet.commit import commit
from refnet.engine.machine import processor
from refnet.errors import ArgumentError

__all__ = ["SAMPLES", "Result", "Where", "sweep", "task_for"]

#: Inputs of a sampled sweep, as a power of two.
SAMPLES = 22


@dataclasses.dataclass(frozen=True)
class Where:
    """Where the chunks run and what is kept.

    Attributes
    ----------
    jobs : int
        Processes on this machine.
    scheduler : str or None
        Address of a Dask scheduler instead.
    folder : Path or None
        Where checkpoints go; none are written without it.
    resume : bool
        Whether to go on from a checkpoint.
    """

    jobs: int = 1
    scheduler: str | None = None
    folder: Path | None = None
    resume: bool = False


@dataclasses.dataclass(frozen=True)
class Result:
    """The outcome of one sweep."""

    task: Task
    tally: tally.Tally
    seconds: float
    run_seconds: float
    judge_seconds: float
    versions: dict[str, str]
    commit: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return the result as JSON values, with the machine and the day; numbers as bit patterns and in decimals."""
        worst, counted, kind = self.tally.worst, tally.write(self.tally), subject.of(self.task.activation)
        for name, each in zip(CLASSES, self.tally.classes, strict=True):
            if each.worst:
                counted["classes"][name] |= kind.worst(self.task, each.worst)
        return {
            "activation": self.task.activation,
            "parameters": dict(self.task.parameters),
            "dtype": self.task.dtype,
            "runner": self.task.runner,
            "exhaustive": self.task.step == 1,
            **kind.sample(self.task),
            "inputs": self.tally.count,
            "misrounded": self.tally.misrounded_count,
            "max_ulp": None if worst is None else ("inf" if math.isinf(worst.error) else worst.error),
            "range": [repr(self.task.low), repr(self.task.high)],
            **counted,
            "seconds": round(self.seconds, 3),
            "run_seconds": round(self.run_seconds, 3),
            "judge_seconds": round(self.judge_seconds, 3),
            "versions": self.versions,
            "commit": self.commit,
            "cpu": processor()[0],
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        }


def task_for(
    activation: Activation,
    dtype: str,
    runner: str,
    exhaustive: bool = False,
    seed: int = 0,
    samples: int = SAMPLES,
    size: int | None = None,
) -> Task:
    """Return the task of sweeping one activation.

    Parameters
    ----------
    activation : Activation
        Parameters that have no value are set to 0.5.
    dtype, runner : str
        The format, and who computes.
    exhaustive : bool
        Every input; float16 and bfloat16 are always swept so, where an input is one number.
    seed : int
        For the samples and the rows.
    samples, size : int
        Sampled inputs, or entries of all rows, as a power of two, and the length of a chunk.

    Raises
    ------
    ArgumentError
        If what works on rows, or float64, is to be swept exhaustively.
    """
    return subject.of(activation.name).task(activation, dtype, runner, exhaustive, seed, samples, size)


def sweep(task: Task, where: Where | None = None, tell: Callable[[Progress, int], None] | None = None) -> Result:
    """Sweep one function.

    Parameters
    ----------
    task : Task
        See `task_for`.
    where : Where, optional
        Where the chunks run and what is kept; in this process, and nothing, by default.
    tell : callable, optional
        Called with the progress and the number of chunks, first and after each chunk.

    Raises
    ------
    ArgumentError, UnsupportedError
        If the runner does not exist, is not installed, or lacks the activation.
    FileError
        If a checkpoint is damaged, in the way, or cannot be written.
    WorkerError
        If a process or the cluster fails; the checkpoint has what was done.
    """
    where = where or Where()
    versions = job.versions_of(task)
    # Now, as the checkout may change while this runs; a cluster's workers have checkouts of their own.
    measured = None if where.scheduler else commit()
    path = checkpoint.path_of(where.folder, task) if where.folder else None
    progress = _begin(path, task, versions, where.resume)
    everything = job.chunks(task)
    missing = [each for each in everything if each[0] not in progress.done]
    began = time.monotonic()
    if tell:
        tell(progress, len(everything))
    for result in _results(task, missing, where):
        progress = progress.with_chunk(result)
        if path:
            checkpoint.save(path, task, progress)
        if tell:
            tell(progress, len(everything))
    elapsed = time.monotonic() - began
    return Result(task, progress.tally, elapsed, progress.run_seconds, progress.judge_seconds, versions, measured)


def _begin(path: Path | None, task: Task, versions: dict[str, str], resume: bool) -> Progress:
    if path is None:
        return Progress(versions=versions)
    if not resume and path.exists():
        done = checkpoint.load(path, task, versions).done
        raise ArgumentError(
            f"checkpoint {str(path)!r} has {len(done)} of {len(job.chunks(task))} chunks of {task.title}; "
            "go on with --resume, or delete it to begin again"
        )
    return checkpoint.load(path, task, versions)


def _results(task: Task, missing: Iterable[tuple[int, int]], where: Where) -> Iterator[dict[str, Any]]:
    chunks = list(missing)
    if where.scheduler:
        return pool.on_cluster(task, chunks, where.scheduler)
    if where.jobs > 1 and len(chunks) > 1:
        return pool.processes(task, chunks, where.jobs)
    return pool.here(task, chunks)
