"""The words of formulas as NumPy reads them."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, strategies as st

from refnet import elementary

middle = st.floats(-1e100, 1e100).filter(lambda x: x == 0 or abs(x) > 1e-100)


@pytest.fixture(autouse=True)
def _quiet():
    """Formulas run with NumPy's warnings off, since they compute both sides of every choice."""
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("word", elementary.__all__)
def test_every_word_exists(word):
    assert callable(getattr(elementary, word))


@given(st.floats(1e-200, 1e200), st.floats(0.0, 1e200), st.sampled_from([-1.0, 1.0]))
def test_sum_beyond_is_the_sum_or_the_number_beyond_a(a, b, sign):
    expected = a + b if a + b != a else np.nextafter(a, np.inf)
    assert float(elementary.sum_beyond(sign * a, sign * b)) == sign * float(expected)


def test_sum_beyond_then_float32_is_the_rounded_true_sum():
    tie = 1.0 + 2.0**-24
    for low in (2.0**-200, 5e-324, 0.0):  # a 0 stands for what was too small
        assert np.float32(elementary.sum_beyond(tie, low)) == np.float32(1.0 + 2.0**-23)
        assert np.float32(elementary.sum_beyond(-tie, -low)) == np.float32(-1.0 - 2.0**-23)


def test_sum_beyond_keeps_zeros_and_infinities():
    assert math.copysign(1.0, elementary.sum_beyond(0.0, -0.0)) == 1.0
    assert elementary.sum_beyond(-math.inf, -1.0) == -math.inf
    assert np.isnan(elementary.sum_beyond(np.nan, 1.0))
    np.testing.assert_array_equal(elementary.sum_beyond(np.array([0.0, -math.inf]), -1.0), [-1.0, -math.inf])


@given(middle, middle, middle)
def test_fma_rounds_once(a, b, c):
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    got = Fraction(float(elementary.fma(a, b, c)))
    spacing = Fraction(float(np.spacing(abs(float(exact))))) if exact else Fraction(0)
    assert abs(got - exact) <= spacing * Fraction(5001, 10000)


@given(middle, middle)
def test_fma_gives_the_error_of_a_product(a, b):
    product = a * b
    if math.isfinite(product) and abs(product) > 1e-250:
        assert Fraction(float(elementary.fma(a, b, -product))) == Fraction(a) * Fraction(b) - Fraction(product)


def test_fma_passes_infinities_and_nan():
    assert elementary.fma(math.inf, 1.0, 1.0) == math.inf
    assert np.isnan(elementary.fma(np.nan, 1.0, 1.0))
    assert elementary.fma(np.float64(1e308), np.float64(10.0), 0.0) == math.inf


@given(middle, middle)
def test_two_sum_loses_nothing(a, b):
    total, lost = elementary.two_sum(a, b)
    assert Fraction(float(total)) + Fraction(float(lost)) == Fraction(a) + Fraction(b)


@given(middle, middle)
def test_sum_odd_rounds_to_odd(a, b):
    got = float(elementary.sum_odd(a, b))
    exact = Fraction(a) + Fraction(b)
    if Fraction(got) != exact:
        assert np.float64(got).view(np.int64) & 1 == 1
        neighbours = (np.nextafter(got, -math.inf), np.nextafter(got, math.inf))
        assert Fraction(float(neighbours[0])) < exact < Fraction(float(neighbours[1]))


def test_sum_odd_then_float32_is_the_rounded_true_sum():
    tie = 1.0 + 2.0**-24
    for low, right in ((2.0**-200, 1.0 + 2.0**-23), (-(2.0**-200), 1.0), (0.0, 1.0)):
        assert np.float32(elementary.sum_odd(tie, low)) == np.float32(right)


def test_sum_odd_keeps_zeros_and_infinities():
    assert math.copysign(1.0, elementary.sum_odd(-0.0, 0.0)) == -1.0
    assert elementary.sum_odd(math.inf, 1.0) == math.inf
    assert np.isnan(elementary.sum_odd(np.nan, 1.0))
    np.testing.assert_array_equal(elementary.sum_odd(np.array([1.0, -math.inf]), 1.0), [2.0, -math.inf])


@given(middle, middle, middle)
def test_ratio_rounds_once(a, b, c):
    below = Fraction(b) + Fraction(c)
    if a == 0 or below == 0 or abs(below) < 1e-60 * (abs(b) + abs(c)) or not 1e-140 < abs(Fraction(a) / below) < 1e140:
        return
    exact = Fraction(a) / below
    got = Fraction(float(elementary.ratio(a, b, c)))
    assert abs(got - exact) <= Fraction(float(np.spacing(abs(float(exact))))) * Fraction(51, 100)


def test_ratio_at_the_edges():
    assert elementary.ratio(math.inf, 1.0, 0.0) == math.inf
    assert elementary.ratio(1.0, math.inf, 1.0) == 0.0
    assert math.copysign(1.0, elementary.ratio(-0.0, 1.0, 1.0)) == -1.0


def test_exp_sum_adds_the_low_part():
    x, low = -50.123456789, 3e-15
    exact = mpmath.exp(mpmath.mpf(x) + mpmath.mpf(low))
    assert abs(elementary.exp_sum(x, low) / exact - 1) < 2.0**-51
    assert elementary.exp_sum(1000.0, -1e-14) == math.inf
    assert elementary.exp_sum(-math.inf, 0.0) == 0.0


def test_normal_cdf():
    """2.5 ulp: the C library's erfc and one rounding more."""
    for x in np.concatenate([np.linspace(-37, 8, 400), [0.0, 1e-300, -1e-17]]):
        exact = mpmath.ncdf(mpmath.mpf(float(x)))
        assert abs(float(elementary.normal_cdf(x)) - exact) <= 2.5 * np.spacing(float(exact))
    assert elementary.normal_cdf(-math.inf) == 0.0
    assert elementary.normal_cdf(math.inf) == 1.0
    assert np.isnan(elementary.normal_cdf(np.nan))


def test_erfc_takes_numbers_and_arrays():
    assert elementary.erfc(0.0) == 1.0
    np.testing.assert_array_equal(elementary.erfc(np.array([0.0, math.inf])), [1.0, 0.0])


def test_choose_takes_both_kinds_of_number():
    np.testing.assert_array_equal(elementary.choose(np.array([True, False]), 1.0, 2.0), [1.0, 2.0])
    assert elementary.choose(mpmath.mpf(1) > 0, 1, 2) == 1


def test_shift_of_the_deep_tail_is_1088_log_2():
    total = mpmath.mpf(elementary.DEEP_HIGH) + elementary.DEEP_LOW
    assert abs(total - 1088 * mpmath.log(2)) < 2.0**-90
    x = np.random.default_rng(2).uniform(-1500, -700, 1000)
    shifted = x + elementary.DEEP_HIGH
    assert all(mpmath.mpf(s) == mpmath.mpf(v) + elementary.DEEP_HIGH for s, v in zip(shifted, x, strict=True))


@given(st.floats())
def test_within_is_the_number_where_it_may_be_used(x):
    y = elementary.within(x, -40.0, 40.0)
    assert y == x or abs(x) > 40.0 or (math.isnan(x) and math.isnan(y))
    assert not abs(y) > 40.0
