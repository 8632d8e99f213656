from __future__ import annotations

import numpy as np
import pytest

from parity.runners.keras_predict import RUNNER
from tests.parity.runners.common import agreement

pytestmark = pytest.mark.keras


@pytest.mark.parametrize("rows", [1, 5, 40])
def test_it_computes_the_model(keras, rows):
    agreement(RUNNER, rows)


def test_it_refuses_a_batch_without_rows():
    assert "0 rows" in RUNNER.refuses(np.zeros((0, 4)))
    assert RUNNER.refuses(np.zeros((1, 4))) == ""
