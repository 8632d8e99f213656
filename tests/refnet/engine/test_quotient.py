from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from hypothesis import given, strategies as st
from llvmlite import ir

from refnet import activations
from refnet.engine.elementary import exp, exp_sum, expm1, fma, ratio, where
from refnet.engine.formulas import in_numbers
from refnet.engine.quotient import Quotient, chosen, over_sum
from refnet.engine.trace import F64, Number, compiled

WITHIN = st.floats(-300.0, 300.0)


def divisions(function, count=1):
    """Return how many divisions a number meets in the function of Numbers, unless it jumps (`seldom`)."""
    blank = ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), [F64] * count), "blank")
    builder = ir.IRBuilder(blank.append_basic_block())
    assert function(*(Number(builder, argument) for argument in blank.args)).value
    usual = (block for block in blank.blocks if not block.name.startswith("seldom") or "end" in block.name)
    return sum(each.opname == "fdiv" for block in usual for each in block.instructions)


def run(function, *numbers):
    code = compiled(lambda *given: (function(*given),))
    call = {1: lambda a: code(a), 2: lambda a, b: code(a, b), 3: lambda a, b, c: code(a, b, c)}[len(numbers)]
    return numba.njit(error_model="numpy")(call)(*map(float, numbers))


def half(x):
    """Return x / 2, not divided yet."""
    return Quotient(x, x.constant(2.0), (x,))


def fifth(x):
    """Return x / 5, not divided yet."""
    return Quotient(x, x.constant(5.0), (x,))


def test_it_is_divided_where_its_value_is_asked_for():
    assert run(lambda x: half(x) + 1.0, 5.0) == 3.5
    assert run(lambda x: 3.0 * half(x) * x, 5.0) == 37.5
    assert divisions(lambda x: 3.0 * half(x) * x) == 1


@pytest.mark.parametrize("order", [1, -1], ids=["quotient first", "quotient second"])
@pytest.mark.parametrize("x", [5.0, -5.0])
def test_chosen_keeps_the_exact_other_number(x, order):
    def function(x):
        return chosen(x > 0.0, *(x * 0.1, half(x))[::order])

    one, other = (x * 0.1, x / 2)[::order]
    assert run(function, x) == (one if x > 0 else other)
    assert run(lambda x: function(x) * 3.0, x) == (one if x > 0 else other) * 3.0


def test_chosen_of_two_with_different_denominators_divides_both():
    def function(x, y):
        return chosen(x > 0.0, half(x), fifth(y))

    assert (run(function, 8.0, 20.0), run(function, -8.0, 20.0)) == (4.0, 4.0)
    assert (run(function, 6.0, 10.0), run(function, -6.0, 10.0)) == (3.0, 2.0)
    assert divisions(function, 2) == 2

    def share(x, y):
        v = function(x, y)
        return over_sum(v, v.constant(1.0), v)

    assert (run(share, 6.0, 10.0), run(share, -6.0, 10.0)) == (3.0 / 4.0, 2.0 / 3.0)


def test_over_sum_divides_once():
    def function(x):
        q = half(x)
        return over_sum(q, x.constant(3.0), q)

    assert run(function, 4.0) == 2.0 / 5.0
    assert divisions(function) == 1
    assert run(lambda x: over_sum(x, x, half(x)), 4.0) == 4.0 / 6.0
    assert run(lambda x, y: over_sum(half(x), y, fifth(y)), 4.0, 10.0) == 2.0 / 12.0
    assert run(lambda x, y: over_sum(half(x), y, y), 4.0, 8.0) == 2.0 / 16.0


def test_a_product_of_two_that_share_a_denominator_squares_it():
    def function(x):
        q = half(x)
        return q * (q + 2.0)

    assert run(function, 6.0) == 15.0
    assert divisions(function) == 1
    assert run(lambda x: half(x) * half(x), 6.0) == 9.0
    assert run(lambda x, y: half(x) * fifth(y), 6.0, 10.0) == 6.0


def test_a_sum_with_a_constant_shares_the_denominator():
    def function(x):
        q = half(x)
        return over_sum(1.0 + q, x.constant(3.0), q + 2.0)

    assert run(function, 6.0) == 4.0 / 8.0
    assert divisions(function) == 1
    assert run(lambda x, y: half(x) + y, 6.0, 10.0) == 13.0
    assert run(lambda x, y: half(x) + fifth(y), 6.0, 10.0) == 5.0


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("exponential", 0),
        ("selu", 0),
        ("sigmoid", 1),
        ("tanh", 1),
        ("silu", 1),
        ("mish", 1),
        ("softplus", 1),
        ("tanh_shrink", 1),
    ],
)
def test_how_often_the_book_divides(name, count):
    assert divisions(in_numbers(activations.get(name).formula, 1, "float32")) == count


def test_a_value_may_be_had_without_dividing():
    def third(x):
        return Quotient(x, x.constant(3.0), (x,), lambda: x * 7.0)  # another number, to be told from the quotient

    assert run(lambda x: third(x) + 1.0, 2.0) == 15.0
    assert run(lambda x: third(x) * 2.0 + 1.0, 2.0) == 29.0
    assert run(lambda x: chosen(x > 0.0, third(x) * 2.0, third(x)) + 1.0, 2.0) == 29.0
    assert divisions(lambda x: third(x) * x + chosen(x > 0.0, third(x), x)) == 0
    assert run(lambda x: over_sum(third(x) * 2.0, x.constant(5.0), third(x)), 3.0) == 6.0 / 18.0


@pytest.mark.parametrize("x", [-300.0, -50.0, -1.0, 1e-9, 3.0])
def test_exp_and_expm1_of_one_number_are_quotients_of_two_kinds(x):
    assert run(lambda x: ratio(expm1(x), 2.0, exp(x)), x) == pytest.approx(
        math.expm1(x) / (2.0 + math.exp(x)), rel=1e-14
    )
    assert run(lambda x: ratio(exp(x), 2.0, expm1(x)), x) == pytest.approx(
        math.exp(x) / (2.0 + math.expm1(x)), rel=1e-14
    )


@pytest.mark.parametrize("low", [1e-3, -1e-3])
def test_the_low_part_of_an_exponent_counts_with_and_without_a_division(low):
    exact = math.exp(2.0) * (1.0 + low)  # low is small, so exp(low) is 1 + low
    assert run(lambda x, y: exp_sum(x, y) + 0.0, 2.0, low) == pytest.approx(exact, rel=1e-15)
    assert run(lambda x, y: ratio(exp_sum(x, y), 0.0, 1.0), 2.0, low) == pytest.approx(exact, rel=1e-15)
    assert run(lambda x, y: ratio(1.0, 0.0, exp_sum(x, y)), 2.0, low) == pytest.approx(1.0 / exact, rel=1e-15)


@given(WITHIN)
def test_words_that_divide_late_are_those_that_divide_at_once(x):
    with np.errstate(over="ignore"):
        e = float(np.exp(-abs(x)))
    assert math.isclose(SIGMOID(x), (1.0 if x >= 0 else e) / (1.0 + e), rel_tol=1e-15)
    t = math.expm1(abs(x))
    assert math.isclose(TANH(x), t / (2.0 + t), rel_tol=1e-15)
    assert math.isclose(SQUARE(x), e * e + 2.0 * e, rel_tol=1e-15)


def _sigmoid(x):
    e = exp(-abs(x))
    return (ratio(where(x >= 0.0, 1.0, e), 1.0, e),)


def _tanh(x):
    t = expm1(abs(x))
    return (ratio(t, 2.0, t),)


def _square(x):
    e = exp(-abs(x))
    return (fma(e, e, 2.0 * e),)


def _function(words):
    code = compiled(words)
    return numba.njit(error_model="numpy")(lambda x: code(x))


SIGMOID, TANH, SQUARE = map(_function, (_sigmoid, _tanh, _square))
