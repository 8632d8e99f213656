from __future__ import annotations

import numpy as np
import pytest

from parity.sweep.counting import Results
from parity.sweep.tally import EDGES, KEPT, Class, Finding
from parity.ulp import CLASSES

NONE = np.zeros(6, bool)


def results(errors=(0, 0.125, -0.3, 0.5, -0.75, np.inf), wrong=(0, 0, 0, 0, 1, 1)):
    got = np.float32([0.0, 1.0, 2.0, 3.0, 4.0, np.nan])
    right = np.float32([0.0, 1.0, 2.0, 3.0, 4.5, 5.0])
    return Results(np.arange(40, 46, dtype=np.uint64), got, right, np.array(errors, float), np.array(wrong, bool))


def test_classes_are_counted_each_with_its_worst():
    found = results().tally(np.int8([3, 0, 0, 1, 0, 0]), NONE, NONE)
    lost = Finding(45, 0x7FC00000, 0x40A00000, np.inf)
    assert found.classes == (Class(4, 2, lost), Class(1, 0, found.classes[1].worst), Class(), found.classes[3])
    assert (found.classes[1].worst.bits, found.classes[1].worst.error) == (43, 0.5)
    assert (found.classes[3].count, found.classes[3].worst) == (1, Finding(40, 0, 0, 0.0))


@pytest.mark.parametrize("code", range(len(CLASSES)))
def test_one_class_for_all_is_as_good_as_a_list(code):
    each = results().tally(np.full(6, code, np.int8), NONE, NONE)
    assert results().tally(code, NONE, NONE) == each
    assert each.classes[code].count == 6


def test_errors_go_into_the_bins_of_the_histogram():
    """What is right and above a quarter goes into the second, also if its error is a hair more than a half."""
    assert results().tally(0, NONE, NONE).histogram == (2, 2, 0, 0, 0, 1, *[0] * 9, 1)
    right = results(errors=(0.25, -0.26, 0.5 + 2.0**-52, 0, 0, 0), wrong=NONE).tally(0, NONE, NONE)
    assert right.histogram == (4, 2, *[0] * (len(EDGES) - 1))
    wrong = results(errors=(*EDGES[:3], 0.1, EDGES[-1], 2 * EDGES[-1]), wrong=~NONE).tally(0, NONE, NONE)
    assert wrong.histogram == (2, 1, 1, *[0] * (len(EDGES) - 4), 1, 1)


def test_marked_results_are_counted_and_the_first_is_shown():
    zero, outside = NONE.copy(), NONE.copy()
    zero[[1, 2]], outside[[3, 4, 5]] = True, True
    found = results().tally(0, zero, outside, undecided=7)
    assert (found.wrong_zero, found.out_of_range, found.undecided) == (2, 3, 7)
    assert {name: each.bits for name, each in found.examples.items()} == {"wrong_zero": 41, "out_of_range": 43}
    assert [each.bits for each in found.misrounded] == [44, 45]
    assert results().tally(0, zero, outside).undecided == 0


def test_out_of_range_is_what_should_be_a_number_within():
    assert results().outside((1.0, 3.0)).tolist() == [True, False, False, False, True, True]
    nowhere = Results(np.zeros(2, np.uint64), np.float32([9, np.nan]), np.float32([np.nan] * 2), np.zeros(2), NONE[:2])
    assert not nowhere.outside((0.0, 1.0)).any()


def test_the_lowest_misrounded_results_are_kept():
    count = KEPT + 5
    x = np.zeros(count, np.float32)
    many = Results(np.arange(count, dtype=np.uint64), x, x, np.ones(count), np.ones(count, bool))
    found = many.tally(0, x > 0, x > 0)
    assert [each.bits for each in found.misrounded] == list(range(KEPT))
    assert found.misrounded_count == count
