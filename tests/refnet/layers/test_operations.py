from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from refnet import activations
from refnet.layers.operations import Activate, Call, Columnwise, Matmul, affine


@pytest.mark.parametrize(
    "operation",
    [
        Matmul(np.eye(2), None),
        Activate(activations.get("relu")),
        Columnwise(affine, (np.ones(2), np.ones(2))),
        Call(np.tanh, "tanh"),
    ],
)
def test_operations_do_not_change(operation):
    field = dataclasses.fields(operation)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(operation, field, None)


def test_a_columnwise_step_is_computed_in_float64_and_rounded_once():
    step = Columnwise(affine, (np.float32([1 + 2.0**-12, 2.0]), np.float32([-1 - 2.0**-11, 0.5])))
    y = step(np.full((3, 2), 1 + 2.0**-12, np.float32))
    assert y.dtype == np.float32
    assert y.tolist() == [[2.0**-24, 2.5 + 2.0**-11]] * 3
    assert step.text == "affine, (2,) (2,) per column"
