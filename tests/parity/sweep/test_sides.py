from __future__ import annotations

import numpy as np
import pytest

from parity import truth
from parity.sweep.judge import verdict
from parity.sweep.model import Model
from parity.ulp import FORMATS, from_bits, to_bits
from refnet import activations
from tests.parity.sweep.common import complete


def test_the_tail_of_silu_for_subnormals_lies_beside_a_line():
    model = Model(activations.REGISTRY["silu"], FORMATS["float32"])
    sides = [side for piece in model.pieces(False, 1, 1 << 23) for side in model.sides(piece)]
    assert sides
    assert {side.sign for side in sides} == {1}  # x/2 + x^2/4 is above x/2


@pytest.mark.parametrize(("name", "place"), [("silu", 3), ("silu", 0x7FFFFF), ("tanh_shrink", 0x4B800001)])
def test_a_hair_beside_a_midpoint_has_a_side(name, place):
    activation = complete(name)
    model = Model(activation, FORMATS["float32"])
    for negative in (False, True):
        (piece,) = model.pieces(negative, place, place + 1)
        x = from_bits(np.arange(piece.start, min(piece.start + 64, piece.stop)), "float32")
        x = np.concatenate([x, from_bits([place], "float32")]) * np.float32(-1 if negative else 1)
        found = verdict(model, piece, x)
        assert to_bits(found.right).tolist() == to_bits(truth.right(activation, x)).tolist()
        sides = [side for side in model.sides(piece) if side.start <= place < side.stop]
        assert sides
        assert found.undecided <= 4 + 1
