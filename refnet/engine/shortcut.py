"""A short way to a float32, left where its error could matter (Ziv's strategy).

Nearly all results are so far from the middle between two float32 numbers that fewer digits than a float64 has are
enough to round them. With AVX-512 the test is three instructions for 16 numbers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from refnet.engine.machine import machine
from refnet.engine.trace import Condition, Number, absolute, apart, in_float32, jump, like
from refnet.engine.vectors import pieces

__all__ = ["unless_in_doubt", "words_of"]

I32 = ir.IntType(32)


def unless_in_doubt(
    x: Number, least: float, most: float, y: Number, bits: int, other: Callable[[Number], Number]
) -> Number:
    """Return y; or ``other(x)`` in all lanes if in one of them y is in doubt, or x neither 0 nor inside.

    Inside means |x| from ``least`` to ``most``. y is off by 2^-bits of itself at most. Of the 52 bits behind a
    float64's first, a float32 has 23, so that is up to 2^(53 - bits) units of the last bit, and it matters where the
    other 29 bits are as near as that to 2^28.
    """
    builder = x.builder
    asked = _outside(builder, in_float32(absolute(x)).value, least, most)
    error = 1 << (53 - bits)
    for half in _lower_halves(builder, y.value):
        shifted = builder.add(half, like(half.type, I32((1 << 28) + error)))
        rest = builder.and_(shifted, like(half.type, I32((1 << 29) - 2 * error)))
        asked = builder.or_(asked, builder.icmp_unsigned("==", rest, ir.Constant(rest.type, None)))
    return jump(Condition(builder, asked), lambda: [other(apart(x))], [y])[0]


def _outside(builder: Any, size: Any, least: float, most: float) -> Any:
    """Return a mask of as many lanes as a register has, one of which is set if a size is neither inside nor 0."""
    low, high = (int(np.float32(bound).view(np.uint32)) for bound in (least, most))
    words = words_of(builder, size)

    def past(word: Any) -> Any:
        shifted = builder.sub(word, like(word.type, I32(low)))
        return builder.icmp_unsigned(">", shifted, like(word.type, I32(high - low)))

    if low == 0:
        return past(functools.reduce(lambda a, b: _larger(builder, a, b), words))
    masks = [
        builder.and_(past(word), builder.icmp_unsigned("!=", word, ir.Constant(word.type, None))) for word in words
    ]
    return functools.reduce(builder.or_, masks)


def _lower_halves(builder: Any, value: Any) -> list[Any]:
    """Return the lower 32 bits of float64 numbers, in the order that takes one instruction for two registers."""
    parts = words_of(builder, value)
    lanes = parts[0].type.count
    if len(parts) == 1:
        return [_shuffled(builder, parts[0], parts[0], [*range(0, lanes, 2)])]
    order = [lane + first for lane in range(0, lanes, 4) for first in (0, 2, lanes, lanes + 2)]
    return [_shuffled(builder, *pair, order) for pair in zip(parts[::2], parts[1::2], strict=True)]


def _shuffled(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(order)), order))


def words_of(builder: Any, value: Any) -> list[Any]:
    """Return the bits of a number or a vector as vectors of 32-bit integers, each as long as a register at most."""
    kind = value.type
    lanes, number = (kind.count, kind.element) if isinstance(kind, ir.VectorType) else (1, kind)
    count = lanes if number == ir.FloatType() else 2 * lanes
    words = builder.bitcast(value, ir.VectorType(I32, count))
    return pieces(builder, words, min(count, machine().vector_bytes // 4))


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.icmp_unsigned(">", a, b), a, b)
