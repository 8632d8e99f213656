"""elu in pairs of float32, of which a vector holds twice as many as of float64.

Most of a float64's digits decide nothing about a float32. A pair of float32, high + low, has enough to round nearly all
results; for the others a way with more digits is taken (Ziv's strategy).

With x = n ln 2 / 32 + log(t / 2^(n/32)) + r, e^x = t e^r. There are 32 t in a binade, which AVX-512 looks up in two
registers. Each has 9 bits, so t - 1 is a float32, and what a fused multiply-add of t, r and t - 1 rounds away is one,
too; and each is so near 2^(n/32) that the logarithm is known as a pair (after Gal, "Computing elementary functions: a
new approach for achieving high accuracy and good performance", 1986).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from refnet.engine.bits import permuted
from refnet.engine.coefficients import EXP_NEAR, LN2_HI, LN2_LO
from refnet.engine.machine import machine
from refnet.engine.shortcut import words_of
from refnet.engine.trace import (
    Condition,
    Number,
    apart,
    fma,
    from_float32,
    in_float32,
    jump,
    known,
    like,
    polynomial,
    select,
)
from refnet.engine.vectors import LINE

__all__ = ["elu_shortcut"]

I32 = ir.IntType(32)

#: A float32's sign bit.
SIGN = 1 << 31

#: Where a float32's exponent begins.
EXPONENT = 23

#: Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
ROUNDER = 12582912.0

#: 32 / ln 2, and ln 2 / 32 as a float32 and what that leaves.
LN2_32 = (LN2_HI + LN2_LO[0]) / 32.0
STEPS = 1.0 / LN2_32
STEP = float(np.float32(LN2_32))
STEP_LOW = LN2_32 - STEP

#: Below -FAR the result is what it is at -FAR. If there are factors, nothing below LEAST is rounded here: what is left
#: of a product would be too small to be seen beside `ERROR`.
FAR, LEAST = 17.5, 2.0**-24

#: How far e^r - 1 - r may be off: by five roundings of itself, and by some rest.
ERROR = 6.0 * 2.0**-24

#: What the low part of r gets, so that e^r - 1 - r is a sum of two numbers above 0, and its error a part of it: more
#: than 808 STEP_LOW, and a multiple of 2^-29. Where t is a power of 2, or the factor times one, r gets none: next to
#: these few x the error is not bounded so, but each of them has been swept (`parity sweep --exhaustive`).
FLOOR = 2.0**-24


def elu_shortcut(
    x: Number,
    divisor: Any,
    above: tuple[float, float],
    below: tuple[Any, float],
    usual: Callable[[Number], Number],
) -> Number:
    """Return elu with a factor above and one below 0; or in all lanes ``usual(x)`` if in one of them that is in doubt.

    Unless the divisor is 1 and the factor below 0 is known when the code is made, and from 1 to 2, and the processor
    has AVX-512, it is ``usual(x)`` alone.
    """
    factor, low = known(x.lift(below[0])), below[1]
    here = x.narrow is not None and machine().vector_bytes == LINE
    if not here or factor is None or not 1.0 <= factor < 2.0 or known(x.lift(divisor)) != 1.0:
        return usual(x)
    narrow = in_float32(x)
    negative = select(narrow > 0.0, narrow.constant(0.0), narrow)
    negative = select(negative < -FAR, narrow.constant(-FAR), negative)
    y, other = _expm1_times(factor, low, negative)
    plain = factor == 1.0 and above == (1.0, 0.0)
    if plain:
        result = select(y > narrow, y, narrow)  # e^x - 1 is not below x
    else:
        kept = select(narrow < 0.0, narrow.constant(0.0), narrow)
        result = _with_sign(fma(kept, above[0], above[1] * kept) + y, narrow)
    asked = _asked(narrow, y, other, products=not plain)
    (result,) = jump(asked, lambda: [in_float32(usual(apart(x)))], [result])
    return from_float32(result)


def _with_sign(y: Number, x: Number) -> Number:
    """Return y, whose sign bit is set where it is below 0, with x's sign, which only a zero shows."""
    builder = x.builder
    bits, given = (builder.bitcast(each.value, ir.VectorType(I32, each.value.type.count)) for each in (y, x))
    signed = builder.or_(bits, builder.and_(given, like(given.type, I32(SIGN))))
    return Number(builder, builder.bitcast(signed, y.value.type))


def _asked(x: Number, y: Number, other: Number, products: bool) -> Condition:
    """Return a mask, a lane of which is set if y and the other differ somewhere, or, with products, x is next to 0.

    Their bits are put together as integers, which is faster than as masks.
    """
    builder = x.builder
    given, *ys = (words_of(builder, each.value) for each in (x, y, other))
    asked = [builder.xor(*pair) for pair in zip(*ys, strict=True)]
    if products:
        least, size, one = (like(given[0].type, I32(bits)) for bits in (_bits(LEAST) - 1, SIGN - 1, 1))
        smallest = least
        for word in given:
            less = builder.sub(builder.and_(word, size), one)  # of a zero it is the largest
            smallest = builder.select(builder.icmp_unsigned("<", less, smallest), less, smallest)
        asked.append(builder.sub(least, smallest))
    either = functools.reduce(builder.or_, asked)
    return Condition(builder, builder.icmp_unsigned("!=", either, like(either.type, I32(0))))


def _bits(value: float) -> int:
    return int(np.float32(value).view(np.uint32))


def _expm1_times(factor: float, low: float, x: Number) -> list[Number]:
    """Return two float32 numbers between which (factor + low) (e^x - 1) would be rounded, for x from -FAR to 0."""
    builder, numbers = x.builder, x.value.type
    shifted = fma(x, STEPS, ROUNDER)
    n = shifted - ROUNDER
    bits = builder.bitcast(shifted.value, ir.VectorType(I32, numbers.count))
    t_bits, near_bits, rest_bits = (permuted(builder, table, bits) for table in _tables(factor))
    t_bits = builder.add(t_bits, builder.shl(bits, like(bits.type, I32(EXPONENT - 5))))
    t, near, rest = (Number(builder, builder.bitcast(each, numbers)) for each in (t_bits, near_bits, rest_bits))
    r = fma(n, -STEP, x) + near
    r_low = fma(n, -STEP_LOW, rest)
    e = fma(fma(polynomial(EXP_NEAR, r), r, r_low), r, r_low)  # e^(r + r_low) - 1 - r
    less = t - factor
    value = fma(t, r, less)
    lost = fma(t, r, less - value) + (t - (less + factor))
    if low != 0.0:
        lost = fma(value, low / factor, lost)
    middle = fma(t, e, lost)
    return [value + fma(e, error * factor, middle) for error in (ERROR, -ERROR)]


@functools.cache
def _tables(factor: float) -> tuple[tuple[int, ...], ...]:
    """Return three tables for j = 0 to 31, as bits of float32.

    The first are the numbers t near factor 2^(j/32), less j << 18: adding n << 18, for n = 32 k + j, gives 2^k t. The
    others are the logarithm of what lies between, which r gets: a multiple of 2^-29, so that it is exact, and the rest.
    """
    j = np.arange(32)
    exact = factor * 2.0 ** (j / 32.0)
    t = np.where(j == 0, factor, np.round(exact * 256.0) / 256.0)
    between = -np.log1p((t - exact) / exact)
    near = np.floor(between * 2.0**29) / 2.0**29 - np.where(j == 0, 0.0, FLOOR)
    t_bits, *others = (np.float32(part).view(np.uint32) for part in (t, near, between - near))
    less = j.astype(np.uint32) << np.uint32(EXPONENT - 5)
    return tuple(tuple(part.tolist()) for part in (t_bits - less, *others))
