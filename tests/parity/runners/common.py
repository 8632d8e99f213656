"""What the tests of all runners share."""

from __future__ import annotations

import numpy as np

from parity import to_keras
from tests.parity.nets import build


def agreement(runner, rows: int = 5) -> None:
    """Assert that a runner gives what the model's own NumPy reading gives, to a few float32 steps."""
    model = build([4, 6, 3], ["tanh", "softmax"], "float32", 1)
    x = np.random.default_rng(0).standard_normal((rows, 4)).astype(np.float32)
    y = runner.prepare(to_keras(model) if runner.takes == "keras" else model)(x)
    assert isinstance(y, np.ndarray)
    assert y.dtype == np.float32
    assert y.shape == (rows, 3)
    assert np.abs(y - model.call(x)).max(initial=0.0) < 2.0**-20
