from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from refnet import activations
from refnet.layers.operations import Activate, Call, Matmul


@pytest.mark.parametrize(
    "operation", [Matmul(np.eye(2), None), Activate(activations.get("relu")), Call(np.tanh, "tanh")]
)
def test_operations_do_not_change(operation):
    field = dataclasses.fields(operation)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(operation, field, None)
