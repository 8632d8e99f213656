from __future__ import annotations

import time

import numpy as np
import pytest

from bench.jobs import Ready, quickest, sample


@pytest.mark.parametrize(("rows", "most"), [(1, 1), (1, 5), (5, 5), (1000, 256), (65536, 256), (1 << 24, 65536)])
def test_a_sample_is_sorted_unique_and_has_both_ends(rows: int, most: int) -> None:
    chosen = sample(rows, most)
    assert len(chosen) == min(rows, most)
    assert np.all(np.diff(chosen) > 0)
    assert chosen[0] == 0
    assert chosen[-1] == (rows - 1 if most > 1 else 0)


def test_no_rows_have_no_sample() -> None:
    assert sample(0, 5).tolist() == []


def test_the_quickest_door_is_taken() -> None:
    doors = [Ready(lambda pause=pause: time.sleep(pause)) for pause in (0.02, 0.0, 0.01)]  # type: ignore[misc]
    assert quickest(*doors, calls=1) is doors[1]
