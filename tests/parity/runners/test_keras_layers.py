from __future__ import annotations

import numpy as np
import pytest

from parity import to_keras
from parity.runners import keras_layers
from tests.parity.nets import build

pytestmark = pytest.mark.keras


@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_and_its_product(keras, bias):
    model = build([4, 6], ["tanh"], "float32", 1, bias=[bias])
    layer = to_keras(model).layers[0]
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    z = keras_layers.product(layer, x)
    assert np.abs(np.tanh(z) - keras_layers.one(layer, x)).max() < 2.0**-20
    assert np.abs(z - (x @ layer.get_weights()[0] + (layer.get_weights()[1] if bias else 0))).max() < 2.0**-18
