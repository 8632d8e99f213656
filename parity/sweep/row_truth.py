"""The true results of rows, in two stages: a wide value with its bound, and mpmath where the verdict hangs on more.

Stage 1 writes a true value as ``(high + middle + low) * 2**scale``, up to a doubt (see `parity.sweep.row_wide`);
sparsemax, whose four operations are exact in integers, has none. A value is then read in units of its last place: the
nearest integer is the right result wherever the doubt does not reach a midpoint. Stage 2 gives the rest to
`parity.truth`, by the block's ``exact``. Nothing here knows the formulas that the engine compiles.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity import truth, ulp
from parity.sweep import pairs
from parity.sweep.row_wide import RULES, Wide, ldexp
from parity.ulp import Format
from refnet.activations import Activation

__all__ = ["RANGES", "Truth", "agrees", "errors", "of_rows"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Truth:
    """True results of rows, one entry per result.

    Attributes
    ----------
    right : ndarray
        Correctly rounded results, in the format.
    unit : ndarray of int
        Exponents of the last places of the true values.
    whole, rest : ndarray of float64
        True values in that unit: the nearest integer, and what is left.
    nonzero : ndarray of bool
        Where the true value is not zero.
    special : ndarray of bool
        Where a convention decides: rows with infinities or NaN, zeros.
    undecided : int
        How many went to mpmath.
    """

    right: NDArray[Any]
    unit: NDArray[np.int64]
    whole: Floats
    rest: Floats
    nonzero: Mask
    special: Mask
    undecided: int = 0


def _decide(wide: Wide, kind: Format) -> tuple[Truth, Mask, Mask]:
    """Return the truth as far as the wide values have it, where they do not decide the rounding, and where the unit.

    The unit is in doubt where the true value may lie on either side of a power of two.
    """
    high, middle, low = wide.parts
    tail = np.where(middle != 0, middle, np.where(low != 0, low, wide.side))
    mantissa, exponent = np.frexp(high)
    power = np.abs(mantissa) == 0.5
    # Just below a power of two the unit is half as large.
    exponent = exponent - 1 - (power & (tail * high < 0)) + wide.scale
    unit = np.where(high == 0, kind.emin, np.clip(exponent, kind.emin, kind.emax)) - kind.precision + 1
    shift = wide.scale - unit
    first, second, third, doubt = (ldexp(each, shift) for each in (high, middle, low, wide.doubt))
    edge = 2.0**kind.precision  # what lies beyond the last binade counts as its end, as in `parity.ulp`
    far = exponent > kind.emax
    first, second, third = (
        np.where(far, most, each) for each, most in ((first, np.copysign(edge, first)), (second, 0.0), (third, 0.0))
    )
    whole = np.rint(first)
    fraction, lost = pairs.two_sum(first - whole, second)
    lost = lost + third
    sign = np.where(fraction < 0, -1.0, 1.0)
    over = (np.abs(fraction) - 0.5) + sign * lost
    side = sign * wide.side
    tie = (over == 0) & (wide.side == 0)
    beyond = (over > 0) | ((over == 0) & (side > 0)) | (tie & (whole % 2 == 1))
    undecided = np.where(over == 0, tie & (doubt > 0), np.abs(over) <= doubt + 2.0**-52 * np.abs(lost))
    moved = sign * beyond
    doubtful = power & (np.abs(middle) + np.abs(low) <= wide.doubt) & (wide.doubt > 0) & (wide.side == 0)
    doubtful &= exponent >= kind.emin - 1  # below, all units are the same
    whole, rest = whole + moved, (fraction - moved) + lost
    sure = Truth(
        _right(whole, unit, np.where(high != 0, high, wide.side), kind),
        unit,
        whole,
        rest,
        (high != 0) | (wide.side != 0),
        np.zeros(high.shape, bool),
    )
    return sure, undecided, doubtful


def _right(whole: Floats, unit: NDArray[np.int64], sign: Any, kind: Format) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        return np.asarray(np.copysign(ldexp(whole, unit), sign).astype(kind.dtype))


def _in_units(top: int, bottom: int, kind: Format) -> tuple[int, float, float]:
    """Return the unit of a fraction, positive or 0, its nearest integer in that unit and what is left of it.

    Examples
    --------
    >>> _in_units(1, 3, ulp.FORMATS["float16"])
    (-12, 1365.0, 0.3333333333333333)
    """
    exponent = top.bit_length() - bottom.bit_length()
    exponent -= top << max(-exponent, 0) < bottom << max(exponent, 0)
    unit = max(min(exponent, kind.emax), kind.emin) - kind.precision + 1
    top, bottom = top << max(-unit, 0), bottom << max(unit, 0)
    whole, rest = divmod(top, bottom)
    if 2 * rest > bottom or (2 * rest == bottom and whole & 1):
        whole, rest = whole + 1, rest - bottom
    # What lies beyond the last binade counts as its end, as in `parity.ulp`.
    return (unit, float(whole), rest / bottom) if exponent <= kind.emax else (unit, 2.0**kind.precision, 0.0)


def _sparsemax(x: Floats, kind: Format) -> Truth:
    """Return the truth in integers: entries in units of the smallest number, (1 + k x - sum) / k as a fraction."""
    unit = np.full(x.shape, kind.etiny)
    whole, rest = np.zeros(x.shape), np.zeros(x.shape)
    one = 1 << -kind.etiny
    for number, row in enumerate(x):
        highest = row.max()
        near = np.flatnonzero(row >= highest - 2.0)  # entries further down than 1 get nothing
        near = near[np.argsort(-row[near], kind="stable")]
        values = [top * (one // bottom) for top, bottom in map(float.as_integer_ratio, row[near].tolist())]
        total = k = 0
        for value in values:
            if one + (k + 1) * value <= total + value:
                break
            k, total = k + 1, total + value
        known: dict[int, tuple[int, float, float]] = {}
        for place, value in zip(near[:k].tolist(), values, strict=False):
            if value not in known:
                known[value] = _in_units(one + k * value - total, k * one, kind)
            unit[number, place], whole[number, place], rest[number, place] = known[value]
    none = np.zeros(x.shape, bool)
    return Truth(_right(whole, unit, 1.0, kind), unit, whole, rest, (whole != 0) | (rest != 0), none)


def _special(activation: Activation, x: Floats) -> tuple[Mask, Floats]:
    """Return which results a convention decides and what they are then, by the words of the blocks' docstrings."""
    if activation.kind == "gated":
        half = x.shape[-1] // 2
        a, b = x[..., :half], x[..., half:]
        with np.errstate(invalid="ignore"):
            through = np.where(np.isneginf(b), a * 0.0, np.where(np.isnan(b), b, a))  # inf * 0 is NaN, as it should be
        return (a == 0) | ~np.isfinite(a) | ~np.isfinite(b), through
    highest = x.max(axis=-1, keepdims=True)
    top = x == highest
    nothing, everything = (-np.inf, 0.0) if activation.name == "log_softmax" else (0.0, 1.0)
    several = top.sum(axis=-1, keepdims=True) > 1
    value = np.where(top, np.where(several | np.isneginf(highest), np.nan, everything), nothing)
    return ~np.isfinite(highest) | np.isneginf(x), np.where(np.isnan(highest), np.nan, value)


#: The range of each activation's results; a test holds that every one of the book that works on rows is here.
RANGES = {
    "softmax": (0.0, 1.0),
    "log_softmax": (-math.inf, 0.0),
    "glu": (-math.inf, math.inf),
    "sparsemax": (0.0, 1.0),
}


def of_rows(activation: Activation, x: NDArray[Any], kind: Format, got: NDArray[Any] | None = None) -> Truth:
    """Return the truth for rows along the last axis of ``x``, of two dimensions.

    ``got`` are results to be judged: mpmath is asked for the unit where one is wrong and the unit in doubt.

    Examples
    --------
    >>> from refnet import activations
    >>> of_rows(activations.REGISTRY["softmax"], np.float32([[0.0, 0.0, 0.0]]), ulp.FORMATS["float32"]).right
    array([[0.33333334, 0.33333334, 0.33333334]], dtype=float32)
    """
    wide = x.astype(np.float64)
    special, value = _special(activation, wide)
    sound = np.isfinite(wide) if activation.kind == "gated" else np.isfinite(wide.max(axis=-1, keepdims=True))
    wide = np.where(sound, wide, 0.0)  # a convention takes the place of what comes of these
    with np.errstate(all="ignore"):
        if activation.name in RULES:
            found, undecided, doubtful = _decide(RULES[activation.name](wide), kind)
        else:
            found, undecided, doubtful = _sparsemax(wide, kind), np.zeros_like(special), np.zeros_like(special)
    if got is not None:
        undecided = undecided | (doubtful & (got != found.right))
    undecided &= ~special
    _ask_mpmath(activation, wide, kind, found, undecided)
    return _with_conventions(found, special, value, kind, int(np.count_nonzero(undecided)))


def _with_conventions(found: Truth, special: Mask, value: Floats, kind: Format, undecided: int) -> Truth:
    _, exponent = np.frexp(value)
    unit = np.clip(np.where(np.isfinite(value) & (value != 0), exponent - 1, kind.emin), kind.emin, kind.emax)
    unit = np.where(special, unit - kind.precision + 1, found.unit)
    return Truth(
        np.where(special, value.astype(kind.dtype), found.right),
        unit,
        np.where(special, ldexp(value, -unit), found.whole),
        np.where(special, 0.0, found.rest),
        found.nonzero & ~special,
        special,
        undecided,
    )


def _ask_mpmath(activation: Activation, x: Floats, kind: Format, found: Truth, undecided: Mask) -> None:
    """Put what mpmath says into the places that are undecided."""
    for row in np.flatnonzero(undecided.any(axis=-1)).tolist():
        ask = _entries(activation, x[row].tolist())
        for entry in np.flatnonzero(undecided[row]).tolist():
            rounded, true = truth.truth_at(ask(entry), 1.0, {}, kind)
            exact = true if isinstance(true, Fraction) else ulp.fraction(true)
            unit, whole, rest = _in_units(abs(exact.numerator), exact.denominator, kind)
            sign = -1.0 if exact < 0 else 1.0
            place = row, entry
            found.right[place], found.unit[place] = rounded, unit
            found.whole[place], found.rest[place] = sign * whole, sign * rest


def _entries(activation: Activation, row: list[float]) -> Callable[[int], Activation]:
    """Return a function from an entry to an activation whose value, at whatever number, is that entry's result."""
    known: dict[tuple[int, int], list[Any]] = {}
    half = len(row) // 2

    def entry(number: int) -> Activation:
        gated = activation.kind == "gated"
        chosen = [number, half + number] if gated else [place for place, x in enumerate(row) if math.isfinite(x)]

        def exact(m: Any, x: Any) -> Any:
            key = m.prec, number if gated else -1
            if key not in known:
                known[key] = activation.exact(m, [m.mpf(row[place]) for place in chosen])
            return known[key][chosen.index(number)]

        return dataclasses.replace(activation, exact=exact)

    return entry


def agrees(activation: Activation, row: NDArray[Any], entry: int, claim: float, kind: Format) -> bool:
    """Tell whether mpmath alone gives the result of one entry of a row that is claimed to be right.

    A logarithm such as log(1 + exp(-1e38)) makes no digit of any precision: a gap less that, midway between two
    numbers, is a tie to mpmath, and either of them agrees.

    Examples
    --------
    >>> from refnet import activations
    >>> agrees(activations.REGISTRY["softmax"], np.float32([0.0, 0.0]), 1, 0.5, ulp.FORMATS["float32"])
    True
    """
    ask = _entries(activation, row.astype(np.float64).tolist())
    rounded, true = truth.truth_at(ask(entry), 1.0, {}, kind)
    if rounded == claim or activation.name != "log_softmax" or not math.isfinite(rounded) or not math.isfinite(claim):
        return rounded == claim
    tie = truth.context(kind.precision + 1).mpf(0) + true
    near = truth.context(truth.LAST_BITS)
    return bool(2 * near.mpf(tie) == near.mpf(rounded) + near.mpf(claim) and near.mpf(true) - tie == 0)


def errors(found: Truth, got: NDArray[Any], kind: Format) -> Floats:
    """Return the signed errors of results in ulp, as `parity.ulp.error` does: infinite where NaN meets a number."""
    with np.errstate(all="ignore"):
        edge = ldexp(1.0, np.minimum(kind.emax + 1 - found.unit, 1020))
        whole = np.clip(found.whole, -edge, edge)
        result = (np.clip(ldexp(got.astype(np.float64), -found.unit), -edge, edge) - whole) - found.rest
    nan = np.isnan(got), np.isnan(found.right)
    return np.asarray(np.where(nan[0] & nan[1], 0.0, np.where(nan[0] ^ nan[1], np.inf, result)))
