"""A fast wide evaluation of an activation with a known error, made from mpmath values alone.

Each binade of inputs is cut into pieces (at the block's kinks, and in halves where needed). On a piece the
true function is replaced by its polynomial through 5, 9 or 17 (for float64 33) Chebyshev points, whose values mpmath
supplies, and the polynomial is evaluated by Horner's rule in a wider type: float64 for formats up to float32,
80-bit long double for float64. No mathematical library but mpmath is trusted.

The error of a piece is the sum of three parts, each known when the piece is made:

- *remainder*: the Chebyshev coefficients of an analytic function fall off geometrically, and what is left out
  is about as large as the next ones (Trefethen, Approximation Theory and Approximation Practice, ch. 8). The
  last three must be 16 times smaller than the remainder allowed, and two further points must agree with it;
- *Horner*: sum over k of (2k + 2) u |a_k|, u the unit roundoff of the wide type (Higham, ASNA 2e, 5.1);
- *coefficients*: rounded once, counted in the same sum.

The sum is doubled. A piece that stays too doubtful is halved again, down to four numbers, which mpmath judges
one by one. Where the function is rational and linear, the piece is exact and its error is zero.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

from parity import truth
from parity.sweep.pieces import FEW, Piece, holds, wide_type, width
from parity.sweep.series import BITS, COUNTS, coefficients_through, cosines, fixed, horner, monomials, odd_part
from parity.sweep.sides import Side, find_sides
from parity.ulp import Format, from_bits
from refnet.activations import Activation

__all__ = ["Model"]

#: Binades of float64 looked at together where nothing happens.
_STRETCHES = (64, 8)


def _in_format(activation: Activation, kind: Format) -> Activation:
    """Return the activation whose parameters, and the edges that these move, are those of the format."""
    rounded = activation.parameters_in(kind.dtype)
    values = {key: old if isinstance(old, bool) else rounded[key] for key, old in activation.parameters.items()}
    if values == activation.parameters:
        return activation
    moved = {key: function(**values) for key, function in activation.moving.items()}
    return dataclasses.replace(activation, parameters=values, **moved)


def _holds(m: Any, line: list[Any], x: Any, y: Any) -> bool:
    """Tell whether ``y`` is the constant, or x itself, to 95 bits."""
    wanted = line[0] if len(line) == 1 else x
    return bool(abs(y - wanted) <= m.ldexp(abs(wanted), -95))


class Model:
    """The pieces of one activation in one format, made when first asked for.

    Parameters
    ----------
    activation : Activation
        An elementwise activation; its parameters are rounded to the format.
    kind : Format
        The format of inputs and results.
    """

    def __init__(self, activation: Activation, kind: Format) -> None:
        self.activation = _in_format(activation, kind)
        self.kind = kind
        self.wide = wide_type(kind)
        self.parameters = activation.parameters_in(kind.dtype)
        self.width = width(kind)
        #: Remainder allowed, as a power of two in ulps of the result.
        self.spare = min(27, max(self.width - kind.precision - 2, 4))
        self._known: dict[tuple[bool, int], list[Piece]] = {}
        self._stretches: dict[tuple[bool, int, int], Piece | None] = {}
        self._sides: dict[tuple[bool, int], list[Side]] = {}
        self._cuts = self._kink_cuts()

    def pieces(self, negative: bool, start: int, stop: int) -> list[Piece]:
        """Return the pieces that magnitudes ``start`` to ``stop`` fall into, lowest first."""
        size = 1 << (self.kind.precision - 1)
        found: list[Piece] = []
        for binade in range(start // size, (stop - 1) // size + 1):
            key = (negative, binade)
            if key not in self._known:
                stretch = self._stretch(negative, binade, size) if self.kind.precision > 24 else None
                self._known[key] = [stretch] if stretch else self._binade(negative, binade, size)
            for piece in self._known[key]:
                if piece.stop > start and piece.start < stop and (not found or piece is not found[-1]):
                    found.append(piece)
        return found

    def _stretch(self, negative: bool, binade: int, size: int) -> Piece | None:
        """Return one exact piece for many binades of float64 where the function is a constant or x itself.

        That is so if it holds to 95 bits at both ends and seven places between: far out and near zero an
        activation only comes closer to its limit. Constants and x are no midpoints, so nothing else can matter.
        """
        for count in _STRETCHES if binade else ():
            key = (negative, count, binade // count)
            if key not in self._stretches:
                start = max(binade // count * count, 1) * size
                stop = min((binade // count + 1) * count, 2 * self.kind.emax + 1) * size
                self._stretches[key] = self._flat(negative, start, stop)
            if self._stretches[key]:
                return self._stretches[key]
        return None

    def _flat(self, negative: bool, start: int, stop: int) -> Piece | None:
        if any(start <= cut <= stop for cut in self._cuts[negative]):
            return None
        m = truth.context(BITS)
        x = [m.mpf(self.number(negative, start + (stop - 1 - start) * k // 8)) for k in range(9)]
        lines: list[list[Any]] = []
        for each in x:
            y = self._clamped(each)
            if mpmath.isnan(y):
                return None
            constant = truth.context(self.kind.precision).mpf(0) + y
            lines = [line for line in lines or [[constant], [0, 1]] if _holds(m, line, each, y)]
            if not lines:
                return None
        zero, one = self.wide(0), self.wide(1)
        coefficients = np.array([self._widen(m.mpf(each)) for each in lines[0]], self.wide)
        return Piece(start, stop, negative, zero, one, coefficients, 1.0, zero, int(m.sign(y)))

    def sides(self, piece: Piece) -> list[Side]:
        """Return the runs within a piece where the function keeps to one side of an exact line."""
        key = (piece.negative, piece.start)
        if key not in self._sides:
            self._sides[key] = find_sides(self, piece)
        return self._sides[key]

    def _kink_cuts(self) -> dict[bool, list[int]]:
        kinks = self.activation.kinks
        values = kinks(**self.parameters) if callable(kinks) else kinks
        cuts: dict[bool, list[int]] = {False: [], True: []}
        for kink in values:
            if kink and math.isfinite(kink):
                with np.errstate(over="ignore", under="ignore"):
                    nearest = np.array([abs(kink)]).astype(self.kind.dtype)
                bits = int(nearest.view(self.kind.unsigned)[0])
                cuts[kink < 0] += [bits, bits + 1]
        return cuts

    def _binade(self, negative: bool, binade: int, size: int) -> list[Piece]:
        start, stop = max(binade * size, 1), (binade + 1) * size
        inside = sorted(cut for cut in set(self._cuts[negative]) if start < cut < stop)
        ends = [start, *inside, stop]
        work = list(itertools.pairwise(ends))[::-1]
        pieces = []
        while work:
            first, last = work.pop()
            piece = self._linear(negative, first, last) or self._fit(negative, first, last)
            if piece is None:
                middle = (first + last) // 2
                work += [(middle, last), (first, middle)]
            else:
                pieces.append(piece)
        return pieces

    def number(self, negative: bool, magnitude: int) -> float:
        """Return the number with that sign and bit pattern, as a Python float."""
        size = float(from_bits([magnitude], self.kind.name).astype(np.float64)[0])
        return -size if negative else size

    def _doubtful(self, negative: bool, start: int, stop: int) -> Piece:
        zero = self.wide(0)
        return Piece(start, stop, negative, zero, zero, np.zeros(1, self.wide), 1.0, self.wide(np.inf))

    def _linear(self, negative: bool, start: int, stop: int) -> Piece | None:
        """Return an exact piece if the function is linear there, in fractions, and the wide type holds it."""
        if stop - start < 2:
            return None
        places = sorted({start, stop - 1, *(start + (stop - start) * k // 64 for k in (5, 19, 32, 47, 61))})
        x = [Fraction(self.number(negative, place)) for place in places]
        y = []
        for each in x:
            fraction = truth.rational(self.activation, each, self.parameters)
            if fraction is None:
                return None
            y.append(fraction)
        b = (y[-1] - y[0]) / (x[-1] - x[0])
        a = y[0] - b * x[0]
        if any(a + b * each != true for each, true in zip(x, y, strict=True)):
            return None
        divisor = odd_part(math.lcm(a.denominator, b.denominator))
        a, b = a * divisor, b * divisor
        if divisor > 999 or not holds(a, b, x, self.kind):
            return None
        coefficients = np.array([float(a), float(b)] if b else [float(a)], self.wide)
        return Piece(start, stop, negative, self.wide(0), self.wide(1), coefficients, float(divisor), self.wide(0))

    def _clamped(self, x: Any) -> Any:
        """Return the true value, kept within what the wide type holds; signs and roundings stay as they are."""
        m = truth.context(BITS)
        y = truth.value(self.activation, x, self.parameters, self.kind, 100 if self.width <= 53 else 120)
        if mpmath.isnan(y) or y == 0:
            return m.mpf(y)
        top, bottom = self.kind.emax + 8, self.kind.etiny - 40
        if mpmath.isinf(y) or mpmath.mag(y) > top:
            return m.sign(y) * m.ldexp(1, top)
        return m.sign(y) * m.ldexp(1, bottom) if mpmath.mag(y) < bottom else m.mpf(y)

    def _unit(self, size: Any) -> Any:
        """Return the ulp of a result of that size, as if the format had no largest number."""
        exponent = int(mpmath.mag(size)) - 1 if size else self.kind.emin
        exponent = max(exponent, self.kind.emin)
        return truth.context(BITS).ldexp(1, exponent - self.kind.precision + 1)

    def _fit(self, negative: bool, start: int, stop: int) -> Piece | None:
        """Return a polynomial piece, or None if it has to be halved."""
        if stop - start <= FEW:
            return self._doubtful(negative, start, stop)
        m = truth.context(BITS)
        first, last = m.mpf(self.number(negative, start)), m.mpf(self.number(negative, stop - 1))
        center, half = (first + last) / 2, abs(last - first) / 2
        values: dict[int, Any] = {}
        for count in COUNTS if self.kind.precision > 24 else COUNTS[:-1]:
            nodes = range(0, COUNTS[-1] + 1, COUNTS[-1] // count)
            for k in nodes:
                if k not in values:
                    values[k] = self._clamped(center + half * cosines()[0][k])
            if any(mpmath.isnan(each) for each in values.values()):
                return self._nowhere(negative, start, stop, list(values.values()))
            top = max((int(mpmath.mag(each)) for each in values.values() if each), default=self.kind.etiny)
            heights = [fixed(values[k], top) for k in nodes]
            allowed = fixed(m.ldexp(self._unit(min(abs(each) for each in values.values())), -self.spare), top)
            if max(abs(each) for each in heights) >> (self.width + 4) > allowed:
                return None  # the largest value's rounding alone is too much for the smallest: see `_rounded`
            series = coefficients_through(heights, count)
            if max(abs(each) for each in series[-3:]) * 16 <= allowed:
                break
        else:
            return None
        powers = monomials(series)
        for place in (20559, -50549):  # two points between the nodes, in 65536ths
            there = fixed(self._clamped(center + half * place / 65536), top)
            if abs(horner(powers, place) - there) > allowed:
                return None
        signs = {int(m.sign(each)) for each in values.values()}
        sign = signs.pop() if len(signs) == 1 else 0
        whole = Piece(start, stop, negative, center, half, np.empty(0), 1.0, 0.0, sign)
        return self._rounded(whole, powers, allowed, top)

    def _nowhere(self, negative: bool, start: int, stop: int, values: list[Any]) -> Piece | None:
        """Return the piece of a stretch where the function has no real value."""
        if all(mpmath.isnan(each) for each in values):
            piece = self._doubtful(negative, start, stop)
            return dataclasses.replace(piece, coefficients=np.full(1, np.nan, self.wide), error=self.wide(0))
        return None

    def _rounded(self, piece: Piece, powers: list[int], allowed: int, top: int) -> Piece | None:
        """Return the piece with wide coefficients and its whole error, or None if that is too large."""
        m = truth.context(BITS)
        dropped = 0
        while len(powers) > 1 and dropped + abs(powers[-1]) <= allowed // 8:
            dropped += abs(powers.pop())
        horner = sum((2 * k + 2) * abs(each) for k, each in enumerate(powers)) >> self.width
        error = 2 * (allowed + dropped + horner + len(powers))
        if error > 64 * allowed:
            return None
        exponent = int(mpmath.mag(piece.scale))
        shrink = 1 / m.ldexp(piece.scale, -exponent)  # what is left when the scale is a power of two
        coefficients = [self._widen(m.ldexp(each, top - BITS) * shrink**k) for k, each in enumerate(powers)]
        return dataclasses.replace(
            piece,
            center=self._widen(piece.center),
            scale=np.ldexp(self.wide(1), -exponent),
            coefficients=np.array(coefficients, self.wide),
            error=self._widen(m.ldexp(error, top - BITS)),
        )

    def _widen(self, number: Any) -> Any:
        """Round an mpmath number to the wide type."""
        if not number:
            return self.wide(0)
        exponent = int(mpmath.mag(number))
        small = truth.context(BITS).ldexp(number, -exponent)
        high = float(small)
        return np.ldexp(self.wide(high) + self.wide(float(small - high)), exponent)
