"""A number that is not divided yet: exp comes as one, and a formula that divides anyway then divides once.

sigmoid(x) = 1 / (1 + e) with e = a / b is b / (b + a). Where the value itself is asked for, there may be a way to it
without a division.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from refnet.engine import trace
from refnet.engine.trace import Condition, Number

__all__ = ["Quotient", "chosen", "over_sum"]


class Quotient(Number):
    """numerator / denominator, for the words below; everything else asks for its value.

    ``of`` says what the denominator was computed from, and how: two of which these are the same share it. ``undivided``
    gives the value in another way than by dividing.
    """

    __slots__ = ("denominator", "numerator", "of", "undivided")

    def __init__(
        self,
        numerator: Number,
        denominator: Number,
        of: tuple[Any, ...],
        undivided: Callable[[], Number] | None = None,
    ) -> None:
        self.builder, self.numerator, self.denominator = numerator.builder, numerator, denominator
        self.narrow = None
        self.least, self.most = -inf, inf
        self.of, self.undivided = of, undivided

    @property
    def value(self) -> Any:
        """The IR's value; LLVM makes one of equal divisions."""
        return (self.numerator / self.denominator if self.undivided is None else self.undivided()).value

    def constant(self, value: float) -> Number:
        """Return a constant of the same code, without a division."""
        return self.numerator.constant(value)

    def __mul__(self, other: Number | float) -> Number:
        if isinstance(other, Quotient) and self.shares(other):
            d = self.denominator
            return Quotient(self.numerator * other.numerator, d * d, self.of + self.of)
        undivided = self.undivided
        times = None if undivided is None else lambda: undivided() * other
        return Quotient(self.numerator * other, self.denominator, self.of, times)

    __rmul__ = __mul__

    def __add__(self, other: Number | float) -> Number:
        if isinstance(other, Number):
            return super().__add__(other)
        undivided = self.undivided
        plus = None if undivided is None else lambda: undivided() + other
        return Quotient(self.numerator + self.denominator * other, self.denominator, self.of, plus)

    __radd__ = __add__

    def shares(self, other: Number) -> bool:
        """Return whether ``other`` has the same denominator."""
        return isinstance(other, Quotient) and [*map(id, self.of)] == [*map(id, other.of)]


def chosen(condition: Condition, a: Number, b: Number) -> Number:
    """Return a where the condition holds, else b: a `Quotient` if one is, and the other none or over the same."""
    one = a if isinstance(a, Quotient) else b
    if not isinstance(one, Quotient) or (isinstance(b, Quotient) and not one.shares(b)):
        return trace.select(condition, a, b)
    over = [x.numerator if isinstance(x, Quotient) else x * one.denominator for x in (a, b)]
    return Quotient(trace.select(condition, *over), one.denominator, one.of, lambda: trace.select(condition, a, b))


def over_sum(a: Number, b: Number, c: Number) -> Number:
    """Return a / (b + c)."""
    if not isinstance(c, Quotient):
        return a / (b + c)
    numerator = a.numerator if isinstance(a, Quotient) and c.shares(a) else a * c.denominator
    return numerator / trace.fma(b, c.denominator, c.numerator)
