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

NONE = Engine(lambda activation, dtype: 0.0)
HALF = Engine(lambda activation, dtype: 0.51)

TINY, SMALLEST = 2.0**-126, 2.0**-149  # of float32: the smallest normal number, and the smallest of all
needs_long = pytest.mark.skipif(np.finfo(np.longdouble).nmant == 52, reason="long double is no wider than float64 here")

ELEMENTWISE = [name for name in activations.names() if activations.get(name).kind == "elementwise"]
ROWS = [name for name in activations.names() if activations.get(name).kind != "elementwise"]
PLAIN = [name for name in ELEMENTWISE if not activations.get(name).required]


def off_by(x, error, dtype="float32", apart=1):
    """Return an enclosure of x, each number of which refnet may have by so much too high or too low.

    The peer may have it by so much times ``apart``, and by that times ``apart`` with its known differences.
    """
    x = np.asarray(x, wide(dtype))
    error = np.broadcast_to(np.asarray(error, np.float64), x.shape)
    rooms = {"of the operation before": error}
    return bounds.Enclosure(x, error, apart * error, apart**2 * error, np.dtype(dtype), rooms)


def through_activation(name, before, own=HALF, peer=HALF):
    return through(Activate(activations.get(name)), before, own, peer)


def test_gamma_is_highams():
    u = 2.0**-24
    assert unit_roundoff("float32") == u
    assert gamma(3, "float32") == 3 * u / (1 - 3 * u)
    assert all(gamma(k, "float32") == np.inf for k in (2**24, 2**24 + 2**23, 2**25))


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


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=needs_long)])
@pytest.mark.parametrize(("size", "error"), [(2, 0.0), (2, 0.5), (1000, 1.0)])
def test_the_bound_of_a_product_is_highams_and_no_more(dtype, size, error):
    """Its own slack is a millionth; the truth's rounding, in wider arithmetic, is counted as well."""
    x, weight, bias = np.arange(size) % 3, np.full((size, 1), 4.0, dtype), np.ones(1, dtype)
    after = through(Matmul(weight, bias), off_by(x[np.newaxis], error, dtype), NONE, NONE)
    roundings = gamma(size + 1, dtype) + gamma(size + 1, wide(dtype))
    expected = 4.0 * error * size + roundings * (4.0 * (x.sum() + error * size) + 1.0)
    assert expected * (1 + 0.9e-6) <= after.own[0, 0] <= expected * (1 + 1.1e-6)


def test_products_that_underflow_are_counted():
    after = through(Matmul(np.float32([[2.0**-80]]), None), exactly(np.float32([[2.0**-80]])), NONE, NONE)
    assert 2.0**-160 <= after.own[0, 0] <= 1.1 * SMALLEST


@pytest.mark.parametrize(("x", "weight"), [(TINY / 2, 1e3), (1e3, TINY / 2), (2.0**-63, 2.0**-64)])
def test_every_flushed_factor_and_product_is_granted_to_the_peer_by_name_alone(x, weight):
    size = 8
    after = through(
        Matmul(np.full((size, 1), weight, np.float32), None), exactly(np.full((1, size), x, np.float32)), NONE, NONE
    )
    lost = size * x * weight
    assert after.granted[0, 0] >= lost
    assert after.rooms["subnormal flush"][0, 0] >= lost
    assert max(after.own[0, 0], after.peer[0, 0]) < lost / 1000


@pytest.mark.parametrize(("of_x", "of_weight"), [(1, TINY), (TINY, 1)])
def test_what_may_be_flushed_is_that_of_an_element_s_own_row_and_column(of_x, of_weight):
    x = np.float32([[1, 2, 3], [10, 20, 30]]) * np.float32(of_x)
    weight = np.float32([[1, 100], [2, 200], [3, 300]]) * np.float32(of_weight)
    after = through(Matmul(weight, None), exactly(x), NONE, NONE)
    expected = TINY * (2 * 3 + 2 + weight.sum(axis=0) + x.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(after.granted - after.own, expected, rtol=1e-5, atol=0)


def test_each_side_keeps_its_own_error():
    start = off_by([[1.0, 2.0]], 0.5, "float64", apart=10)
    for after in (
        through(Call(lambda x: x[:, ::-1], "turned"), start, NONE, NONE),
        through(Matmul(np.eye(2), None), start, NONE, NONE),
        converted(start, np.dtype("float32")),
    ):
        for side, error in (("own", 0.5), ("peer", 5.0), ("granted", 50.0)):
            np.testing.assert_allclose(getattr(after, side), error, rtol=1e-5, atol=0)
        assert "of the operation before" not in after.rooms
    assert (after.dtype, after.value.dtype) == (np.float32, np.float64)


def test_an_input_without_a_bound_leaves_the_result_without_one():
    assert np.isinf(through(Matmul(np.zeros((1, 1), np.float32), None), off_by([[1.0]], np.inf), NONE, NONE).own).all()


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


def test_linear_adds_nothing():
    assert through_activation("linear", off_by([3.0], 0.25)).own[0] == 0.25


@needs_long
def test_what_float64_drops_of_a_truth_in_long_double_is_counted():
    z = np.longdouble(1) + np.longdouble(2) ** -60
    assert through_activation("linear", off_by([z], 0.0, "float64")).value[0] == z
    assert 2.0**-60 <= through_activation("relu", off_by([z], 0.0, "float64"), NONE).own[0] <= 1.1 * 2.0**-60
    assert through_activation("relu", off_by([np.inf], 0.0, "float64"), NONE).own[0] == 0


def test_the_truth_of_float64_is_itself_up_to_three_ulp_off():
    one = off_by([1.0], 0.0, "float64")
    assert through_activation("relu", one).own[0] == pytest.approx(3.51 * 2.0**-52, rel=1e-5, abs=0)
    assert through_activation("relu", one, NONE).own[0] == 0.0


def test_an_engine_s_own_error_is_in_ulps_of_the_largest_result_that_its_input_allows():
    below, error = 1 - 2.0**-24, 2.0**-20
    assert through_activation("relu", off_by([below], error)).own[0] >= error + 0.51 * 2.0**-23


def test_each_side_has_its_own_engine():
    worse = Engine(lambda activation, dtype: {("relu", "float32"): 5.0}[activation.name, dtype.name])
    after = through_activation("relu", off_by([1.0], 0.0), HALF, worse)
    assert (after.own[0], after.peer[0]) == pytest.approx((0.51 * 2.0**-23, 5 * 2.0**-23), rel=1e-5, abs=0)


def test_a_known_difference_is_granted_where_the_input_may_be_and_named_where_it_is():
    peer = Engine(HALF.ulps, room=lambda activation, z, y, dtype: {"below 0": np.where(z < 0, 1.0, 0.0)})
    for z, granted, named in ((-3.0, 1.0, 1.0), (0.5, 1.0, 0.0), (-0.5, 1.0, 1.0), (3.0, 0.0, 0.0)):
        after = through_activation("relu", off_by([z], 1.0), HALF, peer)
        assert after.granted[0] == after.peer[0] + granted
        assert after.rooms["below 0"][0] == after.peer[0] + named
    above = Engine(HALF.ulps, room=lambda activation, z, y, dtype: {"above 0": np.where(z > 0, 1.0, 0.0)})
    after = through_activation("relu", off_by([-0.5], 1.0), HALF, above)
    assert after.granted[0] == after.peer[0] + 1.0


def test_a_softmax_step_by_step_is_granted_its_steps_and_one_by_promise_is_not():
    plain = Engine(HALF.ulps, naive_rows=True)
    after = through_activation("softmax", exactly(np.float32([[0.0, -50.0, -200.0]])), HALF, plain)
    ulps = np.spacing(after.value.astype(np.float32)).astype(np.float64)
    assert (after.own <= 0.52 * ulps).all()
    assert after.peer[0, 1] >= 50 * 2.0**-24 * after.value[0, 1]  # the difference -50 is rounded before exp
    assert after.peer[0, 2] >= SMALLEST  # and what underflows may be rounded up


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
    assert converted(off_by([1.0], 1.0, "float64"), np.dtype("float32")).own[0] >= 1.0 + 2 * 2.0**-24
    lost = exactly(np.array([SMALLEST / 4]))
    assert converted(lost, np.dtype("float32")).own[0] >= SMALLEST / 4
    assert converted(start, np.dtype("float64")) is start
    assert not converted(exactly(np.float32([[0.1]])), np.dtype("float64")).own.any()
