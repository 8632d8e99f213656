"""Where the engine's polynomial coefficients come from: ``python -m parity.fit`` prints them with their errors.

Each polynomial, or quotient of two, interpolates its function at Chebyshev points, in arithmetic of 240 bits (mpmath),
which is within a bit or two of the best of that degree. A coefficient is then rounded to float64, or, where `leading`
says so, kept as the float64 nearest to it and the float64 nearest to what that leaves.

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
SIXTEENTH = HALF_LN2 / 16  # the same where a table holds the roots of 2

#: Where r lies in `refnet.engine.float32_pairs`.
NEAR = mp.mpf(1) / 80
SMALL = mp.mpf(10) ** -20


@dataclasses.dataclass(frozen=True)
class Fit:
    """One polynomial, or a quotient of two.

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
    below : int, optional
        The degree of the denominator, if there is one; its constant is 1.
    variable : callable
        From the interval to what the polynomials are in.
    adapted : bool
        Whether a quotient of degrees 6 and 7 is kept as `adapted` gives both, with the logarithm of its factor.
    monic : bool
        Whether a quotient is reduced so that the denominator begins with 1: that saves a product.
    """

    place: str
    function: Callable[[Any], Any]
    low: Any
    high: Any
    degree: int
    weight: Callable[[Any], Any]
    leading: int = 0
    below: int = 0
    variable: Callable[[Any], Any] = lambda x: x
    adapted: bool = False
    monic: bool = False


def _exp_rest(r: Any, terms: int) -> Any:
    """Return (exp(r) less the first ``terms`` of its series) / r^terms."""
    if abs(r) < SMALL:
        return 1 / mp.factorial(terms) + r / mp.factorial(terms + 1)
    return (mp.exp(r) - mp.fsum(r**k / mp.factorial(k) for k in range(terms))) / r**terms


def _coth(z: Any) -> Any:
    """Return (r coth(r/2) - 2) / r^2 at z = r^2."""
    if z < SMALL:
        return mp.mpf(1) / 6 - z / 360
    r = mp.sqrt(z)
    return (r * mp.coth(r / 2) - 2) / z


def _log_rest(z: Any, terms: int) -> Any:
    """Return (log((1 + s) / (1 - s)) less the first ``terms`` of its series) / s^(2 terms + 1), at z = s^2."""
    if z < SMALL:
        return mp.mpf(2) / (2 * terms + 1) + z * 2 / (2 * terms + 3)
    s = mp.sqrt(z)
    return (mp.log((1 + s) / (1 - s)) - mp.fsum(2 * s ** (2 * k + 1) / (2 * k + 1) for k in range(terms))) / s ** (
        2 * terms + 1
    )


def _log1p_share(x: Any) -> Any:
    """Return log(1 + x) / x."""
    return mp.log1p(x) / x if x > SMALL else 1 - x / 2


def _tanh_gap(a: Any) -> Any:
    """Return (a - tanh(a)) / a^3, of which a small a takes twice its leading zeros."""
    if a < SMALL:
        return mp.mpf(1) / 3 - a * a * 2 / 15
    with mp.workprec(mp.prec + 2 * max(0, -mp.frexp(a)[1])):
        return (a - mp.tanh(a)) / a**3


def _tail(t: Any, centre: int) -> Any:
    """Return exp(a^2 / 2) times the normal distribution function of -a, at t = (a - centre) / (a + centre)."""
    y = _a(t, centre) / mp.sqrt(2)
    return mp.exp(y * y) * mp.erfc(y) / 2


def _flat_tail(t: Any) -> Any:
    """Return the same times 1 + sqrt(2) a, which takes its slow decay away."""
    return _tail(t, 5) * (1 + mp.sqrt(2) * _a(t, 5))


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


def _a(t: Any, centre: int) -> Any:
    return centre * (1 + t) / (1 - t)


_PLAIN = "refnet.engine.coefficients"
_PAIRS = "refnet.engine.pair_words"
_LOG_SINGLE = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1) * mp.mpf("1.001")) ** 2
_LOG_UNIT = mp.mpf(1) / 9 * mp.mpf("1.0001")


def _tail_fit(place: str, most: float, degree: int, adapted: bool = False) -> Fit:
    """Return the quotient of polynomials in a for the tail up to ``most``, its denominator one degree higher."""
    return Fit(
        place,
        lambda t: _tail(t, 4),
        mp.mpf(-1),
        _t(most, 4),
        degree,
        lambda t: 1 / _tail(t, 4),
        below=degree + 1,
        variable=lambda t: _a(t, 4),
        adapted=adapted,
    )


FITS = (
    Fit(
        "refnet.activations.sigmoids:TANH_GAP",
        lambda t: _tanh_gap(_a(t, 60)),
        mp.mpf(-1),
        _t(12, 60),
        5,
        lambda t: 1 / _tanh_gap(_a(t, 60)),
        below=6,
        variable=lambda t: _a(t, 60) ** 2,
        monic=True,
    ),
    _tail_fit("refnet.activations.gaussians:TAIL_COARSE", 13, 6, adapted=True),
    Fit(f"{_PLAIN}:COTH", _coth, mp.mpf(0), SIXTEENTH**2, 1, lambda z: z * mp.sqrt(z) / 2),
    Fit(f"{_PLAIN}:EXP", lambda r: _exp_rest(r, 2), -SIXTEENTH, SIXTEENTH, 4, lambda r: r**2),
    Fit(f"{_PLAIN}:EXP_45", lambda r: _exp_rest(r, 2), -SIXTEENTH, SIXTEENTH, 3, lambda r: r**2),
    Fit(f"{_PLAIN}:EXP_36", lambda r: _exp_rest(r, 2), -SIXTEENTH, SIXTEENTH, 2, lambda r: r**2),
    Fit(f"{_PLAIN}:EXP_NEAR", lambda r: _exp_rest(r, 2), -NEAR, NEAR, 2, lambda r: mp.mpf(2)),
    Fit(f"{_PLAIN}:EXPM1", lambda r: _exp_rest(r, 2), -SIXTEENTH, SIXTEENTH, 5, lambda r: r),
    Fit(f"{_PLAIN}:LOG", lambda z: _log_rest(z, 1), mp.mpf(0), _LOG_SINGLE, 7, lambda z: z / 2),
    Fit(f"{_PLAIN}:LOG_UNIT", lambda z: _log_rest(z, 1), mp.mpf(0), _LOG_UNIT, 10, lambda z: z / 2),
    Fit(
        f"{_PLAIN}:LOG_UNIT_36", _log1p_share, mp.mpf(0), mp.mpf(1), 4, lambda x: 1 / _log1p_share(x), 0, 4, monic=True
    ),
    _tail_fit(f"{_PLAIN}:TAIL", 14.6, 9),
    Fit(f"{_PAIRS}:EXP", lambda r: _exp_rest(r, 4), -HALF_LN2, HALF_LN2, 9, lambda r: r**4),
    Fit(f"{_PAIRS}:LOG", lambda z: _log_rest(z, 2), mp.mpf(0), _LOG_UNIT, 10, lambda z: z**2 / 2),
    Fit(f"{_PAIRS}:TAIL", _flat_tail, _t(0.44, 5), _t(40, 5), 24, lambda t: 1 / _flat_tail(t), 10),
    Fit(f"{_PAIRS}:CENTRE", _centre_rest, mp.mpf(0), mp.mpf("0.21"), 9, lambda z: z * mp.sqrt(z) * 2, 1),
)


def _exact(fit: Fit) -> tuple[list[Any], list[Any]]:
    """Return the interpolating coefficients of numerator and denominator in 240 bits, the constants first."""
    count = fit.degree + fit.below + 1
    middle, half = (fit.low + fit.high) / 2, (fit.high - fit.low) / 2
    nodes = [middle + half * mp.cos(mp.pi * (2 * i + 1) / (2 * count)) for i in range(count)]
    values = [fit.function(node) for node in nodes]
    powers = mp.matrix(count, count)
    for i, node in enumerate(nodes):
        x = fit.variable(node)
        for j in range(fit.degree + 1):
            powers[i, j] = x**j
        for j in range(1, fit.below + 1):
            powers[i, fit.degree + j] = -values[i] * x**j
    found = list(mp.lu_solve(powers, mp.matrix(values)))
    return found[: fit.degree + 1], [mp.mpf(1), *found[fit.degree + 1 :]]


def coefficients(fit: Fit) -> list[tuple[float, ...]]:
    """Return the coefficients as the engine has them, the highest power first: one float64 each, or a pair.

    Of a quotient, the numerator's and the denominator's.
    """
    above, below = _exact(fit)
    if fit.adapted:
        factor = float(mp.log(above[-1] / below[-1]))
        return [tuple(map(float, adapted(part))) for part in (above, below)] + [(factor,)]
    if fit.below:
        divisor = below[-1] if fit.monic else 1
        return [tuple(float(each / divisor) for each in part[::-1]) for part in (above, below)]
    found: list[tuple[float, ...]] = []
    for power, value in enumerate(above):
        high = float(value)
        found.append((high, float(value - mp.mpf(high))) if power < fit.leading else (high,))
    return found[::-1]


def adapted(coefficients: list[Any]) -> list[Any]:
    """Return six numbers that give a polynomial of degree 6 over its leading coefficient in 3 products and 7 sums.

    With z = (x + a) x + b and w = (x + c) z + d it is (w + z + e) w + f (Knuth, The Art of Computer Programming, volume
    2, section 4.6.4). That is w v + f, where the cubics w and v differ by a monic quadratic, so their coefficients of
    x^2 are known, and all else follows from w's of x, the root of a cubic. Of degree 7, the constant comes last.
    """
    *more, u0, u1, u2, u3, u4, u5, _ = (mp.mpf(each) / coefficients[-1] for each in coefficients)
    w2, v2 = (u5 - 1) / 2, (u5 + 1) / 2
    total = u4 - w2 * v2
    k = u3 - w2 * total
    at_0, at_1 = u2 - w2 * k, w2 - total  # w's constant is at_0 + at_1 w1 + w1^2
    cubic = [-2, total - 1 - 2 * at_1, k - 2 * at_0 + at_1 * total, at_0 * total - u1]
    bound = 1 + max(map(abs, cubic))  # of its roots, of which one at least is real
    w1 = mp.findroot(lambda x: _value(cubic, x), (-bound, bound), solver="anderson", maxsteps=2000)
    w0, v1 = at_0 + at_1 * w1 + w1 * w1, total - w1
    v0 = k - w1 - w0
    a = v1 - w1
    c = w2 - a
    b = w1 - a * c
    return [a, b, c, w0 - b * c, v0 - w0 - b, u0 - w0 * v0, *more]


def _adapted_value(numbers: tuple[Any, ...], x: Any) -> Any:
    a, b, c, d, e, f, *more = map(mp.mpf, numbers)
    z = (x + a) * x + b
    w = (x + c) * z + d
    return functools.reduce(lambda value, constant: value * x + constant, more, (w + z + e) * w + f)


def _value(polynomial: list[Any], x: Any) -> Any:
    return functools.reduce(lambda value, coefficient: value * x + coefficient, polynomial)


def error_bits(fit: Fit, points: int = 1000) -> float:
    """Return the binary logarithm of the largest weighted error, the coefficients rounded."""
    found = coefficients(fit)
    worst = mp.mpf(0)
    for i in range(points + 1):
        x = fit.low + (fit.high - fit.low) * mp.mpf(i) / points
        value = _value_of(found, fit, fit.variable(x))
        worst = max(worst, abs((value - fit.function(x)) * fit.weight(x)))
    return float(mp.log(worst, 2))


def _value_of(found: list[tuple[float, ...]], fit: Fit, x: Any) -> Any:
    if fit.adapted:
        above, below, (factor,) = found
        return mp.exp(factor) * _adapted_value(above, x) / _adapted_value(below, x)
    if fit.below:
        return _value([*map(mp.mpf, found[0])], x) / _value([*map(mp.mpf, found[1])], x)
    return _value([mp.fsum(part) for part in found], x)


def main() -> None:
    """Print every polynomial."""
    for fit in FITS:
        degree = f"{fit.degree} over {fit.below}" if fit.below else fit.degree
        lines = [f"{fit.place}: degree {degree}, error 2^{error_bits(fit):.1f}"]
        lines += ["    " + ", ".join(map(repr, parts)) for parts in coefficients(fit)]
        sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
