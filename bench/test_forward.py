"""Forward passes under pytest-benchmark: the cells and peers of the everyday run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.cases import Cell, default_cells
from bench.forward import job
from bench.jobs import Job, Ready
from bench.peers import DEFAULT

pytest.importorskip("pytest_benchmark", reason="pytest-benchmark is not installed")


@pytest.mark.benchmark(max_time=0.3, min_rounds=3)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("peer", DEFAULT)
@pytest.mark.parametrize("cell", default_cells(), ids=lambda cell: cell.name)
def test_forward(benchmark: Any, ready: Callable[[str, Job], Ready], cell: Cell, peer: str) -> None:
    made = ready(peer, job(cell))
    benchmark.group = cell.name
    benchmark(made.run)
