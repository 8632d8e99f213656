from __future__ import annotations

import pytest

from bench import limits
from bench.results import Limits

MACHINE = Limits(2, 2e11, "a kernel", 1e10, ((1 << 17, 2e11), (1 << 21, 1e11), (1 << 27, 1e10)))


@pytest.mark.parametrize(
    ("moved", "rate"), [(0, 2e11), (1 << 17, 2e11), ((1 << 17) + 1, 1e11), (1 << 27, 1e10), (1 << 30, 1e10)]
)
def test_the_rate_is_that_of_the_smallest_working_set_that_holds_the_bytes(moved: int, rate: float) -> None:
    assert limits.stream_rate(MACHINE, moved) == rate


def test_the_limit_is_the_larger_of_the_two() -> None:
    assert limits.least_seconds(MACHINE, 2 * 10**11, 10) == (1.0, "compute")
    assert limits.least_seconds(MACHINE, 1, 10**10) == (1.0, "memory")


def test_the_ladder_ascends() -> None:
    assert list(limits.LADDER) == sorted(set(limits.LADDER))


@pytest.mark.parametrize("threads", [1, 2])
def test_the_machine_is_measured(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(limits, "LADDER", (1 << 15, 1 << 21))
    monkeypatch.setattr(limits, "SECONDS", 0.001)
    found = limits.measure(threads)
    assert found.threads == threads
    assert found.flops_per_second > 0
    assert found.copy_bytes_per_second > 0
    assert [size for size, _ in found.streams] == [1 << 15, 1 << 21]
    assert all(rate > 0 for _, rate in found.streams)
    assert found.kernel
