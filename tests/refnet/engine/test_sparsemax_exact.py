"""sparsemax with rows as lanes: the bits that each row has alone, and which rows are left to other code."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from refnet import activations
from refnet.engine.lanes import SUMS, lanes_at_once
from refnet.engine.rowwise import LIVE, LONG
from refnet.engine.sparsemax_exact import LEAST as LEAST_OF_1, _kept, _mark, alone
from tests.refnet.engine.test_kernels import same_bits

ROWS = lanes_at_once(LIVE)
LEAST = LONG * LEAST_OF_1
BELOW = float(np.nextafter(np.float32(LEAST), np.float32(0)))
#: Ties, thresholds that fall on an entry, sums that need all bits, and what is left to other code.
SCORES = [0.0, -0.0, 0.25, -0.5, 0.75, 1.0, -1.0, LEAST, -LEAST, 1.0 + 2.0**-23, 1.0 - 2.0**-24, 1e30, -np.inf]
OTHERS = [BELOW, -BELOW, 1e-45, np.inf, np.nan]

sparsemax = activations.get("sparsemax")


def by_themselves(x):
    return np.concatenate([sparsemax(row[None]) for row in x])


@given(arrays.arrays(np.float32, st.tuples(st.just(2 * ROWS), st.integers(1, 20)), elements=st.sampled_from(SCORES)))
def test_scores_on_a_grid_have_the_bits_of_each_row_alone(x):
    assert same_bits(sparsemax(x), by_themselves(x))


@pytest.mark.parametrize("others", [[], OTHERS], ids=["none", "some"])
@pytest.mark.parametrize("scale", [1e-7, 1e-3, 0.1, 1.0, 10.0, 1e6])
def test_any_scores_have_the_bits_of_each_row_alone(scale, others):
    rng = np.random.default_rng(0)
    for columns in (1, 2, 3, 4, 5, 8, 9, 10, 16, 17, 31, 33, LONG - 1):
        x = (rng.standard_normal((5 * ROWS + 1, columns)) * scale).astype(np.float32)
        if others:
            x = np.where(rng.random(x.shape) < 0.01, rng.choice(others, x.shape), x).astype(np.float32)
        expected = by_themselves(x)
        for rows in (ROWS - 1, ROWS, ROWS + 1, ROWS + ROWS // 2, 5 * ROWS + 1):
            assert same_bits(sparsemax(x[:rows]), expected[:rows]), (columns, rows)


def test_the_longest_row_whose_entries_are_all_kept_needs_every_bit_of_the_sums():
    x = np.full((ROWS, LONG - 1), LEAST, np.float32)
    x[:, ::2] = np.float32(LEAST * (1 + 2.0**-23))
    assert same_bits(sparsemax(x), by_themselves(x))
    assert float(np.spacing(np.float32(LEAST))) * 2.0**52 == LONG


def test_rows_are_marked_that_may_round_or_have_no_highest_entry():
    intrinsic = _mark(ROWS)
    mark = numba.njit(lambda x, apart, columns, tops: intrinsic(x, apart, columns, tops))
    usual = [0.0, -0.0, LEAST, -LEAST, 1.0, -3e38, -np.inf]
    for other in OTHERS:
        for r in range(ROWS):
            lines = np.repeat(np.array(usual, np.float32)[:, None], ROWS, axis=1)
            lines[r % len(usual), r] = other
            tops = lines.max(axis=0, where=~np.isnan(lines), initial=-np.inf).astype(np.float64)
            expected = np.where(np.arange(ROWS) == r, np.nan, tops)
            assert mark(lines.ctypes.data, lines.strides[0], len(lines), tops.ctypes.data) == 1
            np.testing.assert_array_equal(tops, expected)


def test_the_search_for_what_is_kept_ends_in_rows_that_are_left_to_others_too():
    intrinsic = _kept(ROWS)
    find = numba.njit(lambda gaps, apart, columns, counts, rests: intrinsic(gaps, apart, columns, counts, rests))
    rng = np.random.default_rng(1)
    for columns in (1, 2, 40, LONG - 1):
        gaps = -rng.random((columns, ROWS)) * 10.0 ** rng.integers(-20, 2, (columns, ROWS))
        gaps[rng.random(gaps.shape) < 0.1] = rng.choice([np.nan, -np.inf, np.inf])
        counts, rests = np.empty(ROWS), np.empty(ROWS)
        find(gaps.ctypes.data, gaps.strides[0], columns, counts.ctypes.data, rests.ctypes.data)
        assert ((counts >= 0) & (counts <= columns)).all()


def on_one_row(row):
    """Return whether `alone` has done a row, and what then stands in y, which was full of 7."""
    y, gaps, sums = np.full(row.size, np.float32(7)), np.empty(row.size), np.empty(3 * SUMS)
    done = run_alone(row.ctypes.data, y.ctypes.data, row.size, float(row.max()), gaps.ctypes.data, sums.ctypes.data)
    return done, y


run_alone = alone()


@pytest.mark.parametrize("scale", [1e-4, 0.01, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("size", [1, 2, 15, 16, 33, 100, 1000, 5000])
def test_one_row_has_the_bits_of_the_numpy_reading(size, scale):
    row = (np.random.default_rng(size).standard_normal(size) * scale).astype(np.float32)
    row[np.abs(row) < 1e-6] = 0.0
    done, y = on_one_row(row)
    assert done
    assert same_bits(y, sparsemax.numpy(row))
    assert same_bits(sparsemax(row), y)


def test_one_row_needs_every_bit_of_the_sums_and_is_refused_beyond():
    row = np.zeros((1 << 12) - 1, np.float32)
    row[0] = 0.5  # 1 - S is a little less than 1 + 4094 / 2, and so the least than 2^-18
    row[1:1000] = 2.0**-18 * (1 + 2.0**-23)
    done, y = on_one_row(row)
    assert done
    assert same_bits(y, sparsemax.numpy(row))
    row[1001] = 2.0**-18 * (1 - 2.0**-12)
    assert not on_one_row(row)[0]


@pytest.mark.parametrize("other", [1e-9, -1e-9, 1e-45, np.inf, np.nan])
@pytest.mark.parametrize("place", [0, 50, 99])
def test_one_row_with_such_an_entry_is_refused_and_nothing_written(other, place):
    row = np.full(100, 0.25, np.float32)
    row[place] = other
    done, y = on_one_row(row)
    assert not done
    assert (y == 7.0).all()
