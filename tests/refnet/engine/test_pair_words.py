from __future__ import annotations

import mpmath
import numba
import numpy as np
import pytest

from refnet import elementary
from refnet.engine import pair_words
from refnet.engine.pair_words import IN_PAIRS
from refnet.engine.pairs import Pair
from refnet.engine.trace import compiled

mp = mpmath.mp.clone()
mp.prec = 300

# word -> (truth, intervals)
WORDS = {
    "exp": (mp.exp, [(-1, 1), (-600, 700), (-1e-5, 1e-5)]),
    "expm1": (mp.expm1, [(-1, 1), (-45, 700), (-1e-5, 1e-5), (-0.4, -0.3), (0.3, 0.4)]),
    "log1p": (mp.log1p, [(-0.99, 1), (0, 1), (1, 1e6), (-1e-5, 1e-5), (0.4, 0.42), (-0.3, -0.29), (0, 1e300)]),
    "log1p_unit": (mp.log1p, [(0, 1), (0, 1e-5)]),
    "normal_cdf": (mp.ncdf, [(-1, 1), (-8, 8), (-35, -8), (-0.46, -0.44), (0.44, 0.46)]),
}


def parts_of(word):
    """Return the word of one pair as a function of two numbers: the result's high and low part."""

    def run(high, low):
        y = word(Pair(high, low))
        return y.high, y.low

    code = compiled(run)
    return numba.njit(lambda high, low: code(high, low))


@pytest.mark.parametrize("word", WORDS)
def test_high_and_low_together_are_right_to_58_bits_and_more(word):
    truth, intervals = WORDS[word]
    rng = np.random.default_rng(1)
    run = parts_of(getattr(pair_words, word))
    for first, last in intervals:
        for x in rng.uniform(first, last, 1000):
            low = float(rng.uniform(-1, 1) * np.spacing(abs(x)))
            high_y, low_y = run(float(x), low)
            t = truth(mp.mpf(float(x)) + mp.mpf(low))
            assert abs((mp.mpf(high_y) + mp.mpf(low_y)) / t - 1) < mp.mpf(2) ** -58.5, x


def test_a_large_exponent_may_come_with_a_low_part_far_above_an_ulp_of_the_result():
    run = parts_of(pair_words.exp)
    low = 2.0**-44
    for x in (-600.25, -500.0, 511.3, -360.43653389):
        high_y, low_y = run(x, low)
        assert abs((mp.mpf(high_y) + mp.mpf(low_y)) / mp.exp(mp.mpf(x) + mp.mpf(low)) - 1) < mp.mpf(2) ** -60


@pytest.mark.parametrize(
    ("x", "expected"), [(-1e6, 0.0), (np.inf, np.inf), (-np.inf, 0.0), (1e6, np.inf), (-745.2, 0.0), (-745.1, 5e-324)]
)
def test_exp_far_out(x, expected):
    assert parts_of(pair_words.exp)(x, 0.0)[0] == expected


def test_products_are_scaled_after_the_product():
    def run(x):
        return pair_words.exp_times(Pair(x), Pair(x), 0.0).high, pair_words.normal_cdf_times(Pair(x), Pair(x)).high

    code = compiled(run)
    call = numba.njit(lambda x: code(x))
    for x in (-746.0, -750.0, -751.0):
        assert abs(mp.mpf(call(x)[0]) - mp.mpf(x) * mp.exp(x)) <= mp.mpf(2) ** -1074
    for x in (-37.6, -38.2, -38.5):
        assert abs(mp.mpf(call(x)[1]) - mp.mpf(x) * mp.ncdf(x)) <= mp.mpf(2) ** -1074


def test_every_word_has_a_reading_in_pairs():
    assert {getattr(elementary, name) for name in elementary.__all__} == set(IN_PAIRS)


def test_constants_are_split_in_two():
    for name, value in {
        "SIXTH": mp.mpf(1) / 6,
        "TWO_THIRDS": mp.mpf(2) / 3,
        "SQRT_2": mp.sqrt(2),
        "DENSITY_AT_0": 1 / mp.sqrt(2 * mp.pi),
        "LN2_LO": mp.log(2) - mp.mpf(pair_words.LN2_HI),
    }.items():
        high, low = getattr(pair_words, name)
        assert high == float(value)
        assert low == float(value - mp.mpf(high))
