"""Activations under pytest-benchmark: the whole book over an array that fits the last cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench import activations
from bench.jobs import Job, Ready

pytest.importorskip("pytest_benchmark", reason="pytest-benchmark is not installed")

SIZE = 1 << 18
PEERS = ("refnet", "NumPy", "tf.function")


@pytest.mark.benchmark(max_time=0.2, min_rounds=3)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("name", activations.select(None))
def test_activation(benchmark: Any, ready: Callable[[str, Job], Ready], name: str, peer: str) -> None:
    made = ready(peer, activations.job(name, SIZE, activations.row_lengths(name)[0]))
    benchmark.group = name
    benchmark(made.run)
