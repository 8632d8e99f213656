from __future__ import annotations

from parity import weights
from tests.parity.nets import build


def test_differing_weights_are_described():
    first, second = build([3, 4], ["relu"], "float32", 1), build([3, 4], ["relu"], "float32", 1)
    assert weights.differ(first.layers[0], second.layers[0]) == ""
    kernel, bias = second.layers[0].get_weights()
    kernel[2, 1], kernel[0, 3] = 0.5, 0.25
    second.layers[0].set_weights([kernel, bias])
    assert weights.differ(first.layers[0], second.layers[0]).startswith("kernel[0, 3] and 1 more: ")
