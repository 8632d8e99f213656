from __future__ import annotations

import pytest

from parity.runners.refnet import RUNNER
from tests.parity.runners.common import agreement


@pytest.mark.parametrize("rows", [0, 1, 5, 40])
def test_it_computes_the_model(rows, keras):
    agreement(RUNNER, rows)


def test_layer_by_layer_gives_the_bits_of_the_whole():
    import numpy as np

    from parity.runners.refnet import layer_by_layer
    from tests.parity.nets import build

    model = build([4, 30, 20, 3], ["tanh", "silu", "softmax"], "float32", 1)
    x = np.random.default_rng(0).standard_normal((9, 4)).astype(np.float32)
    outputs = layer_by_layer(model, x)
    assert [y.shape for y in outputs] == [(9, 30), (9, 20), (9, 3)]
    assert outputs[-1].tobytes() == model(x).tobytes()
