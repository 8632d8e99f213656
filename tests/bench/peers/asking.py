"""Ask a peer, in a process of its own, for every case and every activation, and judge what it answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from bench import activations, forward
from bench.cases import CASES, Cell
from bench.jobs import Job, LacksError
from bench.peers import PEERS, installed
from bench.process import Worker
from bench.tolerance import truth


@contextmanager
def working(name: str) -> Iterator[Worker]:
    """Give the peer's worker; BENCH_PYTHON may name an interpreter that has what this one lacks."""
    peer = PEERS[name]
    python = installed(peer, os.environ.get("BENCH_PYTHON"))
    if python is None:
        pytest.skip(f"{' or '.join(peer.needs)} is not installed; it is no part of the project's set-up")
    with closing(Worker(peer.name, peer.entry, peer.variant, 1, python)) as worker:
        yield worker


def wrong(worker: Worker, job: Job) -> str | None:
    """Return what is wrong with the worker's answer, if anything is."""
    right = truth(job)
    worker.ask("prepare", job)
    shape, dtype, rows = worker.ask("run", right.rows)
    assert dtype == "float32"
    assert worker.ask("time", 1, 1)[0] > 0
    return right.judge(shape, rows)[1]


def wrong_cases(worker: Worker, batch: int) -> dict[str, str]:
    """Return the cases that the worker gets wrong, and how."""
    found = {case.name: wrong(worker, forward.job(Cell(case, batch))) for case in CASES.values()}
    return {name: how for name, how in found.items() if how}


def wrong_activations(worker: Worker) -> tuple[dict[str, str], set[str]]:
    """Return the activations that the worker gets wrong, and how, and those it lacks."""
    found, lacks = {}, set()
    for name in activations.select(None):
        try:
            how = wrong(worker, activations.job(name, 2000, activations.row_lengths(name)[0]))
        except LacksError:
            lacks.add(name)
        else:
            if how:
                found[name] = how
    return found, lacks
