from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from hypothesis import given, strategies as st

from refnet.engine.bits import bits_of, exponent_and_fraction, from_bits, looked_up, power_of_two
from refnet.engine.lanes import over_lanes
from refnet.engine.trace import Number, compiled
from tests.refnet.engine.test_trace import run


def test_bits_are_integers():
    assert run(lambda x: (from_bits(bits_of(x)),), 0.3) == 0.3
    one = 0x3FF0000000000000
    assert run(lambda x: (from_bits((bits_of(x) + (1 << 52)) & ~1),), 1.0) == 2.0
    assert run(lambda x: (from_bits((bits_of(x) >> 52) << 52),), 1.75) == 1.0
    assert run(lambda x, y: (from_bits(bits_of(x) ^ bits_of(y) ^ bits_of(x.constant(1.0))),), 1.0, 3.0) == 3.0
    sign = run(lambda x: (from_bits((bits_of(x).filled_with_sign() & one) | 0),), -2.0)
    assert sign == 1.0
    assert run(lambda x: (from_bits(bits_of(x).filled_with_sign()),), 2.0) == 0.0


TABLE = tuple(1000 + 7 * i for i in range(16))


@pytest.mark.parametrize("count", [1, 2, 8, 16, 64])
def test_a_table_is_read_by_the_lowest_four_bits(count):
    def entry(x: Number) -> tuple[Number]:
        return (from_bits(looked_up(TABLE, bits_of(x))),)

    x = (np.arange(count, dtype=np.int64) * 0x123456789 + 5).view(np.float64)
    y = np.array([run(entry, value) for value in x])
    assert y.view(np.int64).tolist() == [TABLE[i & 15] for i in x.view(np.int64)]

    loop = over_lanes(entry, ("float64",), ("float64",))  # 64 fill the longest vectors, fewer a part of short ones
    numba.njit(lambda count, x, y: loop(count, 0, x, y))(count, x.ctypes.data, y.ctypes.data)
    assert y.view(np.int64).tolist() == [TABLE[i & 15] for i in x.view(np.int64)]


def of_one(function):
    code = compiled(function)
    return numba.njit(lambda x: code(x))


_taken_apart, _power = of_one(exponent_and_fraction), of_one(lambda n: (power_of_two(n),))


@given(st.floats(2.0**-1022, allow_infinity=False))
def test_a_number_is_its_fraction_times_a_power_of_two(x):
    k, m, scale = _taken_apart(x)
    assert math.sqrt(0.5) <= m < math.sqrt(2.0)
    assert math.ldexp(m, int(k)) == x
    assert scale == (math.ldexp(1.0, 1 - int(k)) if k < 1024.0 else 0.0)


@given(st.integers(-1022, 1023))
def test_powers_of_two(n):
    assert _power(float(n)) == math.ldexp(1.0, n)
