from __future__ import annotations

import inspect
from fractions import Fraction
from math import inf, isnan, nan

import numba
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from refnet.engine import pairs
from refnet.engine.pairs import Pair, normalised, rounded, where
from refnet.engine.trace import compiled, trace


def of_pairs(function):
    """Return function, which takes and returns pairs, as a function of Python numbers: highs and lows in turn."""
    count = len(inspect.signature(function).parameters)

    def run(*numbers):
        y = function(*(Pair(*numbers[2 * i : 2 * i + 2]) for i in range(count)))
        return y.high, y.high.constant(0.0) if y.low is None else y.low, rounded(y)

    code = compiled(run)
    call = {1: lambda a, b: code(a, b), 2: lambda a, b, c, d: code(a, b, c, d)}[count]
    return numba.njit(error_model="numpy")(call)


OPERATORS = {
    "add": (of_pairs(lambda a, b: a + b), lambda a, b: a + b),
    "subtract": (of_pairs(lambda a, b: a - b), lambda a, b: a - b),
    "multiply": (of_pairs(lambda a, b: a * b), lambda a, b: a * b),
    "divide": (of_pairs(lambda a, b: a / b), lambda a, b: a / b),
    "ratio": (of_pairs(lambda a, b: pairs.ratio(a, b, 3.0)), lambda a, b: a / (b + 3)),
    "fma": (of_pairs(lambda a, b: pairs.fma(a, b, 2.0)), lambda a, b: a * b + 2),
    "power": (of_pairs(lambda a, b: a**3 + 0.0 * b), lambda a, b: a**3),
    "with numbers": (
        of_pairs(lambda a, b: 1.0 - 2.0 / (3.0 * (0.5 + abs(a)))),
        lambda a, b: 1 - 2 / (3 * (abs(a) + Fraction(1, 2))),
    ),
}
numbers = st.floats(2.0**-20, 2.0**20) | st.floats(-(2.0**20), -(2.0**-20))
parts = st.floats(-1.0, 1.0)


@pytest.mark.parametrize("name", OPERATORS)
@settings(max_examples=200, deadline=None)
@given(a=numbers, b=numbers, i=parts, j=parts)
def test_arithmetic_is_exact_to_far_below_an_ulp(name, a, b, i, j):
    run, exact = OPERATORS[name]
    low_a, low_b = i * np.spacing(abs(a)), j * np.spacing(abs(b))
    if abs(b + 3) < 1e-3:
        b += 1.0
    x, y = Fraction(a) + Fraction(float(low_a)), Fraction(b) + Fraction(float(low_b))

    high, low, _ = run(a, float(low_a), b, float(low_b))

    size = abs(x) + abs(y) + abs(x * y) + abs(x / y) + 4 + (abs(x) ** 3 if name == "power" else 0)
    if name == "ratio":
        size += abs(exact(x, y))
    assert abs(Fraction(high) + Fraction(low) - exact(x, y)) <= size * Fraction(2) ** -90


def test_sqrt():
    run = of_pairs(pairs.sqrt)
    for x in (2.0, 0.3, 1e10, 4.0):
        high, low, _ = run(x, 0.0)
        assert abs((Fraction(high) + Fraction(low)) ** 2 / Fraction(x) - 1) < Fraction(2) ** -95
    assert run(0.0, 0.0) == (0.0, 0.0, 0.0)


def test_an_exact_number_has_no_low_part():
    def chosen(x):
        y = pairs.maximum(pairs.minimum(where(x > 0.0, x, 0.0), 6.0), -pairs.absolute(Pair(x.high)))
        assert y.low is None
        return y

    trace(lambda x: (rounded(chosen(Pair(x))),), 1)


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (lambda a, b: a + b, (inf, 1.0), inf),
        (lambda a, b: a + b, (inf, -inf), nan),
        (lambda a, b: a + b, (-0.0, -0.0), -0.0),
        (lambda a, b: a * b, (1e200, 1e200), inf),
        (lambda a, b: a * b, (-1e-200, 1e-200), -0.0),
        (lambda a, b: a / b, (1.0, 0.0), inf),
        (lambda a, b: a / b, (-0.0, 2.0), -0.0),
        (lambda a, b: a / b, (1.0, -inf), -0.0),
        (lambda a, b: pairs.total(a, b), (-0.0, 0.0), -0.0),
        (lambda a, b: pairs.maximum(a, b), (nan, 1.0), nan),
        (lambda a, b: pairs.minimum(a, b), (1.0, nan), nan),
        (lambda a, b: pairs.copysign(a, b), (2.0, -0.0), -2.0),
        (lambda a, b: where(a > b, a, b), (1.0, 2.0), 2.0),
    ],
)
def test_special_values_are_those_of_float64(function, arguments, expected):
    result = of_pairs(function)(arguments[0], 0.0, arguments[1], 0.0)[2]
    assert isnan(result) if isnan(expected) else np.float64(result).tobytes() == np.float64(expected).tobytes()


def test_signs_are_taken_from_both_parts():
    low = 2.0**-60
    assert of_pairs(pairs.absolute)(-1.0, low) == (1.0, -low, 1.0)
    assert of_pairs(lambda a, b: pairs.copysign(a, b))(-1.0, low, 5.0, 0.0) == (1.0, -low, 1.0)
    assert of_pairs(lambda a: -a)(1.0, low) == (-1.0, -low, -1.0)
    assert of_pairs(normalised)(1.0, 3 * 2.0**-53) == (1.0 + 2 * 2.0**-52, -(2.0**-53), 1.0 + 2 * 2.0**-52)


@pytest.mark.parametrize(
    "formula",
    [
        lambda x: x if x else -x,
        lambda x: x**0.5,
        lambda x: pairs.sqrt(2.0) * x,
        lambda x: where(True, x, x),
        lambda x: np.float64(2.0) * x + [1.0],
    ],
)
def test_what_is_not_in_the_words_is_refused(formula):
    with pytest.raises(TypeError):
        trace(lambda x: (rounded(formula(Pair(x))),), 1)


def test_numpys_numbers_leave_their_operators_to_pairs():
    assert of_pairs(lambda a: np.float64(2.0) * a - np.float64(1.0))(3.0, 0.0)[2] == 5.0


@pytest.mark.parametrize("rare_has_a_low_part", [False, True])
def test_seldom_chooses_both_parts(rare_has_a_low_part):
    @of_pairs
    def run(a):
        return pairs.seldom(a < 1.0, lambda: a * 3.0 if rare_has_a_low_part else 5.0, Pair(a.high))

    high, low, _ = run(0.1, 0.0)
    assert Fraction(high) + Fraction(low) == (3 * Fraction(0.1) if rare_has_a_low_part else 5)
    assert run(2.0, 2.0**-60) == (2.0, 0.0, 2.0)


def test_seldom_asks_for_a_condition():
    with pytest.raises(TypeError, match="uses a bool as a condition"):
        trace(lambda x: (rounded(pairs.seldom(True, lambda: Pair(x), Pair(x))),), 1)
