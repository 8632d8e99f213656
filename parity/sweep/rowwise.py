"""Sweeps of activations of a row: families of rows made from a seed (see `parity.sweep.subject`)."""

from __future__ import annotations

import time
from typing import Any

from parity.runners.activations import ActivationRunner
from parity.sweep import row_judge, row_truth, rows, tally
from parity.sweep.tally import Finding, Tally
from parity.sweep.task import Task, activation_of
from parity.ulp import format_of, number
from refnet.activations import Activation
from refnet.errors import ArgumentError

__all__ = ["EXHAUSTIBLE", "chunks", "judged", "place", "promise", "require", "said", "sample", "task", "worst"]

#: There is no end of rows.
EXHAUSTIBLE = False
#: Blocks of rows in a chunk.
_CHUNK = 16


def require(activation: Activation, dtype: str, exhaustive: bool) -> None:
    """Raise an ArgumentError if rows are to be exhausted, or nobody has said what the true ones are."""
    if exhaustive:
        raise ArgumentError(
            f"activation {activation.name!r} works on rows, and there is no end of them; sweep it without --exhaustive"
        )
    if activation.name not in row_truth.RANGES:
        raise ArgumentError(
            f"activation {activation.name!r} works on rows and has no true values in parity.sweep.row_truth;"
            f" accepted: {', '.join(row_truth.RANGES)}, and all elementwise ones"
        )


def task(
    activation: Activation, dtype: str, runner: str, exhaustive: bool, seed: int, samples: int, size: int | None
) -> Task:
    """Return the task."""
    require(activation, dtype, exhaustive)
    low, high = row_truth.RANGES[activation.name]
    return Task(activation.name, (), dtype, runner, 0, size or _CHUNK, seed, low, high, samples=samples)


def chunks(task: Task) -> list[tuple[int, int]]:
    """Return ranges of blocks of rows."""
    count = len(rows.blocks(activation_of(task), task.samples))
    return [(start, min(start + task.size, count)) for start in range(0, count, task.size)]


def judged(task: Task, runner: ActivationRunner, start: int, stop: int) -> tuple[Tally, float, float]:
    """Return the tally of the blocks from ``start`` up to ``stop``, and the seconds of runner and judge."""
    activation, kind = activation_of(task), format_of(task.dtype)
    total, ran, began = Tally(), 0.0, time.perf_counter()
    done = []
    for block, each in enumerate(rows.blocks(activation, task.samples)[start:stop], start=start):
        x = rows.make(activation, kind, each, task.seed)
        given = x.copy()  # the runner's own, whatever it does to it, and without gaps for one in C
        before = time.perf_counter()
        got = runner(activation, given)
        ran += time.perf_counter() - before
        total = tally.add(total, row_judge.judge(activation, kind, block, x, got))
        done.append((x, got))
    row_judge.audit(activation, kind, start, done, total, task.seed)
    return total, ran, time.perf_counter() - began - ran


def said(where: dict[str, Any]) -> str:
    """Return a place in the rows in words.

    Examples
    --------
    >>> said({"family": "normal 10", "length": 1000, "row": 3, "entry": 17})
    'normal 10, length 1,000, row 3, entry 17'
    """
    return f"{where['family']}, length {where['length']:,}, row {where['row']:,}, entry {where['entry']:,}"


def place(task: Task, bits: int) -> tuple[str, str]:
    """Return which entry of which row a result is, in words; its bits would say nothing."""
    return said(rows.where(activation_of(task), task.samples, bits)), ""


def worst(task: Task, finding: Finding) -> dict[str, Any]:
    """Return the row and the entry, so that `parity.sweep.rows.row` makes it again, and both results in decimals."""
    where = rows.where(activation_of(task), task.samples, finding.bits)
    return {"worst_row": where, "worst_decimal": [number(bits, task.dtype) for bits in (finding.got, finding.right)]}


def sample(task: Task) -> dict[str, Any]:
    """Return how many entries the rows have, as far as they were asked for, and the seed."""
    return {"samples": 1 << task.samples, "seed": task.seed}


def promise(dtype: str) -> float | None:
    """Return 1 ulp, in all formats."""
    return 1.0
