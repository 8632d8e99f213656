"""The verdict over one run of inputs: every result against its true value.

Stage 1 takes the wide value y of `parity.sweep.model` with its bound e. Where y - e and y + e round to the same
number, that number is the correctly rounded result: the verdict is proved. Stage 2 gives the rest to mpmath.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity import truth, ulp
from parity.sweep.counting import Extent, Results, pattern
from parity.sweep.model import Model
from parity.sweep.pieces import Piece, evaluate
from parity.sweep.tally import Finding, Tally, add

__all__ = ["Verdict", "border", "judge", "verdict"]

#: Numbers judged at a time: what a core's cache holds in wide arrays.
_BLOCK = 1 << 15

#: More doubtful numbers in a block than these, and than one in eight, are no accident: it runs along midpoints.
_MANY = 16


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Truth for a run of inputs.

    Attributes
    ----------
    right : ndarray
        Correctly rounded results.
    wide : ndarray
        True values in the wide type, to within ``error``.
    error : wide float
    undecided : int
        How many mpmath decided.
    signed : bool
        Whether the signs of zeros in ``right`` are those of the true values.
    """

    right: NDArray[Any]
    wide: NDArray[Any]
    error: Any
    undecided: int
    signed: bool


def verdict(model: Model, piece: Piece, x: NDArray[Any]) -> Verdict:
    """Return the right results at inputs ``x`` of one piece."""
    kind = model.kind
    y = evaluate(piece, x.astype(model.wide))
    right = ulp.round_wide(y, kind.name)
    if piece.error == 0:
        return Verdict(right, y, piece.error, 0, True)
    if np.isinf(piece.error):
        doubtful = np.arange(x.size)
    else:
        low, high = ulp.round_wide(y - piece.error, kind.name), ulp.round_wide(y + piece.error, kind.name)
        doubtful = np.flatnonzero(low != high)
        if doubtful.size > max(_MANY, x.size // 8):
            doubtful = _lean(model, piece, x, right, doubtful)
    for place in doubtful.tolist():
        rounded, true = truth.truth_at(model.activation, float(x[place]), model.parameters, kind)
        right[place] = rounded
        y[place] = _wide(true, model)
    if piece.sign:
        zero = right == 0  # the polynomial may have crossed zero where the function did not
        right[zero] = np.copysign(0.0, piece.sign)
    return Verdict(right, y, piece.error if np.isfinite(piece.error) else model.wide(0), doubtful.size, piece.sign != 0)


def _lean(model: Model, piece: Piece, x: NDArray[Any], right: NDArray[Any], doubtful: NDArray[Any]) -> NDArray[Any]:
    """Decide by the side on which the function lies of an exact line; return what is still in doubt."""
    bits = ulp.to_bits(x).astype(np.int64) & ((1 << (model.kind.bits - 1)) - 1)
    open_ = np.ones(doubtful.size, bool)
    for side in model.sides(piece):
        here = open_ & (bits[doubtful] >= side.start) & (bits[doubtful] < side.stop)
        line = evaluate(side.line, x[doubtful[here]].astype(model.wide))
        beside = np.nextafter(line, model.wide(side.sign) * model.wide(np.inf))
        right[doubtful[here]] = ulp.round_wide(beside, model.kind.name)
        open_ &= ~here
    return doubtful[open_]


def _wide(true: Any, model: Model) -> Any:
    """Round a true value (float, fraction or mpmath number) to the wide type, as a sum of two float64.

    Where those would be subnormal they are those of 2^1000 times the value.
    """
    if not isinstance(true, float) and 0 < abs(true) < Fraction(1, 2**900):
        return np.ldexp(_wide(true * 2**1000, model), -1000)
    try:
        high = float(true)
    except OverflowError:  # a fraction beyond float64
        high = float("inf") if true > 0 else float("-inf")
    if isinstance(true, float) or not np.isfinite(high):
        return model.wide(high)
    return model.wide(high) + model.wide(float(true - (Fraction(high) if isinstance(true, Fraction) else high)))


def judge(model: Model, bits: NDArray[np.uint64], got: NDArray[Any], reach: Extent) -> Tally:
    """Return the tally of results.

    Parameters
    ----------
    model : Model
        The truth.
    bits : ndarray of uint64
        Bit patterns of the inputs, rising.
    got : ndarray
        The results in the format.
    reach : Extent
        The range of right results.
    """
    kind = model.kind
    total = Tally()
    half = 1 << (kind.bits - 1)
    with np.errstate(all="ignore"):
        for sign, base in ((False, 0), (True, half)):
            ends = np.array([base + 1, base + kind.infinity, base, base + half - 1], np.uint64)
            first, last, *outside = (int(each) for each in np.searchsorted(bits, ends))
            total = add(total, _specials(model, bits[outside[0] : first], got[outside[0] : first]))
            total = add(total, _finite(model, sign, base, bits[first:last], got[first:last], reach))
            end = outside[1] + (outside[1] < bits.size and int(bits[outside[1]]) == base + half - 1)
            total = add(total, _specials(model, bits[last:end], got[last:end]))
    return total


def _finite(
    model: Model, negative: bool, base: int, bits: NDArray[np.uint64], got: NDArray[Any], reach: Extent
) -> Tally:
    total = Tally()
    if bits.size == 0:
        return total
    before: tuple[Any, ...] | None = None
    for piece in model.pieces(negative, int(bits[0]) - base, int(bits[-1]) - base + 1):
        ends = np.searchsorted(bits, np.array([base + piece.start, base + piece.stop], np.uint64))
        for start in range(int(ends[0]), int(ends[1]), _BLOCK):
            stop = min(start + _BLOCK, int(ends[1]))
            x = ulp.from_bits(bits[start:stop], model.kind.name)
            found = verdict(model, piece, x)
            total = add(total, _count(model, bits[start:stop], x, got[start:stop], found, reach))
            # Order is judged across the blocks' borders too: the last number of each goes before the next.
            before = before or (got[:0], found.wide[:0], found.error)
            total = add(total, _order(bits[start:stop], got[start:stop], found, before))
            before = got[stop - 1 : stop], found.wide[-1:], found.error
    return total


def _count(
    model: Model, bits: NDArray[np.uint64], x: NDArray[Any], got: NDArray[Any], found: Verdict, reach: Extent
) -> Tally:
    """Return the counts of one block, order aside."""
    kind = model.kind
    errors = _errors(kind, got, found.wide) * _inside(found, reach)
    wrong = (got != found.right) & ~(np.isnan(got) & np.isnan(found.right))
    size = np.abs(found.wide)
    normal = size.min() >= 2.0**kind.emin and size.max() < 2.0**kind.emax
    codes = ulp.CLASSES.index("normal") if normal else ulp.classify(x, found.wide)
    zero = (got == 0) & (found.right == 0) & (found.wide != 0) & (np.signbit(got) != np.signbit(found.right))
    results = Results(bits, got, found.right, errors, wrong)
    return results.tally(codes, zero & found.signed, results.outside(reach), found.undecided)


def _errors(kind: ulp.Format, got: NDArray[Any], wide: NDArray[Any]) -> NDArray[np.float64]:
    """Return the signed errors in ulp; infinite where a NaN stands for a number or the other way round."""
    # Infinities and what lies beyond count as this, as in `ulp.error`.
    edge = np.ldexp(wide.dtype.type(1), kind.emax + 1)
    size = np.abs(wide)
    if size.max() < edge / 4:
        difference = got.astype(wide.dtype) - wide
    else:
        difference = np.clip(got.astype(wide.dtype), -edge, edge) - np.clip(wide, -edge, edge)
    if wide.dtype == np.float64:
        # 2**e of |y| by masking its mantissa: the ulp without frexp. Capped as `ulp.ulp` caps it.
        size = (size.view(np.int64) & np.int64(0x7FF0000000000000)).view(np.float64)
        unit = np.clip(size, 2.0**kind.emin, 2.0**kind.emax) * 2.0 ** (1 - kind.precision)
    else:
        unit = ulp.ulp(wide, kind.name)
    errors = np.asarray(difference / unit, np.float64)
    if not np.isfinite(errors).all():
        strange = np.flatnonzero(~np.isfinite(errors))
        errors[strange] = ulp.error(got[strange], wide[strange].astype(np.float64))
    return errors


def _inside(found: Verdict, reach: Extent) -> Any:
    """Return 2 where the true value lies just inside a bound of the range that is a power of two, else 1.

    tanh(30) is so near 1 that its wide value is 1; but it is below, where the ulp is half as large.
    """
    if found.error == 0:
        return 1.0
    bounds = [bound for bound in reach if np.isfinite(bound) and abs(np.frexp(bound)[0]) == 0.5]
    return np.where(np.isin(found.wide, bounds), 2.0, 1.0) if bounds else 1.0


def _order(bits: NDArray[np.uint64], got: NDArray[Any], found: Verdict, before: tuple[Any, ...]) -> Tally:
    """Count neighbours whose results fall where the true value rises by more than its doubt, or the reverse.

    ``before`` is what goes before the first, if anything does: its result, its true value and that one's error.
    """
    y = np.concatenate([before[1], found.wide])
    results = np.concatenate([before[0], got])
    doubt = 2 * max(found.error, before[2])
    step = y[1:] - y[:-1]
    up, down = results[1:] > results[:-1], results[1:] < results[:-1]
    wrong = ((step > doubt) & down) | ((step < -doubt) & up)
    count = int(np.count_nonzero(wrong))
    if not count:
        return Tally()
    place = int(np.argmax(wrong)) + 1 - before[1].size
    example = Finding(int(bits[place]), pattern(got, place), pattern(found.right, place), 0.0)
    return Tally(out_of_order=count, examples={"out_of_order": example})


def border(model: Model, bits: NDArray[np.uint64], got: NDArray[Any]) -> Tally:
    """Judge the order alone of two neighbouring results: the last of a chunk and the first of the next."""
    half = 1 << (model.kind.bits - 1)
    sign, first = divmod(int(bits[0]), half)
    second = int(bits[1]) - sign * half
    if not 0 < first < second < model.kind.infinity:
        return Tally()
    x = ulp.from_bits(bits, model.kind.name)
    with np.errstate(all="ignore"):
        a, b = (
            verdict(model, model.pieces(bool(sign), place, place + 1)[0], x[i : i + 1])
            for i, place in enumerate((first, second))
        )
        return _order(bits[1:], got[1:], b, (got[:1], a.wide, a.error))


def _specials(model: Model, bits: NDArray[np.uint64], got: NDArray[Any]) -> Tally:
    """Judge NaNs, infinities and zeros, bit by bit but for which NaN it is."""
    if bits.size == 0:
        return Tally()
    kind = model.kind
    x = ulp.from_bits(bits, kind.name).astype(np.float64)
    number = np.flatnonzero(~np.isnan(x))
    right = np.full(bits.size, np.nan).astype(kind.dtype)
    for place in number.tolist():
        right[place] = truth.special(model.activation, float(x[place]), model.parameters, kind)
    both_nan = np.isnan(got) & np.isnan(right)
    wrong = (ulp.to_bits(got) != ulp.to_bits(right)) & ~both_nan
    errors = np.zeros(bits.size)
    different = np.flatnonzero((got != right) & ~both_nan)
    errors[different] = ulp.error(got[different], right[different].astype(np.float64))
    zero = wrong & (got == 0) & (right == 0)
    results = Results(bits, got, right, errors, wrong & ~zero)
    return results.tally(ulp.CLASSES.index("special"), zero, np.zeros(bits.size, bool))
