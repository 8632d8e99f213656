from __future__ import annotations

import pytest

from parity.runners.numpy import RUNNER
from tests.parity.runners.common import agreement


@pytest.mark.parametrize("rows", [0, 1, 5, 40])
def test_it_computes_the_model(rows, keras):
    agreement(RUNNER, rows)
