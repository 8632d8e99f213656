from __future__ import annotations

import numpy as np
import pytest

from refnet.errors import ArgumentError
from refnet.layers import inputs as of_layers
from refnet.models import inputs
from refnet.models.inputs import batch_rows, batches


def test_one_check_for_layers_and_models():
    assert inputs.as_input is of_layers.as_input


def test_batch_rows():
    assert batch_rows(7, 10, "m") == 7
    assert batch_rows(np.int64(7), 10, "m") == 7
    assert batch_rows(None, 1 << 30, "m") == 1
    assert batch_rows(None, 0, "m") == batch_rows(None, 1, "m")


@pytest.mark.parametrize("size", [0, -1, 1.5, "a", True])
def test_batch_sizes_that_are_refused(size):
    with pytest.raises(ArgumentError, match=r"^m: batch_size is .*; accepted: a positive integer or None$"):
        batch_rows(size, 1, "m")


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 10])
@pytest.mark.parametrize("size", [1, 2, 3, 11])
def test_batches_cover_every_row_once(rows, size):
    covered = [row for batch in batches(rows, size) for row in range(rows)[batch]]
    assert covered == list(range(rows))
