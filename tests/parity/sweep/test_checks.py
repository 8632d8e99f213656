from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from parity.sweep.checks import JudgeError, audit, extent
from parity.sweep.judge import judge
from parity.sweep.model import Model
from parity.ulp import FORMATS, from_bits
from refnet import activations


def judged(model):
    bits = np.arange(0x3F800000, 0x3F800040, dtype=np.uint64)
    return bits, judge(model, bits, model.activation(from_bits(bits, "float32")), (-np.inf, np.inf))


def test_a_right_judge_passes_its_audit():
    model = Model(activations.REGISTRY["sigmoid"], FORMATS["float32"])
    bits, tally = judged(model)
    audit(model, tally, bits)


def test_a_judge_that_contradicts_mpmath_is_found_out():
    model = Model(activations.REGISTRY["sigmoid"], FORMATS["float32"])
    bits, tally = judged(model)
    normal = tally.classes[0]
    wrong = dataclasses.replace(normal, worst=dataclasses.replace(normal.worst, right=normal.worst.right + 1))
    with pytest.raises(JudgeError, match=r"activation 'sigmoid': the judge gives .* at input 1\.0"):
        audit(model, dataclasses.replace(tally, classes=(wrong, *tally.classes[1:])), bits)


def test_the_range_of_a_function_without_bound_is_infinite():
    assert extent(Model(activations.REGISTRY["linear"], FORMATS["float16"])) == (-np.inf, np.inf)
