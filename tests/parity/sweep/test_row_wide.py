from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from parity.sweep import row_wide, rows
from parity.ulp import FORMATS
from refnet import activations

CONTEXT = mpmath.MPContext()
CONTEXT.prec = 400


def exactly(number):
    return CONTEXT.mpf(Fraction(float(number)).numerator) / Fraction(float(number)).denominator


def value(wide, place):
    return sum(exactly(part[place]) for part in wide.parts), int(
        np.broadcast_to(wide.scale, wide.parts[0].shape)[place]
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", row_wide.RULES)
def test_true_values_lie_within_their_doubt_and_on_their_side(name, dtype):
    activation, rng = activations.REGISTRY[name], np.random.default_rng(12)
    for block in rows.blocks(activation, 10):
        if block.length > 17 or block.family in ("any number", "near overflow", "infinities and NaN", "with -inf"):
            continue  # mpmath cannot subtract exp(-1e38) from anything
        x = rows.make(activation, FORMATS[dtype], block, 2).astype(np.float64)[:2]
        wide = row_wide.RULES[name](x)
        for row, numbers in enumerate(x):
            exact = activation.exact(CONTEXT, [CONTEXT.mpf(float(each)) for each in numbers])
            for entry in rng.integers(len(exact), size=2).tolist():
                found, scale = value(wide, (row, entry))
                true = CONTEXT.ldexp(exact[entry], -scale)
                assert abs(true - found) <= exactly(wide.doubt[row, entry]), (block, row, entry)
                if wide.side[row, entry] and abs(exact[entry]) > 2.0**-1000:
                    assert (true - found) * wide.side[row, entry] >= 0 or abs(true - found) < 2.0**-100


def test_the_logarithm_keeps_its_bound_where_its_two_ways_meet_and_far_below():
    sizes = np.array([0.0, 2.0**-1000, 1e-30, 1e-5, 0.0624, 1 / 16, 0.0626, 0.5, 1.0, 9999.0])
    mantissa, exponent = np.frexp(sizes)
    for extra in (0.0, 2.0**-55, -(2.0**-55)):
        (high, low), level = row_wide._log1p((mantissa, mantissa * extra), exponent.astype(np.int64))
        for place, size in enumerate(sizes):
            true = CONTEXT.log1p(exactly(size) * (1 + exactly(extra)))
            found = CONTEXT.ldexp(exactly(high[place]) + exactly(low[place]), int(level[place]))
            assert abs(found - true) <= row_wide.LOG_DOUBT * true


def test_powers_of_any_size_do_no_harm():
    assert row_wide.ldexp(1.0, np.int64(10**9)) == np.inf
    assert row_wide.ldexp(1.0, np.int64(-(10**9))) == 0.0
