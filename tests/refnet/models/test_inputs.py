from __future__ import annotations

import numpy as np
import pytest

from refnet.errors import ArgumentError
from refnet.layers import inputs as of_layers
from refnet.models import inputs
from refnet.models.inputs import batch_rows, batches, row_work


def test_one_check_for_layers_and_models():
    assert inputs.as_input is of_layers.as_input


def test_batch_rows():
    assert batch_rows(7, 10, 100, "m") == 7
    assert batch_rows(np.int64(7), 10, 100, "m") == 7
    assert batch_rows(None, 1 << 30, 0, "m") == 1
    assert batch_rows(None, 0, 0, "m") == batch_rows(None, 1, 1, "m")


def test_a_batch_is_never_more_than_a_moment_of_work():
    most = batch_rows(None, 10, 100, "m")

    assert batch_rows(10**9, 10, 100, "m") == most
    assert batch_rows(None, 10, 10**6, "m") < most
    assert batch_rows(None, 1, 10**12, "m") == batch_rows(1000, 1, 10**12, "m") == 64


def test_the_work_of_a_row_grows_with_weights_units_and_positions():
    weights = [np.zeros((30, 20)), np.zeros(20)]

    assert row_work([], (30,)) == 0
    assert row_work(weights, (30,)) > 30 * 20
    assert row_work(weights, (7, 5, 30)) == 35 * row_work(weights, (30,))


@pytest.mark.parametrize("size", [0, -1, 1.5, "a", True])
def test_batch_sizes_that_are_refused(size):
    with pytest.raises(ArgumentError, match=r"^m: batch_size is .*; accepted: a positive integer or None$"):
        batch_rows(size, 1, 1, "m")


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 10])
@pytest.mark.parametrize("size", [1, 2, 3, 11])
def test_batches_cover_every_row_once(rows, size):
    covered = [row for batch in batches(rows, size) for row in range(rows)[batch]]
    assert covered == list(range(rows))
