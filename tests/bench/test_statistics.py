from __future__ import annotations

import numpy as np
import pytest

from bench.statistics import BLOCKS, calls_for, summarize
from refnet.errors import ArgumentError


def test_one_round_is_its_own_median() -> None:
    summary = summarize([0.5])
    assert (summary.median, summary.low, summary.high, summary.rounds) == (0.5, 0.5, 0.5, 1)
    assert summary.spread == 0.0


def test_order_does_not_matter_and_an_outlier_hardly_does() -> None:
    times = [1.0, 1.1, 0.9, 1.05, 50.0]
    assert summarize(times) == summarize(sorted(times))
    assert summarize(times).median == 1.05
    assert summarize(times).slowest == 50.0


@pytest.mark.parametrize("times", [[], [np.nan], [np.inf], [-1.0]])
def test_summarize_refuses_what_is_no_time(times: list[float]) -> None:
    with pytest.raises(ArgumentError):
        summarize(times)


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 3e-7, 1e-4, 0.004, 0.05, 0.3, 100.0])
def test_a_slice_has_blocks_of_whole_calls(seconds: float) -> None:
    blocks, calls = calls_for(seconds, 0.06)
    assert 1 <= blocks <= BLOCKS
    assert calls >= 1
    assert blocks * calls == 1 or blocks * calls * seconds <= 0.06 + seconds
