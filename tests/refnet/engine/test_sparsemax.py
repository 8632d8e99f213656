"""sparsemax' kernel against mpmath, against the NumPy reading, and against itself in other company."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, strategies as st
from hypothesis.extra import numpy as arrays

from refnet import activations
from tests.refnet.activations.judge import error_in_ulp
from tests.refnet.engine.test_kernels import same_bits

sparsemax = activations.get("sparsemax")


def rows() -> Iterator[np.ndarray]:
    rng = np.random.default_rng(5)
    yield from (rng.normal(size=n) * s for n in (1, 2, 15, 16, 17, 63, 64, 65, 130, 1000) for s in (1e-4, 0.05, 1, 30))
    yield from (rng.choice([0.0, 0.25, -0.5, 1.0], n) for n in (7, 40, 200))  # ties, also with the threshold
    yield -np.cumsum(1.0 / np.arange(1, 300))  # every entry a different distance from the threshold
    yield 1.0 - 2.0 ** -np.arange(60.0)
    yield -(2.0 ** -np.arange(120.0))  # each step puts aside a few
    yield np.array([1.0, 5e-324, 0.0, -1e-30])
    yield np.array([1.0, 2.0**-53, 2.0**-54, -(2.0**-54), -1.0])
    yield np.array([1e16, 1e16 - 2.0, 1e16, 3.0])
    yield np.append(np.full(99, -np.inf), [0.5, 0.25])


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda t: t.__name__)
def test_every_entry_is_right_to_an_ulp(dtype):
    for row in rows():
        row = row.astype(dtype)
        finite = np.isfinite(row)
        got = sparsemax(row)
        assert not got[~finite].any()
        with mpmath.workprec(300):
            exact = sparsemax.exact(mpmath, [mpmath.mpf(float(x)) for x in row[finite]])
            for y, t in zip(got[finite], exact, strict=True):
                assert error_in_ulp(float(y), t, dtype) <= (0.5001 if dtype is np.float32 else 0.51), (row[:5], y)


@given(arrays.arrays(np.float32, st.integers(1, 150), elements=st.floats(-4, 4, width=32)))
def test_float32_is_the_numpy_reading_bit_for_bit(row):
    assert same_bits(sparsemax(row), sparsemax.numpy(row))


SPECIAL = st.sampled_from([0.0, -0.0, 0.5, 1.0, -1e308, 1e308, -np.inf, np.inf, np.nan])


@given(arrays.arrays(np.float64, st.integers(1, 150), elements=SPECIAL, fill=st.just(-1.0)))
def test_special_entries(row):
    got, expected = sparsemax(row), sparsemax.numpy(row)
    np.testing.assert_array_equal(got, expected)
    assert not np.signbit(got[~np.isnan(got)]).any()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("columns", [1, 10, 64, 1000])
def test_a_row_does_not_depend_on_the_rows_around_it(columns, dtype):
    x = (np.random.default_rng(1).normal(size=(37, columns)) * 0.7).astype(dtype)
    x[::5, 0] = np.nan
    x[1::5, -1] = np.inf

    assert same_bits(sparsemax(x), np.stack([sparsemax(row) for row in x]))
    assert same_bits(sparsemax(x.T, axis=0), sparsemax(x).T)


def in_fractions(row: np.ndarray) -> list[float]:
    """Return the row's results, each rounded once."""
    scores = sorted(map(Fraction, row.tolist()), reverse=True)
    sums = [sum(scores[:k]) for k in range(1, len(scores) + 1)]
    tau = next((t - 1) / k for k, t in reversed([*enumerate(sums, 1)]) if 1 + k * scores[k - 1] > t)
    return [float(max(Fraction(x) - tau, Fraction(0))) for x in row.tolist()]


SMALL = st.sampled_from([2.0**-53, 1e-10, 1e-17, 1e-18, 1e-30, 1e-300, 5e-324])
NEAR = st.tuples(SMALL, st.sampled_from([-1, 1, 1, 1]), st.sampled_from([1.0, 2.0, 3.0, 1.0 / 3.0, 0.7])).map(np.prod)
HIGHEST = st.sampled_from([1.0, 1.0 - 2.0**-53, 1.0 + 2.0**-52, 3.0])


@given(HIGHEST, st.lists(NEAR, min_size=1, max_size=20))
@example(1.0, [3e-18, 2e-18, 1e-18])
@example(1.0, [-3.0788116875966707e-16, -1.1861796831151483e-16])  # the second falls on the threshold
@example(1.0, [7e-13, -3e-13, 4.5e-14, 1.1e-12, 6.9e-13, 1.08e-12, 9.4e-13, 5.9e-13, 7.9e-13])  # some are put aside
def test_where_an_entry_and_the_threshold_cancel(highest, near):
    """Entries that lie about 1 below the highest: what is left of 1 + k g - sum may have any size."""
    row = np.array([highest, *(highest - 1.0 + each for each in near)])
    expected = np.array(in_fractions(row))
    for found in (sparsemax(row), sparsemax.numpy(row), sparsemax(row[::-1].copy())[::-1]):
        np.testing.assert_array_max_ulp(found, expected, 1)
        np.testing.assert_array_equal(found == 0.0, expected == 0.0)


def test_what_was_put_aside_counts_for_those_in_doubt_after_it():
    """Of four candidates the first goes at once; the third is in doubt then, and stays."""
    row = np.append(np.array([0.875, 2.425, 1.4]) * 2.0**-42, 1.0)
    found, expected = sparsemax(row), np.array(in_fractions(row))
    np.testing.assert_array_max_ulp(found, expected, 1)
    assert (expected > 0.0).tolist() == [False, True, True, True]


def test_long_rows_that_cancel():
    rng = np.random.default_rng(8)
    for count in (16, 17, 100, 1000):
        row = np.append(rng.standard_normal(count) * 1e-18 + 3e-18, 1.0)
        np.testing.assert_array_max_ulp(sparsemax(row), np.array(in_fractions(row)), 1)
