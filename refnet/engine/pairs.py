"""A float64 number together with what its roundings lost, for kernels whose result is float64.

Each rounding costs up to half an ulp, so a formula of three steps is up to 1.5 ulp away. A `Pair` runs the same steps
on its ``high``, as plain float64 would, and beside them sums in its ``low`` what each step lost; high + low is rounded
once, at the end. (Lange and Rump, "Faithfully rounded floating-point computations", 2020: pairs that are not
normalised between steps.) As high does not depend on low, infinities, NaN and signed zeros are those of the plain
formula: where high is not finite low is meaningless, and `rounded` leaves it out.

What is left as an error is about 2^-100 of the numbers in the formula, more where they cancel, and what the words of
`refnet.engine.pair_words` leave, about 2^-60.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from refnet.engine import trace
from refnet.engine.trace import Condition, Number


class Pair:
    """A number high + low; ``low`` is None where it is known at compile time to be 0."""

    __slots__ = ("high", "low")
    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None  # NumPy's scalars leave their operators to this class

    def __init__(self, high: Number, low: Number | None = None) -> None:
        self.high, self.low = high, low

    def lift(self, other: Any) -> Pair:
        """Return ``other`` as a Pair."""
        return other if isinstance(other, Pair) else Pair(self.high.lift(other))

    def __add__(self, other: Any) -> Pair:
        b = self.lift(other)
        s = self.high + b.high
        kept = s - self.high
        lost = (self.high - (s - kept)) + (b.high - kept)
        return Pair(s, _sum(lost, _sum(self.low, b.low)))

    def __radd__(self, other: Any) -> Pair:
        return self.lift(other) + self

    def __sub__(self, other: Any) -> Pair:
        return self + -self.lift(other)

    def __rsub__(self, other: Any) -> Pair:
        return self.lift(other) + -self

    def __mul__(self, other: Any) -> Pair:
        b = self.lift(other)
        product = self.high * b.high
        lost = trace.fma(self.high, b.high, -product)
        if b.low is not None:
            lost = trace.fma(self.high, b.low, lost)
        if self.low is not None:
            lost = trace.fma(b.high, self.low, lost)
        return Pair(product, lost)

    def __rmul__(self, other: Any) -> Pair:
        return self.lift(other) * self

    def __truediv__(self, other: Any) -> Pair:
        b = self.lift(other)
        quotient = self.high / b.high
        rest = _sum(trace.fma(-quotient, b.high, self.high), self.low)
        assert rest is not None
        if b.low is not None:
            rest = trace.fma(-quotient, b.low, rest)
        return Pair(quotient, rest / b.high)

    def __rtruediv__(self, other: Any) -> Pair:
        return self.lift(other) / self

    def __pow__(self, power: Any) -> Pair:
        return trace.small_power(self, power)

    def __neg__(self) -> Pair:
        return Pair(-self.high, None if self.low is None else -self.low)

    def __bool__(self) -> bool:
        raise TypeError("a formula asks whether a number is 0")

    def __abs__(self) -> Pair:
        return absolute(self)

    # Comparisons are those of the plain formula.

    def __lt__(self, other: Any) -> Condition:
        return self.high.compare("<", self.lift(other).high)

    def __le__(self, other: Any) -> Condition:
        return self.high.compare("<=", self.lift(other).high)

    def __gt__(self, other: Any) -> Condition:
        return self.high.compare(">", self.lift(other).high)

    def __ge__(self, other: Any) -> Condition:
        return self.high.compare(">=", self.lift(other).high)

    def __eq__(self, other: Any) -> Condition:  # type: ignore[override]
        return self.high.compare("==", self.lift(other).high)

    def __ne__(self, other: Any) -> Condition:  # type: ignore[override]
        return self.high.compare("!=", self.lift(other).high)


def _sum(a: Number | None, b: Number | None) -> Number | None:
    return a if b is None else b if a is None else a + b


def rounded(x: Pair) -> Number:
    """Return high + low, rounded; high alone where low is meaningless, or 0, which would cost -0.0 its sign."""
    if x.low is None:
        return x.high
    meant = (trace.absolute(x.low) < inf) & (x.low != 0.0)
    return trace.select(meant, x.high + x.low, x.high)


def normalised(x: Pair) -> Pair:
    """Return the same number with high the nearest float64 to it; |low| is far below |high| already."""
    if x.low is None:
        return x
    high = x.high + x.low
    return Pair(high, x.low - (high - x.high))


def times_power(x: Pair, power: Number) -> Pair:
    """Return x times a power of two, which rounds only a result that is subnormal."""
    return Pair(x.high * power, None if x.low is None else x.low * power)


def pair_of(*values: Any) -> tuple[Pair, ...]:
    """Return all as Pairs; at least one of them must be a Pair."""
    for value in values:
        if isinstance(value, Pair):
            return tuple(value.lift(other) for other in values)
    raise TypeError("a formula calls a word on constants only")


def where(condition: Any, a: Any, b: Any) -> Pair:
    """Return a where the condition holds, else b."""
    if not isinstance(condition, Condition):
        raise TypeError(f"a formula uses a {type(condition).__name__} as a condition")
    constant = condition.number(0.0)
    x, y = (v if isinstance(v, Pair) else Pair(constant.lift(v)) for v in (a, b))
    high = trace.select(condition, x.high, y.high)
    if x.low is None and y.low is None:
        return Pair(high)
    lows = [high.constant(0.0) if low is None else low for low in (x.low, y.low)]
    return Pair(high, trace.select(condition, *lows))


def seldom(condition: Any, rare: Callable[[], Any], usual: Any) -> Pair:
    """Return ``rare()`` where the condition holds, else ``usual``."""
    if not isinstance(condition, Condition):
        raise TypeError(f"a formula uses a {type(condition).__name__} as a condition")
    none = condition.number(0.0)

    def parts(value: Any) -> list[Number]:
        pair = value if isinstance(value, Pair) else Pair(none.lift(value))
        return [pair.high, none if pair.low is None else pair.low]

    return Pair(*trace.seldom_several(condition, lambda: parts(rare()), parts(usual)))


def polynomial(coefficients: tuple[float, ...], x: Any) -> Pair:
    """Return a polynomial's value by Horner's rule, its coefficients the highest power first."""
    (x,) = pair_of(x)
    value = x.lift(coefficients[0])
    for coefficient in coefficients[1:]:
        value = fma(value, x, coefficient)
    return value


def within(x: Pair, least: Any, most: Any) -> Pair:
    """Return x."""
    return x


def elu_shortcut(x: Any, divisor: Any, above: Any, below: Any, usual: Callable[[Any], Pair]) -> Pair:
    """Return ``usual(x)``."""
    return usual(x)


def shortcut(x: Any, least: Any, most: Any, short: Any, bits: int, usual: Callable[[Any], Pair]) -> Pair:
    """Return ``usual(x)``, which is right for all numbers."""
    return usual(x)


def split(condition: Any, first: Any, second: Callable[[], Any]) -> Pair:
    """Return ``first`` where the condition holds, else ``second()``; both are computed."""
    return where(condition, first, second())


def absolute(x: Any) -> Pair:
    """Return |x|, by the sign of high."""
    (x,) = pair_of(x)
    high = trace.absolute(x.high)
    return Pair(high, None if x.low is None else x.low * trace.copysign(1.0, x.high))


def copysign(x: Any, sign: Any) -> Pair:
    """Return x with the sign of ``sign``."""
    x, sign = pair_of(x, sign)
    positive = absolute(x)
    high = trace.copysign(positive.high, sign.high)
    return Pair(high, None if positive.low is None else positive.low * trace.copysign(1.0, sign.high))


def _below(a: Pair, b: Pair) -> Condition:
    """Return whether a < b, by their low parts where the high ones are equal."""
    if a.low is None and b.low is None:
        return a < b
    low_a, low_b = (a.high.constant(0.0) if x.low is None else x.low for x in (a, b))
    return (a < b) | ((a == b) & (low_a < low_b))


def maximum(a: Any, b: Any) -> Pair:
    """Return the larger; NaN if either is."""
    a, b = pair_of(a, b)
    return where(_below(b, a) | (a != a), a, b)


def minimum(a: Any, b: Any) -> Pair:
    """Return the smaller; NaN if either is."""
    a, b = pair_of(a, b)
    return where(_below(a, b) | (a != a), a, b)


def sqrt(x: Any) -> Pair:
    """Return the square root; one step of Newton's gives its low part."""
    (x,) = pair_of(x)
    root = trace.sqrt(x.high)
    rest = _sum(trace.fma(-root, root, x.high), x.low)
    assert rest is not None
    return Pair(root, trace.select(root > 0.0, rest / (root + root), 0.0))


def fma(a: Any, b: Any, c: Any) -> Pair:
    """Return a * b + c; pairs need no special instruction."""
    a, b, c = pair_of(a, b, c)
    return a * b + c


def total(a: Any, b: Any) -> Pair:
    """Return a + b, and a with its sign if b = 0: `sum_odd`, `sum_beyond`, with no second rounding to prepare for."""
    a, b = pair_of(a, b)
    return where(b == 0.0, a, a + b)


def ratio(a: Any, b: Any, c: Any) -> Pair:
    """Return a / (b + c)."""
    a, b, c = pair_of(a, b, c)
    return a / (b + c)
