from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from parity import truth
from parity.sweep import series
from parity.ulp import fraction


def test_chebyshev_polynomials_are_those_of_numpy():
    for degree in range(9):
        wanted = np.polynomial.chebyshev.cheb2poly([0] * degree + [1])
        assert list(series.chebyshev(degree)) == wanted.tolist()


@pytest.mark.parametrize("count", series.COUNTS)
def test_a_polynomial_comes_back_from_its_values(count):
    """Any polynomial of that degree is found, to all but the last few of its digits."""
    powers = np.random.default_rng(count).integers(-(2**40), 2**40, count + 1).tolist()
    m = truth.context(series.BITS)
    nodes = series.cosines()[0][: series.COUNTS[-1] + 1 : series.COUNTS[-1] // count]
    values = [series.fixed(m.fsum(each * node**k for k, each in enumerate(powers)), 60) for node in nodes]
    found = series.monomials(series.coefficients_through(values, count))
    wanted = [each << (series.BITS - 60) for each in powers]
    assert all(abs(a - b) < 2**80 for a, b in zip(found, wanted, strict=True))
    place = 12345
    exact = sum(Fraction(each) * Fraction(place, 65536) ** k for k, each in enumerate(wanted))
    assert abs(series.horner(wanted, place) - exact) < 2 * count


def test_dyadic_numbers_taken_apart():
    assert series.lowest_bit(Fraction(3, 8)) == -3
    assert series.lowest_bit(Fraction(48)) == 4
    assert series.significant_bits(Fraction(-48)) == 2
    assert series.significant_bits(Fraction(0)) == 0
    assert fraction(mpmath.mpf("-0.375")) == Fraction(-3, 8)


def test_short_numbers_have_twelve_bits():
    m = truth.context(200)
    rounded = fraction(series.short(m.pi, m))
    assert series.significant_bits(rounded) <= 12
    assert abs(float(rounded) - np.pi) < 2.0**-10
    assert series.short(m.mpf("0.5"), m) == 0.5
    assert series.short(m.mpf(0), m) == 0
