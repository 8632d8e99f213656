from __future__ import annotations

import functools

import numpy as np
import pytest
from mpmath import mp

from refnet.activations.exponentials import SELU_BELOW_PARTS, SELU_SCALE_PARTS
from refnet.engine.float32_pairs import FAR, FLOOR, LEAST, _tables, elu_shortcut
from refnet.engine.lanes import lanes_at_once
from refnet.engine.machine import machine
from tests.refnet.engine.test_lanes import compiled

pytestmark = pytest.mark.skipif(machine().vector_bytes != 64, reason="the tables fit the registers of AVX-512 only")

STEP = lanes_at_once(8)
USUAL = -5.0

#: the factors above and below 0, each a float32 and a rest
PLAIN, SELU = ((1.0, 0.0), (1.0, 0.0)), (SELU_SCALE_PARTS, SELU_BELOW_PARTS)


@functools.cache
def loop(parts, divisor=1.0, fixed=True, halves=False):
    """Return the loop for elu with these factors, and for `USUAL` where that is in doubt."""
    above, (factor, low) = parts

    def formula(x, *parameters):
        below = (x.constant(factor) if fixed else parameters[0], low)
        return (elu_shortcut(x, x.constant(divisor), above, below, lambda x: x * 0.0 + USUAL),)

    return compiled(formula, ("float32",), ("float32",), int(not fixed), live=8, halves=halves)


def run(x, *form, **how):
    """Return the results where each number fills a step of its own."""
    steps = np.repeat(np.asarray(x, np.float32), STEP)
    y = np.full_like(steps, 7.0)
    loop(*form, **how)(np.ones(1), steps, y)
    y = y.reshape(-1, STEP)
    assert (y.view(np.uint32) == y[:, :1].view(np.uint32)).all()
    return y[:, 0]


def exact(x, parts):
    """Return the true value: all digits of the factors, and of e^x - 1."""
    above, below = (mp.mpf(high) + mp.mpf(low) for high, low in parts)
    return above * float(x) if x > 0.0 else below * mp.expm1(float(x))


def rounded(value):
    """Return the nearest float32 to a normal number, and how far, in units of its last bit, the next middle is."""
    unit = mp.mpf(2) ** (mp.floor(mp.log(abs(value), 2)) - 23)
    below = mp.floor(value / unit)
    rest = value / unit - below
    return np.float32(float((below + (rest > 0.5)) * unit)), float(abs(rest - 0.5))


def samples(parts):
    """Return 800 numbers evenly from -18 to 0, 800 of every size, and 800 of 200,000 with results near a middle."""
    rng = np.random.default_rng(0)
    x = -np.float32(
        np.concatenate([rng.uniform(0.0, 18.0, 100_000), np.exp(rng.uniform(np.log(2.0**-20), 3.0, 100_000))])
    )
    wide = sum(parts[1]) * np.expm1(x.astype(np.float64))
    _, exponent = np.frexp(wide)
    near = np.abs(np.ldexp(wide, 24 - exponent) % 1.0 - 0.5)
    return np.concatenate([x[:800], x[-800:], x[np.argsort(near)[:800]]])


@pytest.mark.parametrize("parts", [PLAIN, SELU])
def test_what_is_not_in_doubt_is_rounded_right_and_little_is_in_doubt(parts):
    x = samples(parts)
    y = run(x, parts)
    sure = y != USUAL
    truths = [rounded(exact(v, parts)) for v in x]
    wrong = [(v, r) for v, r, (t, _) in zip(x[sure], y[sure], np.array(truths, object)[sure], strict=True) if r != t]
    assert not wrong
    assert sure[:800].mean() > 0.99  # evenly from -18 to 0
    middle = np.array([distance for _, distance in truths])
    assert 0.0 < middle[~sure & (x < -0.5)].max() < 2.0**-9


@pytest.mark.parametrize("parts", [PLAIN, SELU])
@pytest.mark.parametrize("halves", [False, True])
def test_the_numbers_of_a_step_do_not_matter(parts, halves):
    """A number gets the same bits among others, above and below 0, if none of them is in doubt."""
    rng = np.random.default_rng(1)
    x = np.float32(rng.standard_normal(400) * 3.0)
    alone = run(x, parts)
    x, alone = x[alone != USUAL], alone[alone != USUAL]
    x, alone = x[: x.size // STEP * STEP + 5], alone[: x.size // STEP * STEP + 5]
    for shift in (0, 1, 7):
        y = np.full(x.size, 7.0, np.float32)
        loop(parts, halves=halves)(np.ones(1), np.roll(x, shift), y)
        assert y.tobytes() == np.roll(alone, shift).tobytes()


@pytest.mark.parametrize("place", range(STEP))
def test_one_number_in_doubt_sends_all_of_its_step_the_usual_way(place):
    (doubtful,) = (x for x in [np.float32(-3.6389804)] if run([x], SELU)[0] == USUAL)
    x = np.full(3 * STEP, -1.0, np.float32)
    x[STEP + place] = doubtful
    y = np.full_like(x, 7.0)
    loop(SELU)(np.ones(1), x, y)
    assert (y.reshape(3, STEP) == USUAL).all(axis=1).tolist() == [False, True, False]


def bits(values):
    return np.asarray(values, np.float32).view(np.uint32).tolist()


@pytest.mark.parametrize("parts", [PLAIN, SELU])
def test_zeros_infinities_and_nan(parts):
    limit = -np.float32(parts[1][0])
    assert bits(run([0.0, -0.0, np.inf, -np.inf], parts)) == bits([0.0, -0.0, np.inf, limit])
    assert np.isnan(run([np.nan, -np.nan], parts)).all()


@pytest.mark.parametrize("parts", [PLAIN, SELU])
def test_far_below_the_result_is_the_limit(parts):
    x = -np.float32([FAR, np.nextafter(np.float32(FAR), np.float32(99.0)), 20.0, 87.0, 104.0, 3e38])
    limit = -np.float32(parts[1][0])
    assert bits(run(x, parts)) == bits([limit] * x.size)
    assert rounded(exact(-FAR, parts))[0] == limit


def test_the_smallest_numbers_are_their_own_elu():
    x = np.float32([2.0**-149, 3 * 2.0**-149, 2.0**-126, 2.0**-100, 2.0**-60])
    assert bits(run(x, PLAIN)) == bits(x)
    assert bits(run(-x, PLAIN)) == bits(-x)


def test_the_smallest_numbers_with_a_factor_go_the_usual_way():
    least = np.float32(LEAST)
    below = np.nextafter(least, np.float32(0.0))
    assert (run([below, -below, 2.0**-149, -(2.0**-149)], SELU) == USUAL).all()
    assert (run([least, -least], SELU) == [rounded(exact(x, SELU))[0] for x in (least, -least)]).all()


def test_numbers_above_0_are_multiplied_by_the_first_factor():
    x = np.float32(np.geomspace(2.0**-20, 1e30, 500))
    assert bits(run(x, PLAIN)) == bits(x)
    assert bits(run(x, SELU)) == bits([rounded(exact(v, SELU))[0] for v in x])


@pytest.mark.parametrize(
    "how",
    [{"divisor": 2.0}, {"fixed": False}, {"parts": ((1.0, 0.0), (2.0, 0.0))}, {"parts": ((1.0, 0.0), (0.5, 0.0))}],
)
def test_another_elu_goes_the_usual_way(how):
    how = {"parts": PLAIN, **how}
    assert (run([-1.0, 1.0], how.pop("parts"), **how) == USUAL).all()


@pytest.mark.parametrize("factor", [1.0, SELU_BELOW_PARTS[0]])
def test_the_tables(factor):
    """t has 9 bits or is the factor, and both parts of the logarithm are exact enough; the first adds to r exactly."""
    t_bits, near, rest = (np.array(table, np.uint32) for table in _tables(factor))
    t = (t_bits + (np.arange(32, dtype=np.uint32) << np.uint32(18))).view(np.float32).astype(float)
    near, rest = near.view(np.float32).astype(float), rest.view(np.float32).astype(float)
    assert (t[0], near[0], rest[0]) == (factor, 0.0, 0.0)
    assert ((t[1:] * 256.0) % 1.0 == 0.0).all()
    assert ((near * 2.0**29) % 1.0 == 0.0).all()
    assert ((rest[1:] >= FLOOR) & (rest[1:] <= FLOOR + 2.0**-29)).all()
    for j in range(1, 32):
        logarithm = mp.log(mp.mpf(t[j]) / factor) - mp.log(2) * j / 32
        assert abs(logarithm + mp.mpf(near[j]) + mp.mpf(rest[j])) < 2.0**-48
        assert abs(logarithm) + FLOOR < 1.0 / 80.0 - mp.log(2) / 64  # so |r| is below 1/80, as EXP_NEAR asks for
