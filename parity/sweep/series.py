"""Chebyshev series in integers, and dyadic numbers taken apart: the arithmetic of `parity.sweep.model`."""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Any

import mpmath

from parity import truth

__all__ = [
    "BITS",
    "COUNTS",
    "chebyshev",
    "coefficients_through",
    "cosines",
    "fixed",
    "horner",
    "lowest_bit",
    "monomials",
    "odd_part",
    "short",
    "significant_bits",
]

#: Digits of values and coefficients.
BITS = 240
#: Degrees tried, each one's Chebyshev points among the next one's; the last one for float64 only.
COUNTS = (4, 8, 16, 32)


@functools.cache
def cosines() -> tuple[list[Any], list[int]]:
    """Return cos(k pi / 32) for k = 0 to 63, as numbers and as integer multiples of 2**-BITS."""
    m = truth.context(BITS)
    numbers = [m.cos(m.pi * k / COUNTS[-1]) for k in range(2 * COUNTS[-1])]
    return numbers, [int(m.ldexp(each, BITS)) for each in numbers]


@functools.cache
def chebyshev(degree: int) -> tuple[int, ...]:
    """Return the coefficients of the Chebyshev polynomial, constant term first.

    Examples
    --------
    >>> chebyshev(3)
    (0, -3, 0, 4)
    """
    if degree < 2:
        return ((1,), (0, 1))[degree]
    before, last = (*chebyshev(degree - 2), 0, 0), (0, *chebyshev(degree - 1))
    return tuple(2 * b - a for a, b in zip(before, last, strict=True))


def fixed(number: Any, top: int) -> int:
    """Return the number as an integer multiple of 2**(top - BITS): sums of integers are fast and exact."""
    return int(truth.context(BITS).ldexp(number, BITS - top))


def coefficients_through(values: list[int], count: int) -> list[int]:
    """Return the Chebyshev coefficients of the polynomial through ``values`` at cos(k pi / count)."""
    table, step = cosines()[1], COUNTS[-1] // count
    doubled = [values[0], *(2 * each for each in values[1:-1]), values[-1]]
    series = [
        sum(each * table[j * k * step % (2 * COUNTS[-1])] for k, each in enumerate(doubled)) // (count << BITS)
        for j in range(count + 1)
    ]
    return [series[0] // 2, *series[1:-1], series[-1] // 2]


def monomials(series: list[int]) -> list[int]:
    """Return the coefficients of powers, constant term first, from those of Chebyshev polynomials."""
    powers = [0] * len(series)
    for degree, each in enumerate(series):
        for power, factor in enumerate(chebyshev(degree)):
            powers[power] += factor * each
    return powers


def horner(powers: list[int], place: int) -> int:
    """Return the polynomial at ``place / 65536``, in the integers' own unit."""
    y = 0
    for each in reversed(powers):
        y = ((y * place) >> 16) + each
    return y


def short(number: Any, m: Any) -> Any:
    """Round to 12 bits: the coefficients of a line that midpoints could lie on are short."""
    if not number:
        return number
    scale = 12 - int(mpmath.mag(number))
    return m.ldexp(m.nint(m.ldexp(number, scale)), -scale)


def odd_part(number: int) -> int:
    """Return a positive integer without its factors of 2.

    Examples
    --------
    >>> odd_part(24)
    3
    """
    return number // (number & -number)


def lowest_bit(number: Fraction) -> int:
    """Return the exponent of the lowest bit of a dyadic fraction."""
    top = number.numerator
    return (top & -top).bit_length() - 1 - (number.denominator.bit_length() - 1)


def significant_bits(number: Fraction) -> int:
    """Return how many bits the numerator of a dyadic fraction has, trailing zeros aside."""
    return odd_part(abs(number.numerator)).bit_length() if number else 0
