from __future__ import annotations

import numpy as np
import pytest

from parity import keras_errors, measure_keras
from refnet import activations

F32, F64 = np.dtype("float32"), np.dtype("float64")


def test_the_table_says_what_was_measured():
    table = keras_errors.table()
    assert {"keras", "tensorflow", "numpy"} <= set(table["versions"])
    assert set(table["ulps"]) == {"call", "predict", "xla"}


@pytest.mark.parametrize("path", ["call", "predict", "xla"])
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_every_activation_of_the_book_is_measured_and_nothing_else(path, dtype):
    measured = keras_errors.table()["ulps"][path][dtype.name]
    assert set(measured) == {keras_errors.key(block) for block in measure_keras.blocks()}
    assert all(0 <= ulps < 20 for ulps in measured.values())


def test_the_budget_is_larger_than_what_was_measured():
    tanh = activations.get("tanh")
    measured = keras_errors.table()["ulps"]["call"]["float32"]["tanh"]
    assert keras_errors.budget(tanh, F32, "call") == 1.5 * measured + 0.5


def test_parameters_cost_a_rounding_more():
    elu = activations.get("elu")
    assert keras_errors.budget(elu.with_parameters(alpha=0.5), F32, "call") == keras_errors.budget(elu, F32, "call") + 1


def test_predict_may_run_any_way():
    for block in (activations.tanh, activations.elu):
        ways = [keras_errors.budget(block, F32, path) for path in ("call", "predict", "xla")]
        assert ways[1] == max(ways)


def test_each_changed_parameter_is_an_operation():
    relu = activations.relu.with_parameters(negative_slope=0.1, threshold=0.5)
    assert keras_errors.budget(relu, F32, "call") == 2.0
