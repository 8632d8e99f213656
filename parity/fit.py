"""Where the engine's polynomial coefficients come from: ``python -m parity.fit`` prints them with their errors.

Each polynomial interpolates its function at Chebyshev points, in arithmetic of 240 bits (mpmath), which is within a
bit of the best polynomial of that degree. A coefficient is then rounded to float64, or, where `leading` says so, kept
as the float64 nearest to it and the float64 nearest to what that leaves.

The functions are written so that a polynomial's rounding errors hardly matter: what it stands for is small beside
the terms before it.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable
from typing import Any

import mpmath

__all__ = ["FITS", "Fit", "coefficients", "error_bits"]

mp: Any = mpmath.mp.clone()
mp.prec = 240

HALF_LN2 = mp.log(2) / 2 * mp.mpf("1.0005")  # what is left of x after n ln 2, with room for a rounding
SMALL = mp.mpf(10) ** -20


@dataclasses.dataclass(frozen=True)
class Fit:
    """One polynomial.

    Attributes
    ----------
    place : str
        Where its coefficients stand: ``module:function``, in the function's text, or ``module:NAME``, a tuple.
    function : callable
        What it approximates.
    low, high : mpf
        The interval.
    degree : int
        Its degree.
    weight : callable
        What an error of the polynomial at a point is multiplied by to be an error of the result, as a part of it.
    leading : int
        How many coefficients, from the constant up, are pairs of float64.
    """

    place: str
    function: Callable[[Any], Any]
    low: Any
    high: Any
    degree: int
    weight: Callable[[Any], Any]
    leading: int = 0


def _exp_rest(r: Any, terms: int) -> Any:
    """Return (exp(r) less the first ``terms`` of its series) / r^terms."""
    if abs(r) < SMALL:
        return 1 / mp.factorial(terms) + r / mp.factorial(terms + 1)
    return (mp.exp(r) - mp.fsum(r**k / mp.factorial(k) for k in range(terms))) / r**terms


def _log_rest(z: Any, terms: int) -> Any:
    """Return (log((1 + s) / (1 - s)) less the first ``terms`` of its series) / s^(2 terms + 1), at z = s^2."""
    if z < SMALL:
        return mp.mpf(2) / (2 * terms + 1) + z * 2 / (2 * terms + 3)
    s = mp.sqrt(z)
    return (mp.log((1 + s) / (1 - s)) - mp.fsum(2 * s ** (2 * k + 1) / (2 * k + 1) for k in range(terms))) / s ** (
        2 * terms + 1
    )


def _tail(t: Any, centre: int) -> Any:
    """Return exp(a^2 / 2) times the normal distribution function of -a, at t = (a - centre) / (a + centre)."""
    y = centre * (1 + t) / (1 - t) / mp.sqrt(2)
    return mp.exp(y * y) * mp.erfc(y) / 2


def _flat_tail(t: Any) -> Any:
    """Return the same times 1 + sqrt(2) a, which takes its slow decay away."""
    return _tail(t, 5) * (1 + mp.sqrt(2) * 5 * (1 + t) / (1 - t))


def _centre(z: Any) -> Any:
    """Return (the normal distribution function of a, less 1/2) / a, at z = a^2."""
    if z < SMALL:
        return (1 - z / 6) / mp.sqrt(2 * mp.pi)
    return mp.erf(mp.sqrt(z / 2)) / (2 * mp.sqrt(z))


def _centre_rest(z: Any) -> Any:
    """Return `_centre` less its value at 0, divided by z."""
    if z < SMALL:
        return (z / 40 - mp.mpf(1) / 6) / mp.sqrt(2 * mp.pi)
    return (_centre(z) - 1 / mp.sqrt(2 * mp.pi)) / z


def _t(a: float, centre: int) -> Any:
    return (mp.mpf(a) - centre) / (mp.mpf(a) + centre)


_PLAIN = "refnet.engine.elementary"
_PAIRS = "refnet.engine.pair_words"
_LOG_SINGLE = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1) * mp.mpf("1.001")) ** 2
_LOG_UNIT = mp.mpf(1) / 9 * mp.mpf("1.0001")

FITS = (
    Fit(f"{_PLAIN}:EXP", lambda r: _exp_rest(r, 3), -HALF_LN2, HALF_LN2, 8, lambda r: r**3),
    Fit(f"{_PLAIN}:LOG", lambda z: _log_rest(z, 1), mp.mpf(0), _LOG_SINGLE, 7, lambda z: z / 2),
    Fit(f"{_PLAIN}:LOG_UNIT", lambda z: _log_rest(z, 1), mp.mpf(0), _LOG_UNIT, 10, lambda z: z / 2),
    Fit(f"{_PLAIN}:TAIL", lambda t: _tail(t, 4), mp.mpf(-1), _t(14.6, 4), 20, lambda t: 1 / _tail(t, 4)),
    Fit(f"{_PAIRS}:EXP", lambda r: _exp_rest(r, 4), -HALF_LN2, HALF_LN2, 9, lambda r: r**4),
    Fit(f"{_PAIRS}:LOG", lambda z: _log_rest(z, 2), mp.mpf(0), _LOG_UNIT, 10, lambda z: z**2 / 2),
    Fit(f"{_PAIRS}:TAIL", _flat_tail, _t(0.44, 5), _t(40, 5), 24, lambda t: 1 / _flat_tail(t), 10),
    Fit(f"{_PAIRS}:CENTRE", _centre_rest, mp.mpf(0), mp.mpf("0.21"), 9, lambda z: z * mp.sqrt(z) * 2, 1),
)


def _exact(fit: Fit) -> list[Any]:
    """Return the interpolating polynomial's coefficients in 240 bits, the constant first."""
    count = fit.degree + 1
    middle, half = (fit.low + fit.high) / 2, (fit.high - fit.low) / 2
    nodes = [middle + half * mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]
    powers = mp.matrix(count, count)
    for i, x in enumerate(nodes):
        for j in range(count):
            powers[i, j] = x**j
    return list(mp.lu_solve(powers, mp.matrix([fit.function(x) for x in nodes])))


def coefficients(fit: Fit) -> list[tuple[float, ...]]:
    """Return the coefficients as the engine has them, the highest power first: one float64 each, or a pair."""
    found: list[tuple[float, ...]] = []
    for power, value in enumerate(_exact(fit)):
        high = float(value)
        found.append((high, float(value - mp.mpf(high))) if power < fit.leading else (high,))
    return found[::-1]


def _value(polynomial: list[Any], x: Any) -> Any:
    return functools.reduce(lambda value, coefficient: value * x + coefficient, polynomial)


def error_bits(fit: Fit, points: int = 1000) -> float:
    """Return the binary logarithm of the polynomial's largest weighted error, its coefficients rounded."""
    rounded = [mp.fsum(part) for part in coefficients(fit)]
    worst = mp.mpf(0)
    for i in range(points + 1):
        x = fit.low + (fit.high - fit.low) * mp.mpf(i) / points
        worst = max(worst, abs((_value(rounded, x) - fit.function(x)) * fit.weight(x)))
    return float(mp.log(worst, 2))


def main() -> None:
    """Print every polynomial."""
    for fit in FITS:
        lines = [f"{fit.place}: degree {fit.degree}, error 2^{error_bits(fit):.1f}"]
        lines += ["    " + ", ".join(map(repr, parts)) for parts in coefficients(fit)]
        sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
