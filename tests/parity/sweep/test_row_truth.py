from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from parity import truth
from parity.sweep import row_truth, rows
from parity.ulp import FORMATS
from refnet import activations
from tests.parity.exact import exact_error
from tests.parity.sweep.common import ROWS
from tests.refnet.activations.test_rowwise import SPECIAL


def judged(name, x, dtype="float32", got=None):
    kind = FORMATS[dtype]
    x = np.array(x).astype(kind.dtype)
    return row_truth.of_rows(activations.REGISTRY[name], x, kind, got)


def test_all_of_the_book_that_work_on_rows_are_here():
    assert set(row_truth.RANGES) == set(ROWS)


def by_mpmath(activation, row, entry, kind):
    """Return the right result of an entry and the true one, from the block's ``exact`` and nothing of row_truth."""
    half, gated = len(row) // 2, activation.kind == "gated"
    numbers = [row[entry], row[half + entry]] if gated else [x for x in row if math.isfinite(x)]
    index = 0 if gated else sum(math.isfinite(x) for x in row[:entry])
    alone = dataclasses.replace(
        activation, exact=lambda m, x: activation.exact(m, [m.mpf(each) for each in numbers])[index]
    )
    return truth.truth_at(alone, 1.0, {}, kind)


def in_ulp(y, true, kind):
    """Return the error of a result; below all formats, where mpmath has no fraction in memory, the true value is 0."""
    if not isinstance(true, Fraction):
        true = mpmath.mpf(0) if true == 0 or mpmath.mag(true) < -1200 else true
    return exact_error(y, true, kind.name)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", ROWS)
def test_results_and_errors_are_those_of_mpmath(name, dtype):
    activation, kind, rng = activations.REGISTRY[name], FORMATS[dtype], np.random.default_rng(8)
    checked = 0
    for block in rows.blocks(activation, 10):
        if block.length > 17:
            continue
        x = rows.make(activation, kind, block, 4)
        with np.errstate(all="ignore"):
            got = np.asarray(activation.numpy(x)).astype(kind.dtype)
        found = row_truth.of_rows(activation, x, kind, got)
        errors = row_truth.errors(found, got, kind)
        for place in rng.integers(got.size, size=2).tolist():
            row, entry = divmod(place, got.shape[1])
            if found.special[row, entry]:
                continue
            right, true = by_mpmath(activation, x[row].astype(float).tolist(), entry, kind)
            claim = float(found.right[row, entry])
            assert claim == right or row_truth.agrees(activation, x[row], entry, claim, kind), (block, row, entry)
            expected = in_ulp(float(got[row, entry]), true, kind)
            assert math.isclose(errors[row, entry], expected, rel_tol=1e-9, abs_tol=1e-9), (block, row, entry)
            checked += 1
    assert checked > 50


def test_a_long_row_is_right():
    activation, kind = activations.REGISTRY["log_softmax"], FORMATS["float64"]
    x = rows.row("log_softmax", "float64", "normal 10", 10_000, 0)
    found = row_truth.of_rows(activation, x[None], kind)
    for entry in (0, 4321, int(x.argmax())):
        assert row_truth.agrees(activation, x, entry, float(found.right[0, entry]), kind)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ROWS)
def test_conventions_are_those_of_the_book(name, dtype):
    for row, expected in SPECIAL[name]:
        found = judged(name, [row], dtype)
        np.testing.assert_array_equal(found.right[0], np.array(expected, dtype), err_msg=str(row))
        sure = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(found.right[0])[sure], np.signbit(expected)[sure], err_msg=str(row))


def test_a_logarithm_too_small_for_any_precision_decides_a_tie():
    row = np.array([2.0**-24, -16777216.0], np.float32)  # x - h is -2^24 - 2^-24, just beyond a number
    assert float(judged("log_softmax", [row]).right[0, 1]) == -16777216.0
    row = np.array([1.0, -16777216.0], np.float32)  # -2^24 - 1 is midway between -2^24 and -2^24 - 2
    assert float(judged("log_softmax", [row]).right[0, 1]) == -16777218.0
    assert row_truth.agrees(activations.REGISTRY["log_softmax"], row, 1, -16777218.0, FORMATS["float32"])
    assert not row_truth.agrees(activations.REGISTRY["log_softmax"], row, 1, -16777220.0, FORMATS["float32"])


@pytest.mark.parametrize("dtype", FORMATS)
def test_half_of_the_smallest_number_goes_to_the_side_of_the_gate(dtype):
    kind = FORMATS[dtype]
    tiny = 2.0**kind.etiny
    for b, right in ((tiny, 2.0), (-tiny, 1.0), (0.0, 2.0), (0.25, 2.0), (-0.25, 1.0)):
        assert float(judged("glu", [[3 * tiny, b]], dtype).right[0, 0]) == right * tiny  # 1.5, a tie without a gate
        assert float(judged("glu", [[-3 * tiny, b]], dtype).right[0, 0]) == -right * tiny


def test_ties_of_sparsemax_are_ties():
    x = np.array([[0.5 + 2.0**-23, 0.5 - 2.0**-25 + 2.0**-24], [1.0, 2.0**-149]], np.float32)
    found = judged("sparsemax", x)
    exact = [activations.REGISTRY["sparsemax"].exact(mpmath, [mpmath.mpf(float(each)) for each in row]) for row in x]
    for row in range(2):
        for entry in range(2):
            assert float(found.right[row, entry]) == truth.round_exactly(exact[row][entry], FORMATS["float32"])
    assert found.rest[1, 1] == 0.5  # half of the smallest number, to the even one, 0
    assert found.right[1, 1] == 0


def test_just_below_a_power_of_two_the_unit_is_half_as_large():
    below = np.nextafter(np.float64(1), 0)
    for depth in (50.0, 100.0, 1e300):  # 1 - exp(-depth): to pairs it is 1 at last, but below it still
        got = np.array([[below, 0.0]])
        found = judged("softmax", [[0.0, -depth]], "float64", got)
        assert found.right[0, 0] == 1.0
        expected = -1.0 + math.exp(-depth) * 2.0**53
        assert row_truth.errors(found, got, FORMATS["float64"])[0, 0] == pytest.approx(expected, abs=1e-12)
    alone = judged("softmax", [[0.0]], "float64", np.array([[below]]))
    assert row_truth.errors(alone, np.array([[below]]), FORMATS["float64"])[0, 0] == -0.5


def test_nan_for_a_number_is_infinitely_wrong():
    found = judged("softmax", [[0.0, 1.0, 2.0], [np.nan, 1.0, 2.0]])
    got = found.right.copy()
    got[0, 1], got[1, 0], got[1, 1] = np.nan, 0.5, np.inf
    errors = row_truth.errors(found, got, FORMATS["float32"])
    assert np.isinf(errors).tolist() == [[False, True, False], [True, True, False]]


def test_what_is_in_doubt_goes_to_mpmath(monkeypatch):
    rule = row_truth.RULES["softmax"]
    monkeypatch.setitem(
        row_truth.RULES, "softmax", lambda x: dataclasses.replace(rule(x), doubt=np.full(x.shape, 0.25))
    )
    x = np.random.default_rng(9).normal(size=(3, 4)).astype(np.float32)
    slow = judged("softmax", x)
    monkeypatch.undo()
    quick = judged("softmax", x)
    assert (slow.undecided, quick.undecided) == (12, 0)
    np.testing.assert_array_equal(slow.right, quick.right)
    np.testing.assert_allclose(slow.rest, quick.rest, rtol=0, atol=1e-12)
