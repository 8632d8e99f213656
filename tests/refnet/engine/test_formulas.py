"""Formulas in pairs: every activation of the book in float64, and formulas that pairs refuse."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from refnet import activations, elementary
from refnet.activations.activation import REGISTRY, activation
from refnet.elementary import exp, log1p, maximum, normal_cdf, polynomial, ratio, shortcut, split, within
from refnet.engine.formulas import in_pairs, in_two_parts, with_words
from refnet.errors import ArgumentError
from tests.refnet.activations.judge import elementwise, error_in_ulp, label, truth

# Each rounds once, to within 0.51 ulp, where nothing is subnormal. A subnormal result, or one computed from a subnormal
# number, is rounded twice; the series around 0 of sigmoid, silu and gelu stop at 2^-54 of the value.
BOUND = 0.51
NEAR_THE_SMALLEST = 0.77
SERIES = {"sigmoid": 0.54, "silu": 0.65, "gelu": 0.65}

MORE = [
    ("relu", {"negative_slope": 0.3, "threshold": 0.1}),
    ("elu", {"alpha": -2.2}),
    ("celu", {"alpha": 77.7}),
    ("celu", {"alpha": 1e-3}),
    ("squareplus", {"b": 1e-300}),
    ("squareplus", {"b": 123.0}),
]
FORMS = [*elementwise(), *(REGISTRY[name].with_parameters(**given) for name, given in MORE)]
BOTH_SIGNS = [1.0, 3.0, 0.45, 2.0**-10, 6.0, 0.5, 0.125, 0.34657359, 0.69314718, 2.3e-308, 1.78e308]
NEAR = [20.0, -20.6, -40.0, -1.5, -14.6, -37.5, -38.5, 709.78, -708.4, -745.13]
NEAR += [sign * x for x in BOTH_SIGNS for sign in (1.0, -1.0)]


def points(act, each: int = 150) -> np.ndarray:
    """Return inputs of every size, of every result's size, and around the places where formulas change."""
    rng = np.random.default_rng(3)
    signs = rng.choice([-1.0, 1.0], each)
    near = np.repeat([*NEAR, *(k for k in act.kinks if k)], each // 10)
    x = [
        rng.integers(0, 1 << 64, each, dtype=np.uint64).view(np.float64),
        rng.uniform(-760, 720, each),
        rng.uniform(-746, -700, each),
        rng.uniform(-39, -36, each),
        rng.uniform(-40, 40, 2 * each),
        rng.normal(size=3 * each) * 2,
        10.0 ** rng.uniform(-25, 3, 2 * each) * signs.repeat(2),
        np.ldexp(signs, rng.integers(-1074, 1023, each)),
        rng.integers(-4000, 4000, each) * 5e-324,
        near * (1 + rng.uniform(-1, 1, near.size) * 10.0 ** rng.uniform(-16, -2.3, near.size)),
    ]
    flat = np.concatenate(x)
    return flat[np.isfinite(flat)]


@pytest.mark.parametrize("act", FORMS, ids=label)
def test_float64_is_all_but_correctly_rounded(act):
    x = points(act)
    with mpmath.workprec(400):
        y = act(x)
        errors = np.array([error_in_ulp(float(b), truth(act, a), np.float64) for a, b in zip(x, y, strict=True)])
    tiny = (np.abs(y) < 1e-290) | (np.abs(x) < 1e-290) | (np.abs(x) > 700.0)
    for where, bound in ((tiny, NEAR_THE_SMALLEST), (~tiny, SERIES.get(act.name, BOUND))):
        worst = int(np.argmax(errors * where))
        assert errors[worst] * where[worst] <= bound, (x[worst], y[worst], errors[worst])


def test_words_are_replaced_by_identity():
    readings = {elementary.exp: lambda x: ("exp", x), elementary.maximum: lambda x, y: ("maximum", x, y)}

    def formula(x):
        return exp(x), maximum(x, 0.0)

    assert with_words(formula, readings)(1.0) == (("exp", 1.0), ("maximum", 1.0, 0.0))


def test_words_in_a_closure_are_replaced_too():
    word, factor = elementary.exp, 3.0

    def formula(x):
        return factor, word(x)

    assert with_words(formula, {elementary.exp: lambda x: ("exp", x)})(1.0) == (3.0, ("exp", 1.0))


@pytest.mark.parametrize(
    "formula",
    [lambda x: exp(x) if x > 0.0 else x, lambda x: np.tanh(x), lambda x: np.exp(x).astype(float), lambda x: "x"],
)
def test_other_formulas_are_refused(formula):
    assert in_pairs(formula, (False,)) is None


def test_a_refused_formula_is_compiled_word_by_word():
    def branching(x):
        """Choose by branching, which only one number can do."""
        if x > 0.0:
            return ratio(x, 1.0, exp(x))
        return np.tanh(x) * normal_cdf(x) + log1p(maximum(x, 0.0))

    try:
        act = activation("of two parts", exact=lambda m, x: x)(branching)
        x = np.array([1.0, 3.0, -1.0])
        expected = [1 / (1 + np.e), 3 / (1 + np.exp(3.0)), np.tanh(-1.0) * elementary.normal_cdf(-1.0)]
        np.testing.assert_array_max_ulp(act(x), np.array(expected), maxulp=4)
    finally:
        REGISTRY.pop("branching", None)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("formula", [lambda x: x.of_no_such_name(), lambda x: exp(x) + "1", lambda x: print(x, file=1)])
def test_a_formula_that_nobody_can_compile_is_one_sentence(formula, dtype):
    try:
        act = activation("a mistake", exact=lambda m, x: x)(formula)
        with pytest.raises(
            ArgumentError, match=r"^activation '<lambda>': its formula cannot be compiled \(.+\); accepted"
        ):
            act(np.array([1.0], dtype))
    finally:
        REGISTRY.pop("<lambda>", None)


def _with_a_branch(x):
    if x > 5.0:
        return x
    return polynomial((1.0, 2.0), x)


def test_words_that_do_not_go_with_a_branch_are_named():
    try:
        act = activation("a mistake", exact=lambda m, x: x)(_with_a_branch)
        with pytest.raises(
            ArgumentError, match=r"beside an `if` not elu_shortcut, polynomial, seldom, shortcut and split$"
        ):
            act(np.array([1.0], np.float32))
    finally:
        REGISTRY.pop("_with_a_branch", None)


def _with_a_branch_and_bounds(x):
    if x > 5.0:
        return x
    return exp(within(x, -40.0, 5.0))


def test_bounds_go_with_a_branch():
    try:
        act = activation("x > 5 or exp(x)", exact=lambda m, x: m.exp(x))(_with_a_branch_and_bounds)
        for dtype in (np.float32, np.float64):
            x = np.array([-40.0, 0.5, 5.0, 300.0], dtype)
            np.testing.assert_array_max_ulp(act(x), np.append(np.exp(x[:3]), x[3:]), 1)
    finally:
        REGISTRY.pop("_with_a_branch_and_bounds", None)


def test_a_constant_formula():
    try:
        act = activation("2", exact=lambda m, x: m.mpf(2))(lambda x: 2.0 + 0 * x)
        assert act(np.array([1.0, -3.0])).tolist() == [2.0, 2.0]
    finally:
        REGISTRY.pop("<lambda>", None)


def test_powers_of_the_input():
    try:
        act = activation("x^3 - x^2", exact=lambda m, x: x**3 - x**2)(lambda x: x**3 - x**2)
        x = np.random.default_rng(0).uniform(0.9, 1.1, 1000)
        with mpmath.workprec(400):
            worst = max(error_in_ulp(float(y), truth(act, v), np.float64) for v, y in zip(x, act(x), strict=True))
        assert worst <= 0.5001
    finally:
        REGISTRY.pop("<lambda>", None)


def test_the_book_is_read_in_pairs():
    for name in activations.names():
        act = REGISTRY[name]
        if act.kind == "elementwise":
            assert in_pairs(act.formula, (False,) * (1 + len(act.parameters))) is not None, name


def test_only_float32_takes_a_shortcut():
    try:
        act = activation("x", exact=lambda m, x: x)(lambda x: shortcut(x, 0.5, 8.0, lambda x: 7.0 * x, 36, lambda x: x))
        for dtype, factor in ((np.float16, 1.0), (np.float32, 7.0), (np.float64, 1.0)):
            assert (act(np.ones(100, dtype)) == factor).all()
    finally:
        REGISTRY.pop("<lambda>", None)


def test_a_formula_of_ones_own_with_a_shortcut():
    """The short way is off by 2^-37: without the test of its rounding some of these would come out wrong."""
    try:
        act = activation("x^2", exact=lambda m, x: m.mpf(x) ** 2)(
            lambda x: shortcut(x, 0.5, 8.0, lambda x: x * x * (1.0 + 2.0**-37), 36, lambda x: x * x)
        )
        x = np.random.default_rng(0).standard_normal(1_000_000)
        for dtype in (np.float16, np.float32, np.float64):
            given = x.astype(dtype)
            assert act(given).tobytes() == (given.astype(np.float64) ** 2).astype(dtype).tobytes()
        given = x.astype(np.float32).astype(np.float64)
        assert (np.float32(given**2 * (1.0 + 2.0**-37)) != np.float32(given**2)).any()
    finally:
        REGISTRY.pop("<lambda>", None)


@pytest.mark.parametrize(
    "formula", [lambda x: split(x > 0.0, x, lambda: exp(x)), lambda x: split(x > 0.0, 1.0, lambda: 0.0)]
)
def test_a_formula_in_two_parts(formula):
    assert in_two_parts(formula, 1) is not None


@pytest.mark.parametrize("formula", [exp, lambda x: exp(x) + 1.0, lambda x: 1.0 + split(x > 0.0, x, lambda: exp(x))])
def test_a_formula_whose_last_word_is_another_has_no_parts(formula):
    assert in_two_parts(formula, 1) is None


def test_a_formula_of_ones_own_in_two_parts():
    try:
        act = activation("x if x > 0 else x^2", exact=lambda m, x: x if x > 0 else m.mpf(x) ** 2)(
            lambda x: split(x > 0.0, x, lambda: x * x)
        )
        x = np.random.default_rng(0).standard_normal(10_000)
        for dtype in (np.float16, np.float32, np.float64):
            given = x.astype(dtype)
            assert act(given).tobytes() == np.where(given > 0, given, given * given).tobytes()
    finally:
        REGISTRY.pop("<lambda>", None)
