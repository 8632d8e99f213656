from __future__ import annotations

import numpy as np
import pytest

from bench import cases
from bench.cases import CASES, Case, Cell
from refnet.errors import ArgumentError


def test_the_everyday_run_is_part_of_the_grid() -> None:
    grid = {cell.name for cell in cases.grid()}
    assert {cell.name for cell in cases.default_cells()} <= grid
    assert len(grid) == len(cases.grid())


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_weights_fit_the_widths_and_are_the_same_each_time(case: Case) -> None:
    again = case.weights()
    for (weight, bias), (inputs, units, _), same in zip(case.weights(), case.layers, again, strict=True):
        assert weight.shape == (inputs, units)
        assert bias.shape == (units,)
        assert weight.dtype == bias.dtype == np.float32
        assert np.array_equal(weight, same[0])
        assert np.array_equal(bias, same[1])
    assert case.parameters == sum(weight.size + bias.size for weight, bias in case.weights())


def test_seeds_cases_and_batches_have_different_numbers() -> None:
    tutorial = CASES["tutorial"]
    assert not np.array_equal(tutorial.weights(0)[0][0], tutorial.weights(1)[0][0])
    assert not np.array_equal(tutorial.inputs(3, 0), tutorial.inputs(3, 1))
    assert not np.array_equal(tutorial.inputs(3), tutorial.inputs(4)[:3])


def test_work_is_counted_by_hand() -> None:
    case = Case("two", (3, 4, 2), ("relu", "linear"), (1,))
    assert case.flops(5) == 2 * 5 * (3 * 4 + 4 * 2)
    assert case.moved_bytes(5) == 4 * (5 * 3 + 5 * 2 + (3 * 4 + 4) + (4 * 2 + 2))


def test_a_case_needs_an_activation_for_each_layer() -> None:
    with pytest.raises(ArgumentError, match="2 layers have 1 activations"):
        Case("wrong", (3, 4, 2), ("relu",), (1,))


def test_select_takes_cases_and_cells() -> None:
    chosen = [cell.name for cell in cases.select(["deep", "mnist:7"], cases.grid())]
    assert chosen == ["deep:1", "deep:256", "deep:8192", "mnist:7"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("mnits", "case 'mnits' is unknown; did you mean 'mnist'"),
        ("mnist:0", "batch '0' is not a positive whole number"),
        ("mnist:-3", "batch '-3' is not a positive whole number"),
        ("mnist:x", "batch 'x' is not a positive whole number"),
        ("mnist:", "batch '' is not a positive whole number"),
    ],
)
def test_select_refuses_in_one_sentence(word: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        list(cases.select([word], cases.grid()))


def test_a_cell_prints_its_name() -> None:
    assert repr(Cell(CASES["odd"], 100)) == "<cell odd:100>"
