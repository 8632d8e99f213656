from __future__ import annotations

from parity import weights
from refnet import layers
from tests.parity.nets import build


def test_differing_weights_are_described():
    first, second = build([3, 4], ["relu"], "float32", 1), build([3, 4], ["relu"], "float32", 1)
    assert weights.differ(first.layers[0], second.layers[0]) == ""
    kernel, bias = second.layers[0].get_weights()
    kernel[2, 1], kernel[0, 3] = 0.5, 0.25
    second.layers[0].set_weights([kernel, bias])
    assert weights.differ(first.layers[0], second.layers[0]).startswith("kernel[0, 3] and 1 more: ")


def test_weights_of_other_numbers_are_described_by_name():
    first, second = (layers.Dense(2, use_bias=use_bias) for use_bias in (False, True))
    for layer in (first, second):
        layer.build((None, 3))
    assert weights.differ(first, second) == "kernel against kernel, bias"
