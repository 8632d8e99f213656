"""What a sweep knows besides the verdicts: the range of right results, and an audit of the judge itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity import truth, ulp
from parity.sweep.counting import Extent
from parity.sweep.judge import verdict
from parity.sweep.model import Model
from parity.sweep.tally import Tally
from refnet.errors import RefnetError

__all__ = ["JudgeError", "audit", "extent"]


class JudgeError(RefnetError):
    """The two stages of the judge contradict each other: the judge itself is wrong."""


def audit(model: Model, tally: Tally, bits: NDArray[np.uint64], seed: int = 0) -> None:
    """Judge the worst results and a few others of a chunk a second time, by mpmath alone.

    Raises
    ------
    JudgeError
        If the two stages disagree.
    """
    kind = model.kind
    findings = [each.worst for each in tally.classes if each.worst] + list(tally.misrounded[:4])
    claims = {each.bits: _number(each.right, kind) for each in findings}
    others = np.random.default_rng(seed).choice(bits, min(8, bits.size)) if bits.size else bits
    for pattern in {*claims, *(int(each) for each in others)}:
        number = _number(pattern, kind)
        if number == 0 or not math.isfinite(number):
            continue
        again = truth.truth_at(model.activation, number, model.parameters, kind)[0]
        claim = claims[pattern] if pattern in claims else _right_at(model, number < 0, pattern % (1 << (kind.bits - 1)))
        if claim != again and not (math.isnan(claim) and math.isnan(again)):
            raise JudgeError(
                f"activation {model.activation.name!r}: the judge gives {claim!r} and {again!r} at input "
                f"{number!r} ({pattern:#x}); its kinks or its exact form must be wrong"
            )


def _number(pattern: int, kind: ulp.Format) -> float:
    with np.errstate(invalid="ignore"):  # signalling NaNs
        return float(ulp.from_bits([pattern], kind.name).astype(np.float64)[0])


def extent(model: Model) -> Extent:
    """Return the smallest and the largest right result, by samples of every piece and a search around the extremes."""
    kind = model.kind
    ends: list[float] = []
    for x in (0.0, math.inf, -math.inf):
        ends.append(truth.special(model.activation, x, model.parameters, kind))
    with np.errstate(all="ignore"):
        for negative in (False, True):
            places, values = _outline(model, negative)
            for sign in (1, -1):
                ends += _search(model, negative, places, values, sign)
    numbers = [each for each in ends if not math.isnan(each)]
    return min(numbers), max(numbers)


def _outline(model: Model, negative: bool) -> tuple[NDArray[np.int64], NDArray[Any]]:
    places, values = [], []
    for piece in model.pieces(negative, 1, model.kind.infinity):
        inside = np.array(sorted({piece.start + (piece.stop - 1 - piece.start) * k // 8 for k in range(9)}), np.int64)
        x = ulp.from_bits(inside, model.kind.name)
        found = verdict(model, piece, -x if negative else x)
        places.append(inside)
        values.append(found.right.astype(np.float64))
    return np.concatenate(places), np.concatenate(values)


def _search(model: Model, negative: bool, places: NDArray[np.int64], values: NDArray[Any], sign: int) -> list[float]:
    """Refine the smallest (sign 1) or largest (sign -1) right result by ternary search between its neighbours."""
    scores = np.where(np.isnan(values), np.inf, sign * values)
    best = int(np.argmin(scores))
    low, high = int(places[max(best - 1, 0)]), int(places[min(best + 1, places.size - 1)])
    while high - low > 8:
        third = (high - low) // 3
        if sign * _right_at(model, negative, low + third) <= sign * _right_at(model, negative, high - third):
            high -= third
        else:
            low += third
    return [float(values[best]), *(_right_at(model, negative, place) for place in range(low, high + 1))]


def _right_at(model: Model, negative: bool, place: int) -> float:
    piece = model.pieces(negative, place, place + 1)[0]
    x = ulp.from_bits([place], model.kind.name)
    with np.errstate(all="ignore"):
        return float(verdict(model, piece, -x if negative else x).right.astype(np.float64)[0])
