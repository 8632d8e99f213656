from __future__ import annotations

import math
import operator
import struct

import numba
import numpy as np
import pytest

from refnet.engine.lanes import over_lanes
from refnet.engine.trace import (
    Number,
    absolute,
    compiled,
    copysign,
    fma,
    from_float32,
    in_float32,
    in_float64,
    known,
    main_way,
    polynomial,
    seldom,
    select,
    sqrt,
    trace,
)


def run(function, *numbers: float):
    code = compiled(function)
    call = {1: lambda a: code(a), 2: lambda a, b: code(a, b), 3: lambda a, b, c: code(a, b, c)}[len(numbers)]
    return numba.njit(error_model="numpy")(call)(*map(float, numbers))


def test_operators_are_those_of_float64():
    a, b = 0.1, 0.7
    assert run(lambda x, y: (x + y, x - y, x * y, x / y, -x), a, b) == (a + b, a - b, a * b, a / b, -a)
    assert run(lambda x: (x + 2, 2 + x, x - 2, 2 - x, x * 3, 3 * x, x / 3), a) == (
        *(a + 2, 2 + a, a - 2, 2 - a),
        *(a * 3, 3 * a, a / 3),
    )


def test_functions():
    assert run(lambda x, y, z: (fma(x, y, z),), 1 + 2.0**-30, 1 - 2.0**-30, -1.0) == -(2.0**-60)
    assert run(lambda x: (absolute(x), sqrt(-x), copysign(2.0, x)), -9.0) == (9.0, 3.0, -2.0)
    assert run(lambda x: (polynomial((1.0, 2.0, 3.0), x),), 10.0) == 123.0


def test_float32_inside():
    third = float(np.float32(1.0) / np.float32(3.0))
    assert run(lambda x: (in_float64(1.0 / in_float32(x)),), 3.0 + 2.0**-40) == third
    assert run(lambda x: (in_float64(sqrt(in_float32(x))),), 2.0) == float(np.sqrt(np.float32(2.0)))


def fcmps(function, narrow: str) -> list[str]:
    """Return the comparisons in the code of a function of vectors that were loaded as float32 or as float64."""
    modules = []

    def spy(x: Number) -> tuple[Number]:
        modules.append(
            x.builder.module
        )  # to read when it is complete: instructions keep the text that is first asked for
        return (function(x),)

    loop = over_lanes(spy, (narrow,), (narrow,))
    numba.njit(lambda count, x, y: loop(count, 0, x, y))(0, 0, 0)
    return [line.split("fcmp", 1)[1] for line in str(modules[-1]).splitlines() if " fcmp " in line]


@pytest.mark.parametrize(
    ("limit", "narrow", "kind"),
    [
        (0.5, "float32", "float"),
        (0.1, "float32", "double"),  # no float32 is 0.1
        (1e300, "float32", "double"),
        (0.5, "float64", "double"),
    ],
)
def test_float32_numbers_are_compared_as_such(limit, narrow, kind):
    found = fcmps(lambda x: select(absolute(x) < limit, x, 0.0), narrow)
    assert found
    assert all(f"x {kind}>" in line for line in found)


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">=", "==", "!="])
def test_comparisons_in_float32_are_those_of_float64(sign):
    compare = getattr(operator, {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}[sign])
    loop = over_lanes(lambda x: (select(compare(absolute(x), 0.5), x.constant(1.0), 0.0),), ("float32",), ("float32",))
    x = np.array([0.0, 0.5, -0.5, np.nextafter(np.float32(0.5), 1), -0.25, np.inf, -np.inf, np.nan], np.float32)
    y = np.empty_like(x)
    numba.njit(lambda count, x, y: loop(count, 0, x, y))(x.size, x.ctypes.data, y.ctypes.data)
    np.testing.assert_array_equal(y, compare(np.abs(x), np.float32(0.5)))


def test_powers():
    assert run(lambda x: (x**1, x**2, x**3, x**4), 3.0) == (3.0, 9.0, 27.0, 81.0)


def test_seldom_chooses_as_where_does():
    def ask(x: Number) -> tuple[Number, ...]:
        return (seldom(x < 1.0, lambda: x * 10.0, x + 0.5),)

    assert [run(ask, x) for x in (0.25, 1.0, math.nan)][:2] == [2.5, 1.5]
    assert math.isnan(run(ask, math.nan))


def test_a_zero_keeps_its_sign():
    assert struct.pack("d", run(lambda x: (-x,), 0.0)) == struct.pack("d", -0.0)
    assert struct.pack("d", run(lambda x: (absolute(x),), -0.0)) == struct.pack("d", 0.0)


@pytest.mark.parametrize("x", [-1.0, 0.0, 1.0, math.nan])
def test_comparisons_with_nan_hold_for_unequal_only(x):
    def ask(a: Number) -> tuple[Number, ...]:
        one, zero = a.constant(1.0), a.constant(0.0)
        conditions = (a < 0.0, a > 0.0, a == 0.0, a != 0.0, (a < 0.0) | (a > 0.0), (a != 0.0) & (a > 0.0), ~(a == 0.0))
        conditions += (a <= 0.0, a >= 0.0)
        return tuple(select(condition, one, zero) for condition in conditions)

    expected = (x < 0, x > 0, x == 0, x != 0, x < 0 or x > 0, x > 0, x != 0, x <= 0, x >= 0)
    assert run(ask, x) == tuple(map(float, expected))


@pytest.mark.parametrize(
    "formula",
    [
        lambda x: (x if x > 0.0 else -x,),
        lambda x: (select(True, x, x),),
        lambda x: ((x > 0.0) & True,),
        lambda x: (x + "1",),
        lambda x: (math.exp(x),),
        lambda x: (np.tanh(x),),
        lambda x: ({x: 1},),
        lambda x: (x**0.5,),
        lambda x: (x if x else -x,),
    ],
)
def test_what_cannot_be_compiled_is_refused(formula):
    with pytest.raises(TypeError):
        trace(formula, 1)


def test_the_main_way_ends_at_the_first_jump():
    def formula(x):
        return (seldom(x > 3.0, lambda: fma(x, x, x), fma(x, x + 1.0, x)),)

    assert main_way(formula, 1, lanes=16) == (3 * 128, 1)  # x in float64, a sum, a multiply-add; a mask has no bytes
    assert trace(formula, 1) == 2


def test_a_constant_is_known():
    found = []

    def formula(x):
        found.extend([known(x), known(x.constant(0.1)), known(from_float32(in_float32(x)).constant(-3.0))])
        return (x,)

    main_way(formula, 1, lanes=16)
    trace(formula, 1)
    assert found == [None, 0.1, -3.0] * 2
