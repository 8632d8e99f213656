from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from parity.sweep import pairs

SQUARE = 2.0**-106


def some(seed, low=-30, high=0, count=200):
    """Return positive pairs of many sizes whose low halves are as large as they can be, or small."""
    rng = np.random.default_rng(seed)
    first = rng.random(count) * 2.0 ** rng.integers(low, high, count)
    return pairs.quick_sum(first, first * rng.uniform(-1, 1, count) * 2.0 ** -rng.integers(53, 60, count))


def exactly(pair):
    return [Fraction(float(a)) + Fraction(float(b)) for a, b in zip(*pair, strict=True)]


def test_sums_and_products_of_numbers_lose_nothing():
    a, b = some(1)[0], some(2)[0]
    for x, y, found, product in zip(a, b, exactly(pairs.two_sum(a, b)), exactly(pairs.two_product(a, b)), strict=True):
        assert found == Fraction(float(x)) + Fraction(float(y))
        assert product == Fraction(float(x)) * Fraction(float(y))


@pytest.mark.parametrize(
    ("operate", "right", "bound"),
    [
        (pairs.add, lambda x, y: x + y, 4 * SQUARE),
        (pairs.multiply, lambda x, y: x * y, 8 * SQUARE),
        (pairs.divide, lambda x, y: x / y, 16 * SQUARE),
    ],
    ids=["add", "multiply", "divide"],
)
def test_operations_keep_their_bounds(operate, right, bound):
    x, y = some(3), some(4)
    for found, a, b in zip(exactly(operate(x, y)), exactly(x), exactly(y), strict=True):
        assert abs(found / right(a, b) - 1) <= bound


@pytest.mark.parametrize("count", [1, 2, 7, 10_000])
def test_a_total_keeps_its_bound(count):
    x = some(5, count=count)
    (found,) = exactly(pairs.total(x))
    assert abs(found / sum(exactly(x)) - 1) <= 4 * SQUARE * math.log2(2 * count)


def test_the_exponential_keeps_its_bound():
    rng = np.random.default_rng(6)
    sizes = rng.random(300) * 10.0 ** rng.uniform(-20, math.log10(-pairs.DEEPEST), 300)
    between = np.arange(1, 200) * math.log(2.0) / 2  # where the reduced argument is largest, or all cancels
    high = -np.concatenate([sizes, between, [0.0, -pairs.DEEPEST]])
    x = pairs.quick_sum(high, high * rng.uniform(-1, 1, high.size) * 2.0**-54)
    (first, second), power = pairs.exponential(x)
    assert (first >= 0.7).all()
    assert (first <= 1.5).all()
    m = mpmath.MPContext()
    m.prec = 300
    for place, wanted in enumerate(exactly(x)):
        found = m.ldexp(m.mpf(first[place]) + m.mpf(second[place]), int(power[place]))
        true = m.exp(m.mpf(wanted.numerator) / wanted.denominator)
        assert abs(found / true - 1) < m.ldexp(1, -86)


def test_a_fraction_becomes_the_nearest_pair():
    third = Fraction(1, 3)
    assert abs(Fraction(float(pairs.of(third)[0])) + Fraction(float(pairs.of(third)[1])) - third) < third * SQUARE
