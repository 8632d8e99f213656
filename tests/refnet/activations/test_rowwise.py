"""softmax, log_softmax, glu and sparsemax, and their Jacobians, against mpmath, row by row."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

from refnet import activations
from refnet.activations import REGISTRY, Activation
from refnet.errors import ArgumentError, ShapeError
from tests.refnet.activations.judge import error_in_ulp

INF, NAN = math.inf, math.nan
ROWS = [name for name in activations.names() if REGISTRY[name].kind != "elementwise"]
READINGS = [pytest.param(Activation.numpy, id="numpy"), pytest.param(Activation.__call__, id="compiled")]


def rows(dtype):
    rng = np.random.default_rng(11)
    yield from (rng.normal(size=n) * scale for n in (1, 2, 4, 10, 100) for scale in (1e-3, 1, 5, 100))
    yield from (rng.normal(size=n) for n in (1000, 10_000))
    yield np.array([30.0, 1.0, 2.0, 0.5])  # dominated by one entry
    yield np.array([0.6, 0.5, 0.0, 0.1])
    yield np.array([1.0, 1.0, 1.0, 1.0])
    yield np.array([1.0, np.nextafter(dtype(0), dtype(1)), 0.0, -1e-30])
    largest = float(np.finfo(dtype).max)
    yield np.array([largest, largest, -largest, 1.0])
    yield np.array([largest / 2, -largest, 3.0, largest * 0.9])


# NumPy's reading in float64: the terms are rounded, their sum and the quotient too (its exp takes softmax to 2.7);
# log_softmax rounds x - highest, the logarithm and the difference; glu multiplies an exponential and divides
FLOAT64_ULP = {"softmax": 3.0, "log_softmax": 2.0, "glu": 2.0, "sparsemax": 1.0}


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda t: t.__name__)
@pytest.mark.parametrize("read", READINGS)
@pytest.mark.parametrize("name", ROWS)
def test_rows_are_accurate(name, read, dtype):
    block = REGISTRY[name]
    in_pairs = read is not Activation.numpy
    bound = 0.5001 if dtype is np.float32 else 0.77 if in_pairs else FLOAT64_ULP[name]
    for row in rows(dtype):
        if name == "glu" and len(row) % 2:
            continue
        row = row.astype(dtype)
        exact = block.exact(mpmath, [mpmath.mpf(float(x)) for x in row])
        for got, t in zip(read(block, row), exact, strict=True):
            assert error_in_ulp(float(got), mpmath.mpf(t), dtype) <= bound, (row[:4], got, mpmath.nstr(t, 20))


@pytest.mark.parametrize("dtype", [np.float16, np.float32], ids=lambda t: t.__name__)
@pytest.mark.parametrize("read", READINGS)
@pytest.mark.parametrize("gap", [64.0, 512.0, 1024.0])
def test_log_softmax_below_the_middle_of_two_numbers_is_the_lower_one(gap, read, dtype):
    # The logarithm is too small for float64 to show beside the difference, and at 1024 too small for any float64.
    ulp = float(np.spacing(dtype(gap)))
    scores = -gap - ulp * np.arange(8)
    row = np.array([ulp / 2, *scores], dtype)
    assert (row[1:] - np.float64(row[0]) == scores - ulp / 2).all()
    for many in (1, 100):
        y = read(REGISTRY["log_softmax"], np.tile(row, (many, 1)))
        assert (y[:, 1:] == scores - ulp).all()


@pytest.mark.parametrize("read", READINGS)
@pytest.mark.parametrize("b", [1e-30, -1e-30, 1e-45, -1e-45, 1e-8, -1e-8])
def test_a_gate_that_is_all_but_half_open_decides_to_which_side_half_of_a_number_is_rounded(b, read):
    ulp = 2.0**-149
    a = ulp * np.array([1, 3, 5, 2**22 + 1, 2**23 - 1, 2**23 + 1, 2**24 - 1], np.float64)
    expected = a / 2 + (ulp / 2 if b > 0 else -ulp / 2)
    for sign in (1.0, -1.0):
        row = np.concatenate([sign * a, np.full(len(a), b)]).astype(np.float32)
        for many in (1, 100):
            y = read(REGISTRY["glu"], np.tile(row, (many, 1)))
            assert (y == sign * expected).all()


SPECIAL = {
    "softmax": [
        ([1.0, INF, 2.0], [0.0, 1.0, 0.0]),
        ([1.0, INF, INF], [0.0, NAN, NAN]),
        ([-INF, -INF, -INF], [NAN, NAN, NAN]),
        ([-INF, 0.0, 0.0], [0.0, 0.5, 0.5]),
        ([1.0, NAN, 2.0], [NAN, NAN, NAN]),
        ([INF, NAN, 2.0], [NAN, NAN, NAN]),
        ([-INF, INF], [0.0, 1.0]),
    ],
    "log_softmax": [
        ([1.0, INF, 2.0], [-INF, 0.0, -INF]),
        ([1.0, INF, INF], [-INF, NAN, NAN]),
        ([-INF, -INF, -INF], [NAN, NAN, NAN]),
        ([-INF, 3.0], [-INF, 0.0]),
        ([1.0, NAN, 2.0], [NAN, NAN, NAN]),
    ],
    "sparsemax": [
        ([1.0, INF, 2.0], [0.0, 1.0, 0.0]),
        ([1.0, INF, INF], [0.0, NAN, NAN]),
        ([-INF, -INF, -INF], [NAN, NAN, NAN]),
        ([-INF, 0.0, 0.0], [0.0, 0.5, 0.5]),
        ([1.0, NAN, 2.0], [NAN, NAN, NAN]),
    ],
    "glu": [
        ([2.0, -INF], [0.0]),
        ([2.0, INF], [2.0]),
        ([-2.0, -INF], [-0.0]),
        ([INF, -INF], [NAN]),
        ([-INF, -INF], [NAN]),
        ([INF, INF], [INF]),
        ([-INF, -100.0], [-INF]),
        ([0.0, 3.0], [0.0]),
        ([0.0, NAN], [NAN]),
        ([INF, NAN], [NAN]),
        ([-0.0, -3.0], [-0.0]),
        ([NAN, 1.0], [NAN]),
        ([1.0, NAN], [NAN]),
    ],
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda t: t.__name__)
@pytest.mark.parametrize("read", READINGS)
@pytest.mark.parametrize("name", ROWS)
def test_special_rows(name, read, dtype):
    for row, expected in SPECIAL[name]:
        got = read(REGISTRY[name], np.array(row, dtype))
        np.testing.assert_array_equal(got, np.array(expected, dtype), err_msg=str(row))
        np.testing.assert_array_equal(np.signbit(got)[~np.isnan(got)], np.signbit(expected)[~np.isnan(expected)])


finite_rows = arrays.arrays(np.float32, st.integers(1, 12), elements=st.floats(-1e4, 1e4, width=32))


@given(finite_rows)
def test_probabilities_add_up_and_keep_the_order(row):
    for name in ("softmax", "sparsemax"):
        y = REGISTRY[name].numpy(row)
        assert y.min() >= 0
        assert abs(y.sum(dtype=np.float64) - 1) <= len(row) * 2.0**-24
        assert (np.diff(y[np.argsort(row, kind="stable")]) >= 0).all()


@given(finite_rows)
def test_log_softmax_is_never_positive(row):
    assert activations.log_softmax.numpy(row).max() <= 0


def test_sparsemax_where_keras_is_wrong():
    np.testing.assert_array_equal(activations.sparsemax([1.0, 1.0, 1.0]), np.full(3, 1 / 3, np.float32))
    np.testing.assert_array_equal(activations.sparsemax([0.6, 0.5, 0.0]), np.array([0.55, 0.45, 0.0], np.float32))


def test_sparsemax_keeps_digits_where_score_and_threshold_cancel():
    row = np.array([0.5, 0.5, 1e-9, -3.0], np.float32)
    exact = activations.sparsemax.exact(mpmath, [mpmath.mpf(float(x)) for x in row])
    for got, t in zip(activations.sparsemax.numpy(row), exact, strict=True):
        assert error_in_ulp(float(got), t, np.float32) <= 0.5


def test_a_long_row_of_equals():
    row = np.zeros(10_000, np.float32)
    np.testing.assert_array_equal(activations.sparsemax.numpy(row), np.full(10_000, 1e-4, np.float32))
    np.testing.assert_array_equal(activations.softmax.numpy(row), np.full(10_000, 1e-4, np.float32))


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda t: t.__name__)
@pytest.mark.parametrize("read", READINGS)
def test_a_gate_that_is_all_but_closed(read, dtype):
    block, bound = REGISTRY["glu"], 0.77 if read is Activation.__call__ or dtype is np.float32 else 2.0
    largest = float(np.finfo(dtype).max)
    sizes = np.array([largest, largest / 3, 1e30, 1.0, -7.0, 1e-30], dtype)
    for depth in (80.0, 87.0, 88.0, 103.0, 150.0, 191.0, 700.0, 708.0, 745.0, 1000.0, 1400.0, 1417.5, 1450.0, 1454.0):
        gates = np.full(len(sizes), -depth, dtype)
        for a, b, got in zip(sizes, gates, read(block, np.concatenate([sizes, gates])), strict=True):
            (exact,) = block.exact(mpmath, [mpmath.mpf(float(a)), mpmath.mpf(float(b))])
            assert error_in_ulp(float(got), exact, dtype) <= bound, (a, b, got)


def test_an_infinity_passes_every_gate_that_is_not_closed():
    for dtype in (np.float16, np.float32, np.float64):
        gates = np.array([-3.0, -800.0, -1e4, -6e4], dtype)
        for read in (Activation.numpy, Activation.__call__):
            y = read(REGISTRY["glu"], np.concatenate([np.array([np.inf, -np.inf, np.inf, -np.inf], dtype), gates]))
            assert y.tolist() == [np.inf, -np.inf, np.inf, -np.inf]


def test_glu_needs_an_even_axis():
    with pytest.raises(
        ShapeError, match="activation 'glu': an axis of size 3 cannot be halved; accepted: an even size"
    ):
        activations.glu(np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("name", ROWS)
def test_axes(name):
    x = np.random.default_rng(5).normal(size=(4, 6, 2)).astype(np.float32)
    block = REGISTRY[name]
    for axis in (0, 1, 2, -1, -2):
        expected = np.moveaxis(block(np.moveaxis(x, axis, -1)), -1, axis)
        np.testing.assert_array_equal(block(x, axis=axis), expected)
    with pytest.raises(ArgumentError, match=f"activation '{name}': axis 3"):
        block(x, axis=3)


def slope_rows(dtype):
    """Yield rows that all kinds take, with one entry that dominates by more and more, and with gates that close."""
    yield from (row.astype(dtype) for row in rows(dtype) if len(row) <= 10 and len(row) % 2 == 0)
    yield np.random.default_rng(13).normal(size=16).astype(dtype)
    for depth in (17.0, 40.0, 90.0, 110.0, 350.0, 700.0, 710.0, 745.0, 1450.0):
        yield np.array([depth, 0.0, 0.5, -1.0], dtype)
        yield np.array([0.0, -0.5, -depth, depth], dtype)
        yield np.array([np.finfo(dtype).max, -1e30, -depth, depth], dtype)


def jacobian(block, row):
    """Return the derivative of ``exact`` by differences of such digits that no float64 shows their error."""
    with mpmath.workprec(3600):
        x, step = [mpmath.mpf(float(each)) for each in row], mpmath.ldexp(1, -1200)
        columns = []
        for j in range(len(x)):
            right, left = (block.exact(mpmath, [*x[:j], x[j] + h, *x[j + 1 :]]) for h in (step, -step))
            columns.append([(b - a) / (2 * step) for a, b in zip(left, right, strict=True)])
        return np.array(columns).T


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda t: t.__name__)
@pytest.mark.parametrize("name", ROWS)
def test_slope_is_the_jacobian_rounded(name, dtype):
    if dtype is np.float64 and np.finfo(np.longdouble).nmant < 63:
        pytest.skip("long double is no wider than float64 here")
    bound = 0.5001 if dtype is np.float32 else 0.51
    for row in slope_rows(dtype):
        got, expected = REGISTRY[name].slope(row), jacobian(REGISTRY[name], row)
        errors = [error_in_ulp(float(y), t, dtype) for y, t in zip(got.flat, expected.flat, strict=True)]
        worst = int(np.argmax(errors))
        assert errors[worst] <= bound, (row, divmod(worst, len(row)), got.flat[worst], errors[worst])


@pytest.mark.parametrize(("dtype", "far"), [(np.float32, 1e30), (np.float64, 1e300)], ids=["float32", "float64"])
@pytest.mark.parametrize("name", ROWS)
def test_slope_at_an_infinity_is_its_limit(name, dtype, far):
    for row in ([0.5, -1.0, INF, -INF], [0.5, 1.0, -INF, 2.0]):
        slope = REGISTRY[name].slope(np.array(row, dtype))
        np.testing.assert_array_equal(slope, REGISTRY[name].slope(np.clip(np.array(row, dtype), -far, far)))
        assert np.isfinite(slope).all()


@pytest.mark.parametrize("name", ROWS)
def test_slope_of_a_result_that_is_nan(name):
    for row, expected in SPECIAL[name]:
        slope = REGISTRY[name].slope(np.array(row))
        assert np.isnan(slope).all(axis=-1).tolist() == np.isnan(expected).tolist(), row


def test_slope_where_infinities_compete():
    assert activations.softmax.slope([1.0, INF, INF])[0].tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_array_equal(activations.log_softmax.slope([1.0, INF, INF])[0], [1.0, NAN, NAN])
    for b in (3.0, -3.0, -1e4):
        assert activations.glu.slope([-INF, b])[0, 1] == -INF
    np.testing.assert_array_equal(activations.glu.slope([INF, INF]), [[1.0, NAN]])


def test_slope_at_a_kink_of_sparsemax():
    assert not activations.sparsemax.slope([1.0, 0.0]).any()
    above = np.nextafter(np.float32(0), np.float32(1))
    assert activations.sparsemax.slope(np.array([1.0, above], np.float32)).tolist() == [[0.5, -0.5], [-0.5, 0.5]]


@pytest.mark.parametrize("name", ROWS)
def test_slope_takes_rows_along_the_last_axis(name):
    results = 2 if name == "glu" else 4
    for dtype in (np.float16, np.float32, np.float64):
        x = np.linspace(-3, 3, 24, dtype=dtype).reshape(2, 3, 4)
        slope = REGISTRY[name].slope(x)
        assert (slope.shape, slope.dtype) == ((2, 3, results, 4), dtype)
        np.testing.assert_array_equal(slope[1, 2], REGISTRY[name].slope(x[1, 2]))
        assert REGISTRY[name].slope(x[:0]).shape == (0, 3, results, 4)
        assert REGISTRY[name].slope(x[..., :0]).shape == (2, 3, 0, 0)
    with pytest.raises(ShapeError, match=f"activation '{name}': a number on its own has no rows"):
        REGISTRY[name].slope(1.0)


def test_slope_of_glu_needs_an_even_axis():
    with pytest.raises(ShapeError, match="activation 'glu': an axis of size 3 cannot be halved"):
        activations.glu.slope(np.zeros((2, 3)))
