"""parity.truth against brute force: many digits, and fractions where the function is rational."""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from parity import truth, ulp
from refnet import activations
from refnet.errors import ArgumentError

ELEMENTWISE = [name for name in activations.names() if activations.REGISTRY[name].kind == "elementwise"]


def ready(name: str):
    """Return the activation, its parameters that have no default set."""
    activation = activations.REGISTRY[name]
    missing = {key: 0.5 for key, value in activation.parameters.items() if math.isnan(value)}
    return activation.with_parameters(**missing) if missing else activation


def random_numbers(dtype: str, count: int, seed: int = 0) -> np.ndarray:
    kind = ulp.format_of(dtype)
    generator = np.random.default_rng(seed)
    with np.errstate(invalid="ignore", over="ignore"):
        x = ulp.from_bits(generator.integers(0, 2**kind.bits, count, dtype=np.uint64), dtype)
        near = (generator.normal(size=count) * 8).astype(kind.dtype)
        both = np.concatenate([x, near])
        return both[np.isfinite(both) & (both != 0)]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_right_agrees_with_four_hundred_digits(name, dtype):
    activation, kind = ready(name), ulp.format_of(dtype)
    parameters = activation.parameters_in(kind.dtype)
    m = mpmath.mp.clone()
    m.dps = 400
    for x in random_numbers(dtype, 12, seed=1).astype(np.float64).tolist():
        if abs(x) > 1e6:
            continue  # exp of these takes more than 400 digits to hold its place
        exact = activation.exact(m, m.mpf(x), **{key: m.mpf(value) for key, value in parameters.items()})
        wanted = truth.round_exactly(m.mpf(exact), kind)
        assert truth.truth_at(activation, x, parameters, kind)[0] == wanted


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_special_values_are_those_of_the_block(name):
    activation = ready(name)
    x = np.float32([np.nan, np.inf, -np.inf, 0.0, -0.0])
    found = truth.right(activation, x)
    assert np.isnan(found[0])
    parameters = activation.parameters_in(np.float32)
    limits = activation.limits(**parameters) if callable(activation.limits) else activation.limits
    assert ulp.to_bits(found[1:3]).tolist() == ulp.to_bits(np.float32([limits[np.inf], limits[-np.inf]])).tolist()
    assert found[3] == found[4]


@pytest.mark.parametrize(("slope", "signs"), [(0.3, [0.0, -0.0]), (-0.7, [-0.0, 0.0]), (0.0, [0.0, 0.0])])
def test_zeros_have_the_signs_of_the_product(slope, signs):
    activation = activations.leaky_relu.with_parameters(slope)
    found = truth.right(activation, np.float32([0.0, -0.0]))
    assert ulp.to_bits(found).tolist() == ulp.to_bits(np.float32(signs)).tolist()


def test_without_a_derivative_a_zero_is_positive():
    for derivative in (None, lambda m, x: 1 / x):
        bare = dataclasses.replace(activations.REGISTRY["tanh"], derivative=derivative)
        assert math.copysign(1, truth.right(bare, np.float32([0.0]))[0]) == 1


def test_a_missing_limit_is_named():
    bare = dataclasses.replace(activations.REGISTRY["tanh"], limits={})
    with pytest.raises(ArgumentError, match="'tanh': its block gives no limit at inf"):
        truth.right(bare, np.float32([np.inf]))


def test_rows_have_no_true_value_per_number():
    with pytest.raises(ArgumentError, match="'softmax': only elementwise"):
        truth.right(activations.REGISTRY["softmax"], np.float32([1.0]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_round_exactly_is_nearest_even(dtype):
    kind = ulp.format_of(dtype)
    tiny, top = Fraction(2) ** kind.etiny, (2 - Fraction(2) ** (1 - kind.precision)) * Fraction(2) ** kind.emax
    last = Fraction(2) ** (kind.emax - kind.precision + 1)
    cases = {
        Fraction(0): 0.0,
        tiny / 2: 0.0,
        tiny * 3 / 2: float(2 * tiny),
        tiny / 2 + tiny / 2**60: float(tiny),
        top: float(top),
        top + last / 2: math.inf,
        top + last / 2 - last / 2**60: float(top),
        1 + Fraction(2) ** -kind.precision: 1.0,
        1 + 3 * Fraction(2) ** -kind.precision: float(1 + Fraction(2) ** (2 - kind.precision)),
    }
    with mpmath.workprec(2000):
        for number, wanted in cases.items():
            as_mpf = mpmath.mpf(number.numerator) / number.denominator
            for given in (number, as_mpf):
                assert truth.round_exactly(given, kind) == wanted
                assert truth.round_exactly(-given, kind) == -wanted


def test_underflow_keeps_its_sign():
    kind = ulp.format_of("float32")
    assert math.copysign(1, truth.round_exactly(-mpmath.ldexp(1, -1000), kind)) == -1
    assert math.copysign(1, truth.truth_at(activations.REGISTRY["silu"], -200.0, {}, kind)[0]) == -1


def test_ties_of_rational_functions_are_ties():
    kind = ulp.format_of("float32")
    activation = activations.REGISTRY["hard_sigmoid"]
    # (x + 3) / 6 halfway between two float32 numbers: the even one is right.
    midpoint = Fraction(2**25 - 3, 2**26)
    x = float(6 * midpoint - 3)
    assert Fraction(x) == 6 * midpoint - 3
    rounded, true = truth.truth_at(activation, x, {}, kind)
    assert true == midpoint
    assert int(np.float32(rounded).view(np.uint32)) % 2 == 0


def test_what_no_precision_reaches_still_decides():
    kind = ulp.format_of("float32")
    activation = activations.REGISTRY["tanh_shrink"]
    # x - 1 is a midpoint; x - tanh(x) lies above it by exp(-2**25).
    assert truth.truth_at(activation, 16777218.0, {}, kind)[0] == 16777218.0
    assert truth.truth_at(activation, -16777218.0, {}, kind)[0] == -16777218.0


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_pair_holds_a_hundred_bits(name):
    activation = ready(name)
    x = np.float32([0.7, -0.3, 3.5, -4.25, 1e-20])
    high, low = truth.pair(activation, x)
    parameters = activation.parameters_in(np.float32)
    for number, a, b in zip(x.tolist(), high, low, strict=True):
        exact = truth.value(activation, number, parameters, ulp.format_of("float64"), 200)
        m = truth.context(400)
        assert abs(m.mpf(float(a)) + m.mpf(float(b)) - exact) <= abs(exact) * m.ldexp(1, -100)


def test_exp_of_a_large_integer_is_that_of_a_number_beside_it(monkeypatch):
    """To mpmath exp(n) is e to the power n from 600 bits on: a third of a second for an n of 3000 bits."""
    powers = []
    real = mpmath.libmp.libelefun.mpf_pow_int
    monkeypatch.setattr(mpmath.libmp.libelefun, "mpf_pow_int", lambda *given: powers.append(given) or real(*given))
    m, wanted = truth.context(700), mpmath.MPContext()
    wanted.prec = 800
    number = -(3**40)
    found = m.exp(m.mpf(number))
    assert not powers
    assert abs(found / wanted.exp(wanted.mpf(number)) - 1) < m.ldexp(1, -690)
    assert powers


def test_a_power_that_is_no_small_whole_number_is_left_to_mpmath():
    """As a fraction it would be a float, rounded already, or have as many digits as its exponent says."""

    def exact(m, x):
        return m.mpf(x) * m.mpf(2) ** (-(m.mpf(x) ** 2))

    for x in (0.3, 50.0, 65504.0, -1e30):
        assert truth.rational(dataclasses.replace(activations.get("tanh"), exact=exact), x, {}) is None
    m = truth.context(300)
    x = np.linspace(-5, 5, 101)
    true = np.array([float(exact(m, m.mpf(float(each)))) for each in x])
    found = truth.right(dataclasses.replace(activations.get("tanh"), exact=exact), x)
    assert found.tobytes() == true.tobytes()
    for small in (lambda m, x: x**3, lambda m, x: (x + 1) ** 2 / 4, lambda m, x: 2.0**x):
        value = truth.rational(dataclasses.replace(activations.get("tanh"), exact=small), 3.0, {})
        assert value == small(None, Fraction(3))
