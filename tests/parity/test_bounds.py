from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

from parity import bounds, rows
from parity.bounds import Engine, converted, exactly, gamma, through, unit_roundoff, wide
from refnet import activations
from refnet.errors import UnsupportedError
from refnet.layers.operations import Activate, Call, Matmul

NONE = Engine("exact", lambda activation, dtype: 0.0)
HALF = Engine("rounded once", lambda activation, dtype: 0.51)

ELEMENTWISE = [name for name in activations.names() if activations.get(name).kind == "elementwise"]
ROWS = [name for name in activations.names() if activations.get(name).kind != "elementwise"]
PLAIN = [name for name in ELEMENTWISE if not activations.get(name).required]


def test_gamma_is_highams():
    u = 2.0**-24
    assert unit_roundoff("float32") == u
    assert gamma(3, "float32") == 3 * u / (1 - 3 * u)
    assert gamma(2**25, "float32") == np.inf


def test_truth_is_wider_than_the_model():
    assert wide("float32") == np.float64
    assert wide("float64") == np.longdouble


def test_an_exact_input_has_no_error():
    enclosure = exactly(np.float32([[1, 2]]))
    assert not enclosure.own.any()
    assert not enclosure.granted.any()


@given(st.integers(1, 60), st.integers(0, 2**31), st.booleans())
def test_every_order_of_summation_is_within_the_bound(n, seed, backwards):
    """Sums in float32, forwards or backwards, of hard cases (large terms that cancel), against exact fractions."""
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((1, n)) * 10.0 ** rng.integers(-3, 4, n)).astype(np.float32)
    weight = rng.standard_normal((n, 3)).astype(np.float32)
    bias = rng.standard_normal(3).astype(np.float32)
    order = range(n)[::-1] if backwards else range(n)
    after = through(Matmul(weight, bias), exactly(x), NONE, NONE)
    for j in range(3):
        total = np.float32(0)
        for k in order:
            total = np.float32(total + np.float32(x[0, k] * weight[k, j]))
        total = np.float32(total + bias[j])
        terms = (Fraction(float(x[0, k])) * Fraction(float(weight[k, j])) for k in range(n))
        exact = sum(terms, Fraction(float(bias[j])))
        assert abs(Fraction(float(total)) - exact) <= Fraction(float(after.own[0, j]))
        assert abs(Fraction(float(after.value[0, j])) - exact) <= Fraction(float(after.own[0, j])) / 10**6


def test_the_bound_is_tight_enough_to_see_a_weight_that_moved():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((32, 64)).astype(np.float32)
    weight = (rng.standard_normal((64, 64)) / 8).astype(np.float32)
    after = through(Matmul(weight, None), exactly(x), NONE, NONE)
    assert (np.abs(x[:, 7]) * 1e-3).max() > 2 * after.own.max()


def test_a_sum_that_may_overflow_has_no_bound():
    x = np.float32([[3e38, 3e38, -3e38]])
    after = through(Matmul(np.ones((3, 1), np.float32), None), exactly(x), NONE, NONE)
    assert np.isinf(after.own).all()


def test_flushed_subnormals_are_granted_to_the_peer_and_not_to_refnet():
    x = np.float32([[1e-40]])
    after = through(Matmul(np.ones((1, 1), np.float32), None), exactly(x), NONE, NONE)
    assert after.own.max() < 1e-44
    assert after.granted.min() > 1e-40
    assert after.rooms["subnormal flush"].min() > 1e-40


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_activation_never_leaves_its_bound(name, dtype):
    """Inputs moved by up to their error, evaluated in float64, stay within the spread that the bound allows."""
    rng = np.random.default_rng(1)
    kind = np.dtype(dtype)
    z = np.concatenate([rng.standard_normal(400) * 3, rng.uniform(-30, 30, 200)]).astype(kind)
    size = np.concatenate([np.full(300, 1e-6), np.full(300, 0.05)])
    start = exactly(z)
    before = bounds.Enclosure(start.value, size, size, size, kind)
    after = through(Activate(activations.get(name)), before, HALF, HALF)
    act = activations.get(name)
    for part in np.linspace(-1, 1, 21):
        moved = act.numpy(z.astype(np.float64) + part * size)
        # At a kink inside the interval the slope is that of the far side; second-order slack covers curvature.
        assert (np.abs(moved - after.value.astype(np.float64)) <= after.own * 1.02 + 1e-300).all()


@pytest.mark.parametrize("name", PLAIN)
def test_without_an_error_of_the_input_only_the_engines_own_remains(name):
    z = np.random.default_rng(2).standard_normal(500).astype(np.float32) * 4
    after = through(Activate(activations.get(name)), exactly(z), HALF, HALF)
    y = activations.get(name).numpy(z)
    assert (np.abs(y.astype(np.float64) - after.value) <= after.own).all()
    assert (after.own <= 0.511 * np.spacing(np.maximum(np.abs(y), np.float32(1e-37))).astype(np.float64) * 2).all()


def test_every_row_activation_of_the_book_has_a_rule():
    assert set(ROWS) == set(rows.RULES)


def test_a_parameter_is_rounded_as_the_formula_meets_it():
    leaky = activations.get("leaky_relu").with_parameters(negative_slope=0.1)
    after = through(Activate(leaky), exactly(np.float32([-1.0])), NONE, NONE)
    assert after.value[0] == -float(np.float32(0.1))


def test_nan_and_infinite_truths_have_no_distance():
    after = through(Activate(activations.get("linear")), exactly(np.float32([np.nan, np.inf])), HALF, HALF)
    assert not after.own.any()


def test_a_change_of_shape_moves_the_bounds_along():
    start = bounds.Enclosure(
        np.arange(6.0).reshape(1, 2, 3),
        np.arange(6.0).reshape(1, 2, 3),
        np.zeros((1, 2, 3)),
        np.zeros((1, 2, 3)),
        np.dtype("float32"),
    )
    after = through(Call(lambda x: np.swapaxes(x, 1, 2).reshape(1, 6), "swap"), start, NONE, NONE)
    assert after.value.tolist() == [[0, 3, 1, 4, 2, 5]]
    assert after.own.tolist() == [[0, 3, 1, 4, 2, 5]]


def test_a_function_of_the_users_has_no_bound():
    with pytest.raises(UnsupportedError, match="mine: a Python function has no derived bound"):
        through(Call(lambda x: x * 2, "mine"), exactly(np.float32([[1, 2]])), NONE, NONE)


def test_rounding_between_layers_of_two_dtypes_is_counted():
    start = exactly(np.array([[0.1, 1.0]]))
    after = converted(start, np.dtype("float32"))
    assert after.own[0, 0] >= abs(float(np.float32(0.1)) - 0.1)
    assert converted(start, np.dtype("float64")) is start
    assert not converted(exactly(np.float32([[0.1]])), np.dtype("float64")).own.any()
