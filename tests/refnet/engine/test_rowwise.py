from __future__ import annotations

import mpmath
import numpy as np
import pytest

from refnet import activations, elementary
from refnet.activations.activation import REGISTRY, activation
from refnet.activations.reading import itself
from refnet.elementary import where
from refnet.engine.rowwise import LITTLE
from refnet.errors import ArgumentError
from tests.refnet.activations.judge import error_in_ulp
from tests.refnet.engine.test_kernels import run, same_bits


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_special_entries_in_short_rows_and_long_ones(name):
    rng = np.random.default_rng(3)
    for columns in (7, 63, 64, 65, 200):
        x = rng.standard_normal((200, columns)).astype(np.float32) * 50
        special = rng.choice([np.inf, -np.inf, np.nan, 3.4e38, -3.4e38, 0.0, -0.0], x.shape)
        x = np.where(rng.random(x.shape) < rng.choice([0.0, 0.01, 0.3, 1.0], (200, 1)), special, x).astype(np.float32)
        x[::10] = np.minimum(x[::10], -np.inf)
        assert same_bits(run(name, x, columns), activations.get(name).numpy(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_the_order_of_the_sum_is_the_same_for_short_rows_and_long_ones(name, dtype):
    x = np.random.default_rng(4).standard_normal((50, 63)).astype(dtype) * 3
    longer = np.concatenate([x, np.full((50, 2), -np.inf, dtype)], axis=1)  # two terms of 0: same sum

    y = activations.get(name)(longer)
    assert y[:, :63].tobytes() == activations.get(name)(x).tobytes()


@pytest.fixture
def own(request):
    """Register a rowwise activation, whose formula takes the rest itself or what ``of_row`` makes of it."""

    def own_softmax(x, highest, term, share):
        """Softmax, or its logarithm's sign turned."""
        return term / (1.0 + share) if not request.param else share - (x - highest)

    record = {"exact": lambda m, row: row, "kind": "rowwise", **request.param}
    yield activation("softmax once more", **record)(own_softmax)
    del REGISTRY["own_softmax"]


@pytest.mark.parametrize("own", [{}, {"of_row": elementary.log1p}], indirect=True, ids=["rest", "word"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("columns", [3, 100])
def test_a_user_s_own_rowwise_formula_is_compiled(own, dtype, columns):
    x = np.random.default_rng(columns).standard_normal((5, columns)).astype(dtype)
    book = activations.get("softmax" if own.of_row is itself else "log_softmax")
    expected = book(x) if own.of_row is itself else -book(x)
    np.testing.assert_array_max_ulp(own(x), expected, maxulp=2)


def test_a_rowwise_formula_that_branches_is_refused_in_a_sentence():
    @activation("x or nothing", exact=lambda m, row: row, kind="rowwise")
    def own_branch(x, highest, term, rest):
        """Branch."""
        return x if rest > 1.0 else term

    try:
        with pytest.raises(ArgumentError, match=r"'own_branch'.*cannot be compiled.*branches"):
            own_branch(np.zeros((2, 3), np.float32))
    finally:
        del REGISTRY["own_branch"]


def own_below(x, highest, term, share):
    """Subtract the highest."""
    return x - highest


def own_highest(x, highest, term, share):
    """Return the highest for each."""
    return where(x > 0.0, highest, highest)


@pytest.mark.parametrize("formula", [own_below, own_highest])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("columns", [3, 100])
def test_a_formula_of_the_highest_alone_shows_a_nan_in_the_row_and_infinities(formula, dtype, columns):
    own = activation("of the highest", exact=lambda m, row: row, kind="rowwise")(formula)
    try:
        rows = np.random.default_rng(columns).standard_normal((40, columns)).astype(dtype)
        rows[0, 1], rows[1, 1], rows[2], rows[3, 2] = np.nan, -np.inf, -np.inf, np.inf
        np.testing.assert_array_equal(own(rows), own.numpy(rows))
        assert np.isnan(own(rows)[0]).all()
    finally:
        del REGISTRY[formula.__name__]


@pytest.mark.parametrize("columns", [2, 10, 63, 64, 1000, 10_000])
def test_the_rest_is_right_on_both_sides_of_where_it_is_added_up_apart(columns):
    """The highest entry's log_softmax is -log1p(rest); equal terms make for equal roundings, the worst there is."""
    edge = LITTLE * (columns + 64)
    for share in (1e-9, 0.5, 0.97, 1.03, 2.0, 100.0):
        x = np.full(columns, np.log(share * edge / (columns - 1)), np.float32)
        x[columns // 3] = 0.0
        y = float(activations.log_softmax(x)[columns // 3])
        with mpmath.workprec(200):
            true = -mpmath.log1p((columns - 1) * mpmath.exp(mpmath.mpf(float(x[-1]))))
            assert error_in_ulp(y, true, np.float32) <= 0.57


@pytest.mark.parametrize("columns", [2, 10, 64, 100])
@pytest.mark.parametrize("below", [-690.0, -701.0, -740.0, -746.0, -1e30, -np.inf])
def test_terms_far_down_decide_the_sign_of_a_zero(columns, below):
    x = np.full((3, columns), below, np.float32)
    x[:, 1] = 0.0
    y = run("log_softmax", x, columns)
    assert same_bits(y, activations.get("log_softmax").numpy(x))
    assert (np.signbit(y[:, 1]) == (below > -745.0)).all()
