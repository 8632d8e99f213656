from __future__ import annotations

import numpy as np

from refnet import activations
from refnet.engine.forward import activation_kernel, parameter_values, walk_door


def test_a_kernel_is_made_once_per_formula_and_dtype():
    """And once more for the default parameters, which are compiled in."""
    leaky = activations.get("leaky_relu")
    steep, steeper = (leaky.with_parameters(negative_slope=slope) for slope in (0.5, 0.7))

    assert activation_kernel(steep, "float32") == activation_kernel(steeper, "float32")
    assert activation_kernel(leaky, "float32") == activation_kernel(leaky.with_parameters(), "float32")
    assert activation_kernel(leaky, "float32") != activation_kernel(steep, "float32")
    assert activation_kernel(leaky, "float32") != activation_kernel(leaky, "float64")


def test_parameters_are_rounded_to_the_dtype_as_keras_does():
    leaky = activations.get("leaky_relu").with_parameters(negative_slope=0.1)

    assert parameter_values(leaky, np.float32).tolist() == [float(np.float32(0.1))]
    assert parameter_values(leaky, np.float64).tolist() == [0.1]


def test_one_walk_serves_all_models():
    assert walk_door("float32") is walk_door("float32")
