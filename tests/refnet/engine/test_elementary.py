from __future__ import annotations

import inspect
import struct

import mpmath
import numba
import numpy as np
import pytest

from refnet import elementary
from refnet.engine.coefficients import ROOTS, ROOTS_LOW
from refnet.engine.elementary import FEWER_DIGITS
from refnet.engine.pair_words import IN_PAIRS
from refnet.engine.pairs import Pair, rounded
from refnet.engine.trace import compiled as intrinsic, trace

mp = mpmath.mp.clone()
mp.prec = 200

# word -> (truth, intervals, for a float64 and for a float32 result the largest error seen in ulp, rounded up)
WORDS = {
    "exp": (mp.exp, [(-1, 1), (-690, 690)], 0.51, 1.7),
    "expm1": (mp.expm1, [(-1, 1), (-40, 690), (-3, 3), (-1e-9, 1e-9)], 0.51, 2.5),
    "log1p": (mp.log1p, [(-0.99, 1), (0, 1), (1, 1e6), (-1e-9, 1e-9)], 0.51, 0.8),
    "log1p_unit": (mp.log1p, [(0, 1), (0, 1e-9)], 0.51, 2.6),
    "normal_cdf": (mp.ncdf, [(-1, 1), (-8, 8), (-14, 0)], 0.51, 6.5),
}


READINGS = {"float32": FEWER_DIGITS, "float64": IN_PAIRS}


def reading(word: str, dtype: str):
    """Return a word's reading as code that numba can call with float64 numbers."""
    found = READINGS[dtype][getattr(elementary, word)]
    if dtype == "float64":
        return intrinsic(lambda *numbers: (rounded(found(*map(Pair, numbers))),))
    return intrinsic(lambda *numbers: (found(*numbers),))


def compiled(word: str, dtype: str = "float64"):
    return vectorized(reading(word, dtype))


def vectorized(code):
    return numba.vectorize([numba.float64(numba.float64)])(lambda x: code(x))


def ulps(actual: float, truth: mpmath.mpf) -> float:
    exponent = max(int(mp.floor(mp.log(abs(truth), 2))), -1022)
    return float(abs(mp.mpf(actual) - truth) / mp.mpf(2) ** (exponent - 52))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("word", WORDS)
def test_error_in_ulp_of_float64(word, dtype):
    truth, intervals, *bounds = WORDS[word]
    rng = np.random.default_rng(0)
    run = compiled(word, dtype)
    for low, high in intervals:
        xs = rng.uniform(low, high, 1500)

        worst = max(ulps(float(y), truth(mp.mpf(float(x)))) for x, y in zip(xs, run(xs), strict=True))

        assert worst <= bounds[dtype == "float32"]


@pytest.mark.parametrize(("dtype", "bound"), [("float64", 0.51), ("float32", 1.6)])
@pytest.mark.parametrize("b", [4.0, 1e-4, 9e5, 1e-9, 1e-60, 1e30, 1e39])
def test_hyperbola_gap(b, dtype, bound):
    word = reading("hyperbola_gap", dtype)
    run = numba.vectorize([numba.float64(numba.float64, numba.float64)])(lambda x, b: word(x, b))
    rng = np.random.default_rng(0)
    xs = np.concatenate([np.ldexp(1 + rng.random(600), rng.integers(-30, 80, 600)), rng.normal(0, 3, 600)])
    xs = xs.astype(np.float32).astype(np.float64)

    with mp.workprec(800):
        worst = max(ulps(y, (mp.sqrt(mp.mpf(x) ** 2 + b) - abs(x)) / 2) for x, y in zip(xs, run(xs, b), strict=True))

    assert worst <= bound


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    ("word", "dtype"),
    [*((word, "float64") for word in ("exp", "expm1", "log1p", "normal_cdf")), ("log1p", "float32")],
)
def test_special_values_are_numpys(word, dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -5e-324, 1e300, -1e300])
    if word == "log1p":
        x = np.append(x, [-1.0, -2.0])
    actual = compiled(word, dtype)(x)
    expected = np.asarray(getattr(elementary, word)(x), dtype=np.float64)

    assert np.where(np.isnan(actual), 0.0, actual).tobytes() == np.where(np.isnan(expected), 0.0, expected).tobytes()
    assert (np.isnan(actual) == np.isnan(expected)).all()


def test_the_words_of_both_dtypes_agree_after_rounding():
    x = np.random.default_rng(0).uniform(-110, 90, 100_000)
    wide, single = compiled("exp")(x), compiled("exp", "float32")(x)

    with np.errstate(over="ignore"):
        assert single.astype(np.float32).tobytes() == wide.astype(np.float32).tobytes()


def test_sum_beyond_rounds_to_float32_as_the_true_sum():
    word = reading("sum_beyond", "float32")
    run = numba.vectorize([numba.float64(numba.float64, numba.float64)])(lambda a, b: word(a, b))
    a = np.array([1.0 + 2.0**-24, 1.0 + 3 * 2.0**-24, -1.0 - 2.0**-24, 2.0**-130, 0.0, -np.inf, 1.5, 1e38])
    b = np.array([2.0**-60, 0.0, -(2.0**-200), 2.0**-200, -0.0, -1.0, 0.25, 1.0])

    found = run(a, b)
    assert found.astype(np.float32).tobytes() == np.asarray(elementary.sum_beyond(a, b)).astype(np.float32).tobytes()
    assert found[:3].astype(np.float32).tolist() == [1 + 2.0**-23, 1 + 2.0**-22, -1 - 2.0**-23]
    assert found[4:6].tobytes() == np.array([0.0, -np.inf]).tobytes()


def test_sum_odd_rounds_to_odd():
    word = reading("sum_odd", "float32")
    run = numba.vectorize([numba.float64(numba.float64, numba.float64)])(lambda a, b: word(a, b))
    a = np.array([1.0, 1.0, 1.0, -1.0, 1.5])
    b = np.array([2.0**-60, -(2.0**-60), 0.0, 2.0**-60, 0.25])

    assert run(a, b).tobytes() == np.asarray(elementary.sum_odd(a, b)).tobytes()
    assert run(a, b).tolist() == [1 + 2.0**-52, 1 - 2.0**-53, 1.0, -1 + 2.0**-53, 1.75]


@pytest.mark.parametrize("dtype", READINGS)
def test_every_word_has_a_compiled_reading(dtype):
    words = {getattr(elementary, name) for name in elementary.__all__}
    assert words <= set(READINGS[dtype])


@pytest.mark.parametrize("name", ["copysign", "exp_sum", "exp_times", "fma", "maximum", "normal_cdf_times", "ratio"])
@pytest.mark.parametrize("dtype", READINGS)
def test_words_of_several_numbers_mean_what_numpys_do(name, dtype):
    plain = getattr(elementary, name)
    count = len(inspect.signature(plain).parameters) if inspect.isfunction(plain) else plain.nin
    word = reading(name, dtype)
    code = {2: lambda a, b: word(a, b), 3: lambda a, b, c: word(a, b, c)}[count]
    a, b, c = 1.25, -0.75, 1e-17
    given = (a, b, c)[:count] if name != "exp_sum" else (a, c)

    assert abs(numba.njit(code)(*given) - float(plain(*given))) <= 3 * np.spacing(abs(float(plain(*given))))


def test_what_is_known_of_a_numbers_size_holds():
    """exp leaves out the limits that its argument is known to keep: a wrong one gives 2 to a wrong power."""
    minimum, maximum, absolute, exp = (
        FEWER_DIGITS[getattr(elementary, name)] for name in ("minimum", "maximum", "absolute", "exp")
    )
    x = np.array([0.0, 3.0, -3.0, 1e30, np.inf, -np.inf, np.nan])
    forms = [
        (lambda x: minimum(absolute(x), -1000.0), lambda x: np.minimum(np.abs(x), -1000.0)),
        (lambda x: maximum(-absolute(x), 1000.0), lambda x: np.maximum(-np.abs(x), 1000.0)),
        (lambda x: maximum(minimum(x, -5.0), 900.0), lambda x: np.maximum(np.minimum(x, -5.0), 900.0)),
        (lambda x: minimum(maximum(x, -900.0), 5.0), lambda x: np.minimum(np.maximum(x, -900.0), 5.0)),
        (lambda x: -minimum(absolute(x), 900.0), lambda x: -np.minimum(np.abs(x), 900.0)),
    ]
    for form, plain in forms:
        run = vectorized(intrinsic(lambda x, form=form: (exp(form(x)),)))
        with np.errstate(all="ignore"):
            expected = np.exp(plain(x)).astype(np.float32)
            actual = run(x).astype(np.float32)
        assert (np.isnan(actual) == np.isnan(expected)).all()
        np.testing.assert_array_max_ulp(np.nan_to_num(actual), np.nan_to_num(expected), maxulp=1)


def test_the_roots_of_2_and_what_their_rounding_took_away():
    for i, (bits, low) in enumerate(zip(ROOTS, ROOTS_LOW, strict=True)):
        n = i if i < 8 else i - 16
        root, rest = struct.unpack("<2d", struct.pack("<2Q", bits + (n << 48), low))
        exact = mp.mpf(2) ** (mp.mpf(n) / 16)
        assert (root, rest) == (float(exact), float(exact - mp.mpf(root)))


def test_exp_is_shorter_where_its_argument_is_known_to_be_moderate():
    exp, within = FEWER_DIGITS[elementary.exp], FEWER_DIGITS[elementary.within]
    limit = elementary.MODERATE

    assert trace(lambda x: (exp(within(x, -limit, limit)),), 1) < trace(lambda x: (exp(x),), 1)

    run = vectorized(intrinsic(lambda x: (exp(within(x, -limit, limit)),)))
    x = np.random.default_rng(0).uniform(-limit, limit, 20_000)
    assert max(ulps(float(y), mp.exp(mp.mpf(float(v)))) for v, y in zip(x, run(x), strict=True)) < 14
