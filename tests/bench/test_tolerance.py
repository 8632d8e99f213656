from __future__ import annotations

import numpy as np
import pytest

from bench import activations as over_activations, forward
from bench.cases import CASES, Case, Cell
from bench.jobs import sample
from bench.peers.with_numpy import build
from bench.tolerance import MOST_ROWS, truth
from refnet import activations


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_the_truth_of_a_case_is_float64_numpy_within_its_bound(case: Case) -> None:
    job = forward.job(Cell(case, 3))
    right = truth(job)
    y = job.x.astype(np.float64)
    for weight, bias, name in job.layers:
        z = y @ weight.astype(np.float64) + bias
        y = activations.get(name).numpy(z)
    assert right.shape == y.shape
    assert np.all(np.abs(y - right.value) <= right.bound)
    assert np.all(right.bound > 0)


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_plain_numpy_is_right_and_a_forgotten_bias_is_not(case: Case) -> None:
    job = forward.job(Cell(case, 5))
    right = truth(job)
    output = np.asarray(build("plain", job, 1).run())
    share, wrong = right.judge(output.shape, right.pick(output))
    assert wrong is None
    assert share <= 1
    layers = tuple((weight, bias * 0, name) for weight, bias, name in job.layers)
    without = np.asarray(build("plain", type(job)(layers, job.x), 1).run())
    assert right.judge(without.shape, right.pick(without))[1] is not None


def test_a_large_batch_is_sampled_first_and_last_row_included() -> None:
    job = forward.job(Cell(CASES["tutorial"], 1000))
    right = truth(job)
    assert right.shape == (1000, 10)
    assert right.value.shape == (MOST_ROWS, 10)
    assert sample(1000, MOST_ROWS)[[0, -1]].tolist() == [0, 999]


@pytest.mark.parametrize("name", over_activations.select(None))
def test_numpy_reads_every_activation_right(name: str) -> None:
    for row in over_activations.row_lengths(name):
        job = over_activations.job(name, 4096, row)
        right = truth(job)
        output = activations.get(name).with_parameters(**job.parameters).numpy(job.x)
        assert right.judge(output.shape, right.pick(output))[1] is None


def test_nan_is_wrong_and_equal_infinities_are_right() -> None:
    right = truth(over_activations.job("relu", 8))
    rows = right.value.astype(np.float32)
    assert right.judge(rows.shape, rows)[1] is None
    rows[3] = np.nan
    assert right.judge(rows.shape, rows)[1] is not None
