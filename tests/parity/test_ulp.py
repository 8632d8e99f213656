"""parity.ulp against exact rational arithmetic, and at the places where ulps go wrong."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from parity import ulp
from refnet.errors import DTypeError
from tests.parity.exact import exact_error, exact_ulp

FORMATS = ["float16", "bfloat16", "float32", "float64"]


def some_numbers(name: str, count: int = 400) -> np.ndarray:
    kind = ulp.format_of(name)
    bits = np.random.default_rng(3).integers(0, 2**kind.bits, count, dtype=np.uint64)
    x = ulp.from_bits(bits, name)
    with np.errstate(invalid="ignore"):  # signalling NaNs among the patterns
        return x[np.isfinite(x.astype(np.float64))]


@pytest.mark.parametrize("name", FORMATS)
def test_ulp_is_the_spacing_of_the_binade(name: str) -> None:
    kind = ulp.format_of(name)
    x = some_numbers(name, 60)
    wanted = [float(exact_ulp(Fraction(float(value)), kind)) for value in x]
    np.testing.assert_array_equal(ulp.ulp(x.astype(np.float64), name), wanted)


@pytest.mark.parametrize("name", FORMATS)
def test_error_agrees_with_rational_arithmetic(name: str) -> None:
    kind = ulp.format_of(name)
    y = some_numbers(name, 60)
    with np.errstate(over="ignore"):
        high = y.astype(np.float64) * (1 + 2.0 ** (1 - kind.precision))
    high = np.where(np.isfinite(high), high, y.astype(np.float64))
    low = high * 2.0**-60
    found = ulp.error(y, high, low)
    for value, a, b, got in zip(y, high, low, found, strict=True):
        assert got == pytest.approx(exact_error(float(value), Fraction(a) + Fraction(b), name), rel=1e-12, abs=1e-15)


def test_unit_halves_just_under_a_power_of_two() -> None:
    y, low = np.full(3, 1 + 2.0**-52), [2.0**-60, 0.0, -(2.0**-60)]
    assert ulp.error(y, np.ones(3), low).tolist() == [1 - 2.0**-8, 1.0, 2 + 2.0**-7]
    assert ulp.error(np.float32([2.0**-126]), [2.0**-126], [-(2.0**-160)]).tolist() == [2.0**-11]  # but below all else


@pytest.mark.parametrize("name", FORMATS)
def test_ordered_bits_count_neighbours(name: str) -> None:
    kind = ulp.format_of(name)
    bits = np.arange(2**16, dtype=np.uint64) << np.uint64(kind.bits - 16)
    x = ulp.from_bits(bits, name)
    with np.errstate(invalid="ignore"):
        x = np.sort(x[np.isfinite(x.astype(np.float64))].astype(np.float64)).astype(kind.dtype)
    steps = np.diff(ulp.ordered(x))
    assert (steps >= 0).all()
    assert (steps == 0).sum() == 1  # the two zeros
    if kind.bits == 16:
        assert (steps[steps > 0] == 1).all()


def test_distance_over_the_whole_range_and_nan() -> None:
    top = np.finfo(np.float64).max
    a = np.float64([-top, 0.0, math.nan, math.nan])
    b = np.float64([top, -0.0, -math.nan, 1.0])
    assert ulp.distance(a, b).tolist() == [2 * 0x7FEFFFFFFFFFFFFF, 0, 0, 2**64 - 1]


def test_infinities_count_as_the_next_power_of_two() -> None:
    top = float(np.finfo(np.float32).max)
    assert ulp.error(np.float32([np.inf]), [top]).tolist() == [1.0]
    assert ulp.error(np.float32([top]), [np.inf]).tolist() == [-1.0]
    assert ulp.error(np.float32([np.inf]), [np.inf]).tolist() == [0.0]
    assert ulp.error(np.float32([np.inf]), [2.0**128], [2.0**80]).tolist() == [0.0]
    assert ulp.error(np.float32([2.0**126]), [2.0**126], [2.0**102]).tolist() == [-0.5]
    assert ulp.error(np.float64([np.inf]), [np.finfo(np.float64).max]).tolist() == [1.0]


def test_nan_against_a_number_is_beyond_every_bound() -> None:
    assert ulp.error(np.float32([np.nan, 1.0, np.nan]), [1.0, np.nan, np.nan]).tolist() == [math.inf, math.inf, 0.0]


def test_classes() -> None:
    x = np.float32([1.0, 1.0, 1.0, 0.0, -0.0, np.inf, np.nan, 1.0])
    true = [1.0, 1e-40, 2.0**127, 0.5, 0.5, 1.0, np.nan, 0.0]
    names = [ulp.CLASSES[code] for code in ulp.classify(x, true)]
    assert names == ["normal", "subnormal", "overflow", "special", "special", "special", "special", "normal"]


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float32"])
def test_rounding_once(name: str) -> None:
    kind = ulp.format_of(name)
    y = np.sort(np.abs(some_numbers(name, 2000).astype(np.float64)))
    ulps = ulp.ulp(y, name)
    inside = np.abs(y) < 2.0**kind.emax
    y, ulps = y[inside], ulps[inside]
    even = ulp.to_bits(y.astype(kind.dtype)) & 1 == 0
    np.testing.assert_array_equal(ulp.round_wide(y + ulps / 4, name).astype(np.float64), y)
    # A tie goes to the even neighbour; a hair beyond the tie does not, which rounding by way of float32 would miss.
    np.testing.assert_array_equal(ulp.round_wide(y + ulps / 2, name).astype(np.float64), np.where(even, y, y + ulps))
    hair = ulps * 2.0 ** (kind.precision - 1 - 50)
    np.testing.assert_array_equal(ulp.round_wide(y + ulps / 2 + hair, name).astype(np.float64), y + ulps)


@pytest.mark.parametrize("name", FORMATS)
def test_infinity_has_its_pattern(name: str) -> None:
    x = ulp.from_bits([ulp.FORMATS[name].infinity - 1, ulp.FORMATS[name].infinity], name).astype(np.float64)
    assert np.isinf(x).tolist() == [False, True]


def test_unknown_dtype_is_named() -> None:
    with pytest.raises(DTypeError, match="'int32' cannot be judged; accepted: float16, bfloat16, float32, float64"):
        ulp.format_of(np.int32)


@pytest.mark.parametrize("dtype", ulp.FORMATS)
def test_numbers_are_written_so_that_they_can_be_read_back(dtype: str) -> None:
    pytest.importorskip("ml_dtypes", reason="bfloat16 is a dtype of the package ml_dtypes")
    kind = ulp.FORMATS[dtype]
    for bits in np.random.default_rng(4).integers(0, kind.infinity - 1, 40).tolist():
        value = ulp.from_bits([bits], dtype)[0]
        assert kind.dtype.type(ulp.number(bits, dtype)) == value
