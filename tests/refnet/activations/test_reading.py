"""What goes in, what rows are made of, and the one rounding."""

from __future__ import annotations

import array
import math

import numpy as np
import pytest

from refnet.activations.reading import as_floating, diagonals, itself, narrow, row_shares, row_terms
from refnet.errors import DTypeError, ShapeError


class Tensor:
    """What NumPy reads as an array of float64, as it does the tensors of TensorFlow and PyTorch."""

    dtype = "float64"

    def __array__(self, dtype=None, copy=None):
        return np.ones(1, np.float64)


class Broken:
    """An array-like whose own conversion fails."""

    def __array__(self, dtype=None, copy=None):
        raise ValueError("no data")


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        ([1.5, 2.0], np.float32),
        (1.5, np.float32),
        ([1, 2], np.float32),
        (np.array([1, 2]), np.float32),
        (np.array([True]), np.float32),
        (np.float64(1.5), np.float64),
        (np.array([1.5]), np.float64),
        (np.array([1.5], np.float16), np.float16),
        (np.array([1.5], ">f8"), np.float64),
        (np.array([1.5], ">f4"), np.float32),
        (np.array([1.5], np.longdouble), np.float64),
        (np.longdouble(1.5), np.float64),
    ],
)
def test_dtypes(given, dtype):
    x = as_floating(given, "here")
    assert x.dtype == dtype
    assert x.dtype.isnative


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([1j], DTypeError, "here: input of dtype complex128 is not accepted; accepted: real numbers"),
        ("relu", DTypeError, "here: input of dtype <U4"),
        (None, DTypeError, "here: input of type NoneType"),
        (np.array([None]), DTypeError, "here: input of dtype object"),
        (np.array(["2024-01-01"], "M8[D]"), DTypeError, "here: input of dtype datetime64"),
        (Broken(), DTypeError, "here: input of type Broken is not accepted; accepted: real numbers"),
        pytest.param(10**400, DTypeError, "here: input of an integer beyond 64 bits is not accepted", id="10**400"),
        ([0, -(2**64)], DTypeError, "integer beyond 64 bits is not accepted; accepted: real numbers up to 64 bits"),
        ([0, None], DTypeError, "here: input of type list is not accepted; accepted: real numbers"),
        ([[1.0], [1.0, 2.0]], ShapeError, "here: input is ragged; accepted: rows of one length"),
    ],
)
def test_refusals(given, error, message):
    with pytest.raises(error) as caught:
        as_floating(given, "here")
    assert message in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_numbers_beyond_float32_are_infinite_without_a_warning():
    np.testing.assert_array_equal(as_floating([1e39, -1e300, 1e-60], "here"), np.float32([math.inf, -math.inf, 0.0]))


@pytest.mark.filterwarnings("error")
def test_long_double_is_rounded_to_float64_without_a_warning():
    wide = np.array([np.finfo(np.longdouble).max, 1, -1]) / np.longdouble(3)
    np.testing.assert_array_equal(as_floating(wide[1:], "here"), np.float64(wide[1:]))
    if np.finfo(np.longdouble).maxexp > 1024:
        assert as_floating(wide, "here")[0] == math.inf


def test_narrow_rounds_to_bfloat16_once():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    tie = 1.0 + 2.0**-8  # halfway between two bfloat16 numbers
    above = np.array([tie + 2.0**-40, tie, tie - 2.0**-40, -tie - 2.0**-40, math.inf, math.nan, 1e300])
    got = narrow(above, np.dtype(bfloat16)).astype(np.float64)
    np.testing.assert_array_equal(got, [1.0 + 2.0**-7, 1.0, 1.0, -1.0 - 2.0**-7, math.inf, math.nan, math.inf])


def test_row_terms():
    highest, term, rest = row_terms(np.array([[1.0, 3.0, 3.0, -math.inf]]), itself)
    assert highest.tolist() == [[3.0]]
    np.testing.assert_array_equal(term, [[np.exp(-2.0), 1.0, 1.0, 0.0]])
    assert rest.tolist() == [[1.0 + np.exp(-2.0)]]


def test_a_row_s_share_is_made_of_its_rest():
    x = np.array([[1.0, 3.0, 3.0], [0.0, 0.0, np.nan]])
    share = row_terms(x, lambda rest: 10.0 * rest)[2]
    np.testing.assert_array_equal(share, [[10.0 + 10.0 * np.exp(-2.0)], [np.nan]])


def test_row_terms_carry_what_the_difference_loses():
    x = np.array([[1e-17, 700.0]])
    assert row_terms(x, itself)[1][0, 0] == np.exp(-700.0)
    x = np.array([[0.1, 700.0]])
    right = float(np.exp(np.longdouble(0.1) - np.longdouble(700.0)))
    assert abs(row_terms(x, itself)[1][0, 0] - right) <= 2 * np.spacing(right)


def test_row_shares_keep_what_the_others_have():
    share, others = row_shares(np.array([[0.0, 60.0]], np.longdouble))
    right = np.exp(np.longdouble(-60.0)) / (1 + np.exp(np.longdouble(-60.0)))
    assert (share[0, 0], others[0, 1]) == (right, right)
    assert others[0, 0] == share[0, 1] == 1 - right
    assert share.dtype == others.dtype == np.longdouble


def test_diagonals_of_several_rows():
    matrices = diagonals(np.array([[1.0, np.inf], [3.0, 4.0]]), np.array([[5.0, 6.0], [np.nan, 8.0]]))
    np.testing.assert_array_equal(matrices[0], [[1.0, 0.0, 5.0, 0.0], [0.0, np.inf, 0.0, 6.0]])
    np.testing.assert_array_equal(matrices[1], [[3.0, 0.0, np.nan, 0.0], [0.0, 4.0, 0.0, 8.0]])


def test_a_mask_is_not_lost():
    with pytest.raises(DTypeError, match=r"^who: input is a masked array, whose mask would be lost; accepted"):
        as_floating(np.ma.array([1.0, 2.0], mask=[True, False]), "who")


@pytest.mark.parametrize("given", [array.array("d", [1.0]), memoryview(np.ones(1)), Tensor()])
def test_what_has_a_dtype_keeps_it(given):
    assert as_floating(given, "who").dtype == np.float64
