from __future__ import annotations

import pytest

from parity.runners.tf_function import RUNNER
from tests.parity.runners.common import agreement

pytestmark = pytest.mark.keras


@pytest.mark.parametrize("rows", [1, 5, 40])
def test_it_computes_the_model(keras, rows):
    agreement(RUNNER, rows)
