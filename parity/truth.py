"""What an activation is, to the last bit: its block's ``exact`` read by mpmath, and rounded once.

Nothing here knows the engine or the formulas that it compiles. A value is computed at one precision and at
twice that precision; where the two do not agree to the digits asked for, the precision doubles again. A
rounding is decided when both ends of the remaining doubt round to the same number (Ziv, ACM TOMS 17, 1991).
Rational functions are evaluated in fractions instead, where a tie is a tie.

Conventions: NaN gives NaN; an infinity gives the block's limit; -0.0 gives the block's ``negative_zero``;
a value that underflows keeps its sign. At +0.0 a value of 0 has no sign of its own: it takes the derivative's, as
IEEE 754 has it, where -0.7 x is -0.0 for +0.0 and +0.0 for -0.0.
"""

from __future__ import annotations

import functools
import math
import threading
import types
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

from parity.ulp import Format, format_of
from refnet.activations import Activation
from refnet.errors import ArgumentError

__all__ = ["pair", "right", "round_exactly", "special", "truth_at", "value"]

#: Doubt that is still there at this precision is a tie, or a function that is constant around its input.
LAST_BITS = 1600


#: No formula that the four operations are enough for has a higher power.
_MOST_POWER = 64


class Rational(Fraction):
    """A fraction that also takes Python floats at their exact value, so that ``0.5 * x`` stays exact."""

    def __pow__(self, exponent: Any) -> Any:
        """Raise to a small whole power; by others Python gives a float, which is rounded, or digits without end."""
        whole = Fraction(exponent)
        if whole.denominator != 1 or abs(whole) > _MOST_POWER:
            raise ValueError(f"power {exponent}")
        return Rational(Fraction(self) ** int(whole))

    def __rpow__(self, base: Any) -> Any:
        """Raise another number to this power."""
        return Rational(base) ** self


def _exactly(name: str) -> Callable[..., Any]:
    method = getattr(Fraction, name)

    def operate(self: Fraction, *others: Any) -> Any:
        exact = [Fraction(other) if isinstance(other, float) else other for other in others]
        result = method(self, *exact)
        return Rational(result) if isinstance(result, Fraction) else result

    return operate


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "neg", "pos", "abs"):
    setattr(Rational, f"__{_name}__", _exactly(f"__{_name}__"))

_RATIONAL_WORDS = types.SimpleNamespace(fabs=abs, mpf=Rational, convert=Rational)


def rational(activation: Activation, x: float | Fraction, parameters: dict[str, float]) -> Fraction | None:
    """Return the value as a fraction, or None where the block needs more than the four operations."""
    exact = {key: Rational(each) if math.isfinite(each) else each for key, each in parameters.items()}
    try:
        result = activation.exact(_RATIONAL_WORDS, Rational(x), **exact)
    except (AttributeError, TypeError, OverflowError, ZeroDivisionError, ValueError):
        return None
    if isinstance(result, (Fraction, int)):
        return Fraction(result)
    return Fraction(result) if isinstance(result, float) and math.isfinite(result) else None


_contexts = threading.local()


def context(bits: int) -> Any:
    """Return an mpmath context of that precision, of this thread's own: mpmath's contexts are not shared safely."""
    known = _contexts.__dict__.setdefault("known", {})
    if bits not in known:
        made = mpmath.MPContext()
        made.prec = bits
        made.exp = functools.partial(_exp, made, made.exp)
        known[bits] = made
    return known[bits]


def _exp(m: Any, plain: Callable[..., Any], x: Any, **options: Any) -> Any:
    """Return exp(x); for a large integer beside its place, since mpmath would raise e to its power by squaring."""
    if isinstance(x, m.mpf) and mpmath.isint(x) and mpmath.mag(x) > 20:
        return plain(m.fadd(x, 0.5, exact=True), **options) / plain(m.mpf(0.5), **options)
    return plain(x, **options)


def _evaluate(activation: Activation, x: Any, parameters: dict[str, float], bits: int) -> Any:
    """Return the value in ``bits`` bits, or NaN where there is no real one."""
    m = context(bits)
    try:
        result = m.convert(activation.exact(m, m.convert(x), **{key: m.mpf(each) for key, each in parameters.items()}))
    except (ZeroDivisionError, ValueError):
        return m.nan
    return result if isinstance(result, m.mpf) else m.nan


def value(activation: Activation, x: Any, parameters: dict[str, float], kind: Format, bits: int = 100) -> Any:
    """Return the true value at a finite ``x`` as an mpmath number with relative error under ``2**-bits``.

    Parameters
    ----------
    activation : Activation
        An elementwise activation of the book.
    x : float or mpmath number
        The input, taken exactly.
    parameters : dict
        The parameters as the dtype has them (``activation.parameters_in(dtype)``).
    kind : Format
        The format that the value is wanted for: a value that comes out as zero is believed only at a
        precision where nothing that the format can show could have been lost.
    bits : int
        Digits asked for.
    """
    precision = bits + 40
    size = max(int(mpmath.mag(x)), 0) if x else 0
    enough = size - kind.etiny + 64
    coarse = _evaluate(activation, x, parameters, precision)
    while True:
        fine = _evaluate(activation, x, parameters, 2 * precision)
        if mpmath.isnan(fine) or mpmath.isinf(fine) or precision > 16 * LAST_BITS:
            return fine
        if fine == 0 and coarse == 0:
            if 2 * precision >= enough:
                return fine
        elif abs(coarse - fine) <= context(2 * precision).ldexp(abs(fine), -bits):
            return fine
        coarse, precision = fine, 2 * precision


def round_exactly(number: Any, kind: Format) -> float:
    """Round an mpmath number or a fraction to the format, to nearest and ties to even.

    Returns
    -------
    float
        A number of the format (or an infinity), as a Python float. What underflows keeps its sign.
    """
    if isinstance(number, Fraction):
        top, bottom = abs(number.numerator), number.denominator
        negative, exponent = number < 0, top.bit_length() - bottom.bit_length()
        if top << max(-exponent, 0) < bottom << max(exponent, 0):
            exponent -= 1
    else:
        if mpmath.isnan(number) or mpmath.isinf(number):
            return float(number)
        mantissa, scale = number.man_exp  # without the sign
        negative, top, bottom = number < 0, int(mantissa), 1
        exponent = top.bit_length() + int(scale) - 1
        if exponent > kind.emax + 1:
            return -math.inf if negative else math.inf
        if exponent < kind.etiny - 2:
            return -0.0 if negative else 0.0
        top, bottom = top << max(int(scale), 0), 1 << max(-int(scale), 0)
    if top == 0:
        return 0.0
    unit = max(exponent - kind.precision + 1, kind.etiny)
    whole, rest = divmod(top << max(-unit, 0), bottom << max(unit, 0))
    whole += 2 * rest > (bottom << max(unit, 0)) or (2 * rest == (bottom << max(unit, 0)) and whole & 1)
    size = math.inf if whole.bit_length() + unit - 1 > kind.emax else math.ldexp(whole, unit)
    return -size if negative else size


def truth_at(activation: Activation, x: float, parameters: dict[str, float], kind: Format) -> tuple[float, Any]:
    """Return the correctly rounded value at a finite, nonzero ``x``, and the true one (fraction or mpmath number)."""
    fraction = rational(activation, x, parameters)
    if fraction is not None:
        return round_exactly(fraction, kind), fraction
    bits = 2 * kind.precision + 20
    while True:
        true = value(activation, x, parameters, kind, bits)
        if mpmath.isnan(true) or mpmath.isinf(true) or true == 0:
            return float(true), true
        m = context(3 * bits + 100)
        doubt = m.ldexp(abs(true), -bits)
        low, high = m.mpf(true) - doubt, m.mpf(true) + doubt
        rounded = round_exactly(low, kind)
        if rounded == round_exactly(high, kind):
            return rounded, true
        if bits >= LAST_BITS:
            # Within 2**-1600 of a midpoint: it is the midpoint. One bit more than the format holds it exactly.
            return round_exactly(context(kind.precision + 1).mpf(0) + true, kind), true
        bits *= 2


def special(activation: Activation, x: float, parameters: dict[str, float], kind: Format) -> float:
    """Return the right result at NaN, an infinity or a zero.

    Raises
    ------
    ArgumentError
        If the block gives no limit for an infinity.
    """
    if math.isnan(x):
        return math.nan
    if math.isinf(x):
        limits = activation.limits(**parameters) if callable(activation.limits) else activation.limits
        if x not in limits:
            raise ArgumentError(f"activation {activation.name!r}: its block gives no limit at {x}; add it to limits")
        return _rounded_number(limits[x], kind)
    if math.copysign(1.0, x) < 0:
        at_zero = activation.negative_zero
        at_zero = at_zero(**parameters) if callable(at_zero) else at_zero
        return _rounded_number(at_zero, kind)
    rounded, true = truth_at(activation, 0.0, parameters, kind)
    return rounded if true or not _falls(activation, parameters) else -0.0


def _falls(activation: Activation, parameters: dict[str, float]) -> bool:
    """Tell whether the derivative at 0 is negative."""
    m = context(100)
    try:
        return bool(activation.derivative(m, m.mpf(0), **parameters) < 0) if activation.derivative else False
    except ZeroDivisionError:  # it has none there
        return False


def _rounded_number(number: float, kind: Format) -> float:
    if number == 0 or not math.isfinite(number):
        return float(number)
    return round_exactly(mpmath.mpf(number), kind)


@functools.lru_cache(maxsize=256)
def _cached_parameters(activation: Activation, name: str) -> dict[str, float]:
    return activation.parameters_in(format_of(name).dtype)


def _points(activation: Activation, x: NDArray[Any]) -> list[tuple[float, Any]]:
    if activation.kind != "elementwise":
        raise ArgumentError(
            f"activation {activation.name!r}: only elementwise activations have a true value per number"
        )
    kind = format_of(x.dtype)
    parameters = _cached_parameters(activation, kind.name)
    points = []
    for number in x.astype(np.float64).ravel().tolist():
        if number and math.isfinite(number):
            points.append(truth_at(activation, number, parameters, kind))
        else:
            rounded = special(activation, number, parameters, kind)
            points.append((rounded, mpmath.mpf(rounded)))
    return points


def right(activation: Activation, x: NDArray[Any]) -> NDArray[Any]:
    """Return the correctly rounded activation of ``x``, in its dtype, one mpmath evaluation per number.

    Takes some 0.1 ms a number; `parity.sweep` judges millions.

    Examples
    --------
    >>> from refnet import activations
    >>> right(activations.REGISTRY["sigmoid"], np.float32([0.0, 1.0, -104.0]))
    array([0.5      , 0.7310586, 0.       ], dtype=float32)
    """
    rounded = np.array([each for each, _ in _points(activation, x)], np.float64).reshape(x.shape)
    with np.errstate(over="ignore", under="ignore"):
        return rounded.astype(x.dtype)


def pair(activation: Activation, x: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the true values as unevaluated sums ``high + low`` of two float64, good to some 106 bits.

    Examples
    --------
    >>> from refnet import activations
    >>> high, low = pair(activations.REGISTRY["sigmoid"], np.float32([1.0]))
    >>> high
    array([0.73105858])
    """
    widest = format_of("float64")
    high, low = [], []
    for _, true in _points(activation, x):
        first = round_exactly(true, widest)
        high.append(first)
        if not math.isfinite(first):
            low.append(0.0)
        elif isinstance(true, Fraction):
            low.append(float(true - Fraction(first)))
        else:
            low.append(round_exactly(context(400).mpf(true) - first, widest))
    shape = x.shape
    return np.array(high, np.float64).reshape(shape), np.array(low, np.float64).reshape(shape)
