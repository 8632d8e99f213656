from __future__ import annotations

import numpy as np
import pytest

from parity.runners import keras_activations
from refnet import activations

pytestmark = pytest.mark.keras


@pytest.mark.parametrize("path", sorted(keras_activations.PATHS))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_path_gives_the_activation_in_its_dtype(keras, path, dtype):
    x = np.linspace(-4, 4, 33).astype(dtype)  # not a multiple of the fused form's sixteen columns
    for activation in (activations.get("tanh"), activations.get("elu").with_parameters(alpha=0.5)):
        y = keras_activations.PATHS[path](activation, x)
        assert y.shape == x.shape
        assert y.dtype == x.dtype
        assert np.abs(y - activation.numpy(x)).max() < 1e-6


def test_parameters_become_arguments(keras):
    assert keras_activations.function(activations.get("relu")) is keras.activations.relu
    assert keras_activations.given(activations.get("relu")) == {}
    capped = activations.get("relu").with_parameters(max_value=6.0)
    assert keras_activations.given(capped) == {"max_value": 6.0}
    assert keras_activations.function(capped).__name__ == "relu"
