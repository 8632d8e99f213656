from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from parity.sweep import row_judge, row_truth, rows, tally
from parity.sweep.checks import JudgeError
from parity.ulp import CLASSES, FORMATS
from refnet import activations
from tests.parity.sweep.common import ROWS

FLOAT32 = FORMATS["float32"]
SOFTMAX = activations.REGISTRY["softmax"]
X = np.random.default_rng(2).normal(size=(6, 7)).astype(np.float32)


def up(value, steps):
    for _ in range(steps):
        value = np.nextafter(value, np.float32(np.inf))
    return value


def judged(x, got, name="softmax", block=3):
    return row_judge.judge(activations.REGISTRY[name], FLOAT32, block, np.asarray(x, np.float32), got)


@pytest.mark.parametrize("name", ROWS)
def test_right_results_are_counted_as_such(name):
    activation = activations.REGISTRY[name]
    for number, block in enumerate(rows.blocks(activation, 10)):
        x = rows.make(activation, FLOAT32, block, 0)
        right = row_truth.of_rows(activation, x, FLOAT32).right
        found = row_judge.judge(activation, FLOAT32, number, x, right)
        assert found.count == right.size == sum(found.histogram)
        assert (found.misrounded_count, found.out_of_range, found.wrong_zero) == (0, 0, 0)
        assert abs(found.worst.error) <= 0.5
        assert sum(found.histogram[2:]) == 0


def test_planted_errors_are_found_where_they_are():
    got = row_truth.of_rows(SOFTMAX, X, FLOAT32).right.copy()
    planted = {(1, 4): 1, (5, 6): 3}
    for (row, entry), steps in planted.items():
        got[row, entry] = up(got[row, entry], steps)
    found = judged(X, got)
    places = [rows.place(3, row * 7 + entry) for row, entry in planted]
    assert [each.bits for each in found.misrounded] == places
    assert (found.worst.bits, found.misrounded_count) == (places[1], 2)
    assert 2.5 <= found.worst.error <= 3.5


def test_what_is_out_of_range_is_named():
    got = np.array([[np.nextafter(np.float32(1), np.float32(2)), 0.0]], np.float32)
    found = judged([[0.0, -200.0]], got)
    assert (found.out_of_range, found.examples["out_of_range"].bits) == (1, rows.place(3, 0))
    lost = judged([[0.0, -200.0]], np.array([[np.nan, 0.0]], np.float32))
    assert (lost.out_of_range, lost.misrounded_count) == (1, 1)


def test_signs_of_zeros_are_judged_but_for_a_logarithm_that_underflows():
    zeros = np.array([[1.0, -0.0]], np.float32)
    assert judged([[0.0, -200.0]], zeros).wrong_zero == 1
    assert judged([[0.0, -np.inf]], zeros).wrong_zero == 1
    for zero in (0.0, -0.0):
        assert judged([[0.0, -200.0]], np.array([[zero, -200.0]], np.float32), "log_softmax").wrong_zero == 0


def test_results_have_classes():
    x = np.array([[0.0, -90.0, -np.inf, -1.0]], np.float32)
    found = judged(x, row_truth.of_rows(SOFTMAX, x, FLOAT32).right)
    assert {name: each.count for name, each in zip(CLASSES, found.classes, strict=True)} == {
        "normal": 2,
        "subnormal": 1,
        "overflow": 0,
        "special": 1,
    }
    edge = 2.0**-125 * np.array([1.0, 1 - 2.0**-24])[:, None]  # their halves: the smallest normal number, and less
    halved = np.hstack([edge, [[0.0], [0.0]]]).astype(np.float32)
    found = judged(halved, np.zeros((2, 1), np.float32), "glu")
    assert [each.count for each in found.classes] == [1, 1, 0, 0]
    assert (found.misrounded_count, found.wrong_zero) == (2, 0)
    assert judged(-halved, np.zeros((2, 1), np.float32), "glu").wrong_zero == 0  # but for zeros of the right result
    large = np.array([[3e38, 0.0]], np.float32)
    right = row_truth.of_rows(activations.REGISTRY["log_softmax"], large, FLOAT32).right
    assert judged(large, right, "log_softmax").classes[CLASSES.index("overflow")].count == 1


def test_a_judge_that_contradicts_mpmath_says_so():
    got = row_truth.of_rows(SOFTMAX, X, FLOAT32).right
    found = judged(X, got)
    row_judge.audit(SOFTMAX, FLOAT32, 3, [(X, got)], found)
    wrong = dataclasses.replace(SOFTMAX, exact=lambda m, row: [m.exp(x) for x in row])
    with pytest.raises(JudgeError, match="activation 'softmax': the judge and mpmath disagree about entry"):
        row_judge.audit(wrong, FLOAT32, 3, [(X, got)], found)


@pytest.fixture
def asked(monkeypatch):
    """Return the rows and entries that mpmath is asked about."""
    questions = []
    monkeypatch.setattr(row_judge.row_truth, "agrees", lambda *of: questions.append((of[1].tolist(), of[2])) or True)
    return questions


def test_the_worst_result_is_audited_if_it_is_wrong(asked):
    got = row_truth.of_rows(SOFTMAX, X, FLOAT32).right.copy()
    row_judge.audit(SOFTMAX, FLOAT32, 3, [(X, got)], judged(X, got))
    assert len(asked) == 8
    got[2, 3] = up(got[2, 3], 5)
    row_judge.audit(SOFTMAX, FLOAT32, 3, [(X, got)], judged(X, got))
    assert asked[8] == (X[2].tolist(), 3)
    assert len(asked) == 8 + 9


@pytest.mark.parametrize(("length", "times"), [(100, 8), (101, 0)])
def test_long_rows_are_not_audited_at_random(asked, length, times):
    x = np.zeros((2, length), np.float32)
    row_judge.audit(SOFTMAX, FLOAT32, 0, [(x, x)], tally.Tally())
    assert len(asked) == times


def test_an_audit_looks_into_all_blocks_but_asks_nothing_that_a_convention_decides(asked):
    blocks = [np.full(shape, shape[1], np.float32) for shape in ((1, 1), (2, 3), (9, 20))]
    row_judge.audit(SOFTMAX, FLOAT32, 5, [(x, x) for x in blocks], tally.Tally())
    assert {(len(row), row[0]) for row, _ in asked} == {(1, 1.0), (3, 3.0), (20, 20.0)}
    asked.clear()
    nowhere = np.full((2, 3), -np.inf, np.float32)
    row_judge.audit(SOFTMAX, FLOAT32, 5, [(nowhere, nowhere)], tally.Tally())
    assert not asked


def test_what_mpmath_decided_is_counted(monkeypatch):
    found = row_truth.of_rows(SOFTMAX, X, FLOAT32)
    monkeypatch.setattr(row_judge.row_truth, "of_rows", lambda *of: dataclasses.replace(found, undecided=5))
    assert judged(X, found.right).undecided == 5


def test_tallies_of_blocks_add_up():
    got = row_truth.of_rows(SOFTMAX, X, FLOAT32).right
    both = tally.add(judged(X, got, block=0), judged(X, got, block=1))
    assert both.count == 2 * X.size
