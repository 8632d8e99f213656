"""Two results and an enclosure of the truth -> a Comparison with a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity import known, ulp
from parity.bounds import Enclosure
from parity.report.records import HISTOGRAM_EDGES, Comparison, Element, Finding, Verdict

__all__ = ["Judgement", "compare", "within"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_OVERFLOW, _SEVERAL = "overflow inside a sum", "several at once"

#: What is no habit of Keras.
_DERIVED = {
    _OVERFLOW: "Partial sums can leave the range of the dtype, and the order of the sum decides.",
    _SEVERAL: "Only the rooms of several known differences together are wide enough.",
}


@dataclass(frozen=True)
class Judgement:
    """A comparison, and the rows in which results of another kind were found (what follows them is open)."""

    comparison: Comparison
    spoiled: Mask


def compare(
    own: NDArray[Any],
    peer: NDArray[Any],
    enclosure: Enclosure,
    *,
    shown: Mapping[str, Mask] | None = None,
    spoiled: Mask | None = None,
    inherited: tuple[str, ...] = (),
) -> Judgement:
    """Judge every element of ``own`` and ``peer``.

    An element is explained by rounding if the bits are equal, or if each side is within its own bound of the
    truth; a known difference if refnet is within its bound and the peer is off by no more than known differences
    grant; otherwise not explained.

    Parameters
    ----------
    own, peer : ndarray
        What refnet and the peer gave, of one shape and dtype.
    enclosure : Enclosure
        The truth and the bounds.
    shown : mapping of str to ndarray of bool, optional
        Where known differences of another kind show their signature.
    spoiled : ndarray of bool, optional
        Rows that a known difference in an earlier layer has made incomparable.
    inherited : tuple of str
        Known differences found in earlier layers: the likely names where only their sum explains an element.
    """
    truth = enclosure.value
    spoiled = np.zeros(own.shape[:1], bool) if spoiled is None else spoiled
    rows = spoiled.reshape(-1, *(1,) * (own.ndim - 1)) & np.ones(own.shape, bool)
    with np.errstate(all="ignore"):
        same = (own == peer) | (np.isnan(own) & np.isnan(peer))
        own_fits, peer_fits = within(own, truth, enclosure.own), within(peer, truth, enclosure.peer)
        bounded = np.isfinite(enclosure.own) & np.isfinite(enclosure.peer)
        explained = same | (own_fits & peer_fits & bounded)
        of_another_kind = {_OVERFLOW: ~bounded, **(shown or {})}
        alone = {name: within(peer, truth, bound) for name, bound in enclosure.rooms.items()}
        together = within(peer, truth, enclosure.granted) & np.isfinite(enclosure.granted)
    open_, counts = ~explained & own_fits, {}
    for name, mask in (*of_another_kind.items(), *alone.items()):
        counts[name] = open_ & mask
        open_ = open_ & ~mask
    spoiling = np.any([counts[name] for name in of_another_kind], axis=0).any(axis=tuple(range(1, own.ndim)))
    follows = ~explained & rows & ~np.any(list(counts.values()), axis=0)
    for name in inherited or (_SEVERAL,):
        counts[name] = counts.get(name, False) | (open_ & together) | follows
    unexplained = ~explained & ~np.any(list(counts.values()), axis=0)
    outside = tuple(
        side for side, fits in (("refnet", own_fits), ("peer", peer_fits)) if bool((~fits & ~same & ~rows).any())
    )
    findings = tuple(_finding(name, mask) for name, mask in counts.items() if mask.any())
    return Judgement(_comparison(own, peer, enclosure, unexplained, outside, findings), spoiled | spoiling)


def within(y: NDArray[Any], truth: NDArray[Any], bound: Floats) -> Mask:
    """Return where ``y`` may stand for the truth: near enough, or of the same kind (NaN, an infinity)."""
    top = float(np.finfo(y.dtype).max)
    size = np.abs(truth).astype(np.float64) + bound
    near = np.abs(y.astype(truth.dtype) - truth) <= bound
    overflowed = np.isinf(y) & (size >= top) & ((np.sign(y) == np.sign(truth)) | (bound >= top))
    just_not = np.isinf(truth) & (np.abs(y) >= top) & (np.sign(y) == np.sign(truth))
    lost = np.isnan(y) & np.isnan(truth)
    return np.asarray(near | overflowed | just_not | lost | (np.isinf(bound) & ~np.isnan(truth)))


def _finding(name: str, mask: Mask) -> Finding:
    record = next((entry for entry in known.CATALOGUE if entry.name == name), None)
    what, issue = (_DERIVED[name], "derived") if record is None else (record.what, record.issue)
    return Finding(name, what, issue, int(mask.sum()))


def _comparison(
    own: NDArray[Any],
    peer: NDArray[Any],
    enclosure: Enclosure,
    unexplained: Mask,
    outside: tuple[str, ...],
    findings: tuple[Finding, ...],
) -> Comparison:
    verdict: Verdict = "explained by rounding"
    if unexplained.any():
        verdict = "not explained"
    elif findings:
        verdict = "known difference"
    if own.size == 0:
        return Comparison(
            verdict, 0, 0.0, 0.0, 0, 1.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, (), (), (0,) * len(HISTOGRAM_EDGES), None
        )
    with np.errstate(all="ignore"):
        a, b, truth = own.astype(enclosure.value.dtype), peer.astype(enclosure.value.dtype), enclosure.value
        gap = _gap(a, b)
        relative = np.where(gap > 0, gap / np.maximum(np.abs(a), np.abs(b)), 0.0)
        relative = np.where(np.isnan(relative), np.inf, relative)
        steps = ulp.distance(own, peer)
        own_error, peer_error = _gap(a, truth), _gap(b, truth)
        between = enclosure.own + enclosure.peer
        alone = np.maximum(_share(own_error, enclosure.own), _share(peer_error, enclosure.peer))
        ratios = np.maximum(_share(gap, between), np.where(alone > 1, alone, 0.0))
        ratios = np.where((own == peer) | (np.isnan(own) & np.isnan(peer)), 0.0, ratios)
        at = _worst_index(ratios, gap, unexplained)
    finite_steps = np.where(np.isnan(own) ^ np.isnan(peer), np.uint64(2**63 - 1), steps)
    return Comparison(
        verdict=verdict,
        elements=own.size,
        max_abs=float(gap.max()),
        max_rel=float(relative.max()),
        max_ulp=int(finite_steps.max()),
        equal=float(np.mean(_bits_equal(own, peer))),
        bound=float(between[at]),
        ratio=float(ratios[at]),
        own_ulps=_ulps(own_error, truth, own.dtype),
        peer_ulps=_ulps(peer_error, truth, own.dtype),
        own_closer=int((own_error < peer_error).sum()),
        peer_closer=int((peer_error < own_error).sum()),
        unexplained=int(unexplained.sum()),
        outside=outside,
        findings=findings,
        histogram=_histogram(finite_steps),
        worst=Element(tuple(int(i) for i in at), float(own[at]), float(peer[at]), float(truth[at]), float(between[at])),
    )


def _gap(a: NDArray[Any], b: NDArray[Any]) -> Floats:
    """Return |a - b|: 0 between equal infinities and between NaNs, inf between numbers of different kinds."""
    gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    return np.where(np.isnan(gap), np.inf, gap).astype(np.float64)


def _share(observed: Floats, bound: Floats) -> Floats:
    share = np.where(observed > 0, observed / bound, 0.0)
    return np.where(np.isnan(share), 0.0, share)  # inf / inf: no bound, nothing to say


def _worst_index(ratios: Floats, gap: Floats, unexplained: Mask) -> tuple[Any, ...]:
    """Return where to look first: the unexplained element with the largest ratio, then the largest gap."""
    pool = unexplained if unexplained.any() else np.ones(ratios.shape, bool)
    highest = ratios[pool].max()
    pool = pool & (ratios == highest)
    return np.unravel_index(np.where(pool, gap, -1.0).argmax(), ratios.shape)


def _bits_equal(own: NDArray[Any], peer: NDArray[Any]) -> Mask:
    return np.asarray((ulp.to_bits(own) == ulp.to_bits(peer)) | (np.isnan(own) & np.isnan(peer)))


def _ulps(error: Floats, truth: NDArray[Any], dtype: np.dtype[Any]) -> float:
    usable = np.isfinite(truth) & np.isfinite(error)
    if not usable.any():
        return 0.0 if not error.any() else float("inf")
    return float((error[usable] / ulp.ulp(truth[usable].astype(np.float64), dtype)).max())


def _histogram(steps: NDArray[np.uint64]) -> tuple[int, ...]:
    slots = np.searchsorted(np.array(HISTOGRAM_EDGES, np.uint64), steps.ravel(), side="right") - 1
    return tuple(int(n) for n in np.bincount(slots, minlength=len(HISTOGRAM_EDGES)))
