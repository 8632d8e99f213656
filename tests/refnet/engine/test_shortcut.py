from __future__ import annotations

import functools

import numba
import numpy as np
import pytest

from refnet import activations
from refnet.activations import REGISTRY
from refnet.elementary import shortcut
from refnet.engine import trace
from refnet.engine.formulas import with_words
from refnet.engine.machine import machine
from refnet.engine.shortcut import unless_in_doubt
from refnet.engine.trace import Number
from tests.refnet.engine.test_lanes import LONGEST, compiled

BITS = 40
ERROR = 1 << (53 - BITS)  # of 2^-52: what 2^-BITS of a number below 2 may be
MIDDLE = 1 << 28
USUAL = -5.0


@functools.cache
def chosen():
    """Return the loop for y where it is sure and 0.5 <= |x| <= 8, else for `USUAL`."""

    def formula(x: Number, y: Number) -> tuple[Number]:
        return (unless_in_doubt(x, 0.5, 8.0, y, BITS, lambda x: x * 0.0 + USUAL),)

    return compiled(formula, ("float32", "float64"), ("float64",))


def near_the_middle(offset, exponent=0, sign=1.0):
    """Return a number so many units of 2^-52 from the middle between two float32 numbers."""
    return sign * np.ldexp(1.0 + (12345 * (1 << 29) + MIDDLE + offset) * 2.0**-52, exponent)


def run(x, y):
    result = np.full(x.size, 7.0)
    chosen()(np.zeros(1), x, y, result)
    return result


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("exponent", [0, -100, 100])
@pytest.mark.parametrize(
    ("sure", "offset"),
    [
        *[(True, offset) for offset in (-MIDDLE, -ERROR - 1, ERROR, MIDDLE - 1)],
        *[(False, offset) for offset in (-ERROR, -1, 0, 1, ERROR - 1)],
    ],
)
def test_what_could_be_rounded_the_other_way_goes_the_usual_way(sure, offset, exponent, sign):
    y = np.full(LONGEST, near_the_middle(offset, exponent, sign))
    assert (run(np.ones(LONGEST, np.float32), y) == (y if sure else USUAL)).all()


BELOW, ABOVE = np.nextafter(np.float32(0.5), np.float32(0.0)), np.nextafter(np.float32(8.0), np.float32(9.0))


@pytest.mark.parametrize("x", [0.5, 8.0, -0.5, -8.0, 0.0, -0.0])
def test_the_bounds_are_inside_and_so_is_0(x):
    assert (run(np.full(LONGEST, x, np.float32), np.full(LONGEST, 1.5)) == 1.5).all()


@pytest.mark.parametrize("x", [1e-45, -1e-45, BELOW, ABOVE, -ABOVE, 3e38, -3e38, np.inf, -np.inf, np.nan])
def test_what_is_outside_goes_the_usual_way(x):
    assert (run(np.full(LONGEST, x, np.float32), np.full(LONGEST, 1.5)) != 1.5).all()


@pytest.mark.parametrize("place", range(LONGEST))
def test_one_number_sends_all_of_its_step_the_usual_way(place):
    for outside in (False, True):
        x, y = np.ones(3 * LONGEST, np.float32), np.full(3 * LONGEST, 1.5)
        if outside:
            x[LONGEST + place] = 9.0
        else:
            y[LONGEST + place] = near_the_middle(0)
        expected = np.repeat([1.5, USUAL, 1.5], LONGEST)
        assert (run(x, y) == expected).all()


@pytest.mark.parametrize("count", [*range(1, 40), LONGEST + 1, LONGEST + 17])
def test_what_is_left_at_the_end(count):
    """A lane that is no number sends no step the usual way."""
    x, y = np.ones(count, np.float32), np.full(count, 1.5)
    y[-1] = near_the_middle(0)
    assert run(x, y)[-1] == USUAL
    assert (run(x, np.full(count, 1.5)) == 1.5).all()


def with_a_shortcut():
    """Return the names of the book's formulas that have one."""
    found = []
    for name in activations.names():
        entry = REGISTRY[name]
        if entry.kind == "elementwise":
            noting = with_words(entry.formula, {shortcut: lambda *_, name=name: found.append(name)})
            noting(1.0, *[1.0] * len(entry.parameters))
    return found


def test_the_book_has_shortcuts():
    assert with_a_shortcut()


@pytest.mark.skipif(machine().lanes(8) == 1, reason="numbers alone have no neighbours")
@pytest.mark.parametrize("name", with_a_shortcut())
def test_a_short_way_and_the_usual_one_round_alike(name):
    """Beside a number that needs the usual way, in each step, all go that way; neighbours in order, few do."""
    x = np.random.default_rng(0).integers(0, 2**32, 1 << 20, np.uint32).view(np.float32)
    usual = np.geomspace(2.0**-12, 64.0, 1 << 21, dtype=np.float32)
    ends = np.arange(86.0, 90.0, 2.0**-17, dtype=np.float32)  # where exponentials become subnormal or infinite
    assert_alike(activations.get(name), np.sort(np.concatenate([x, usual, -usual, ends, -ends])))


@pytest.mark.skipif(machine().lanes(8) == 1, reason="numbers alone have no neighbours")
@pytest.mark.parametrize("name", ["elu", "celu"])
@pytest.mark.parametrize("alpha", [3.0, 0.5, 0.01, 2.0**-50, 1e-40, -0.5])
def test_they_do_for_every_alpha(name, alpha):
    assert_alike(lambda x: activations.get(name)(x, alpha), np.linspace(-90, 90, 1 << 18, dtype=np.float32))


def assert_alike(entry, x):
    steps = x.reshape(-1, LONGEST // 4)
    beside = np.concatenate([steps, np.full_like(steps, -1e30)], axis=1)
    usual = entry(beside)[:, : steps.shape[1]].ravel()
    short = entry(x)
    nan = np.isnan(usual)
    assert (np.isnan(short) == nan).all()
    assert (short.view(np.uint32) == usual.view(np.uint32))[~nan].all()


def test_a_subnormal_result_goes_the_usual_way():
    """alpha x is halfway between two subnormal numbers, and x^2 / 2 decides."""
    x = np.full(LONGEST, -1.5 * 2.0**-99, np.float32)
    assert (activations.elu(x, 2.0**-50) == np.float32(-(2.0**-149))).all()


@pytest.mark.parametrize("name", with_a_shortcut())
def test_zeros_keep_their_sign(name):
    entry = activations.get(name)
    x = np.array([0.0, -0.0] * LONGEST, np.float32)
    assert entry(x).tobytes() == entry(x.astype(np.float64)).astype(np.float32).tobytes()


@pytest.mark.parametrize("name", ["elu", "celu"])
@pytest.mark.parametrize("alpha", [2.0, -0.5])
def test_so_do_they_for_every_alpha(name, alpha):
    x = np.array([0.0, -0.0] * LONGEST, np.float32)
    sign = np.sign(alpha) if name == "elu" else 1.0
    assert activations.get(name)(x, alpha).tobytes() == (sign * x).astype(np.float32).tobytes()


def test_a_single_number():
    code = trace.compiled(lambda x, y: (unless_in_doubt(x, 0.5, 8.0, y, BITS, lambda x: x * 0.0 + USUAL),))
    single = numba.njit(lambda x, y: code(x, y))
    assert single(1.0, 1.5) == 1.5
    assert single(9.0, 1.5) == USUAL
    assert single(1.0, near_the_middle(0)) == USUAL
