"""sparsemax' kernel against mpmath, against the NumPy reading, and against itself in other company."""

from __future__ import annotations

from collections.abc import Iterator

import mpmath
import numpy as np
import pytest
from hypothesis import given, strategies as st
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
