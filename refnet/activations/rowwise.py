"""Activations of a whole row: every result depends on all the entries.

A rowwise formula is written in four things that the caller computes once (`row_terms` in reading.py): ``x``, the row's
``highest`` entry, each entry's ``term = exp(x - highest)``, and the row's ``share``: what the block's ``of_row`` makes
of the ``rest``, the sum of all terms but one highest, so that all of them sum to ``1 + rest``.

glu is of kind "gated": its formula takes one number from each half of the row. sparsemax is of kind "array": its
formula takes the whole array, rows along its last axis, and is read by NumPy alone; the engine has its own way.
"""

from __future__ import annotations

from fractions import Fraction
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.activations.activation import activation
from refnet.elementary import (
    MODERATE,
    NEAR_ZERO,
    absolute,
    choose,
    exp,
    exp_times,
    fma,
    log1p,
    maximum,
    ratio,
    seldom,
    sum_beyond,
    sum_odd,
    two_sum,
    where,
    within,
)

#: Below this half of a float32 may lie halfway between two others.
HALVED = 2.0**-125

#: No row has as many entries, and so no sum of its terms, which are 1 at most, is as large.
MOST_ENTRIES = 2.0**53


def _peel(m: Any, row: list[Any]) -> tuple[Any, list[Any], Any]:
    """Return the highest entry, every exp(x - highest), and their sum without one highest."""
    highest = max(row)
    powers = [m.exp(m.mpf(x) - highest) for x in row]
    peeled = row.index(highest)
    return highest, powers, m.fsum(power for i, power in enumerate(powers) if i != peeled)


def _softmax_exact(m: Any, row: list[Any]) -> list[Any]:
    _, powers, rest = _peel(m, row)
    return [power / (1 + rest) for power in powers]


@activation(
    "exp(x) / sum(exp(x))",
    exact=_softmax_exact,
    # An entry that gets nothing stays so, whichever of several infinities gets how much.
    derivative=lambda m, i, j, p_i, p_j, others_j: choose(p_i == 0, 0.0, p_i * choose(i == j, others_j, -p_j)),
    kind="rowwise",
    of_row=lambda rest: 1.0 / (1.0 + rest),
    source="Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, 1990",
)
def softmax(x: Any, highest: Any, term: Any, share: Any) -> Any:
    r"""Turn a row of scores into probabilities: positive, adding up to 1.

    .. math:: \mathrm{softmax}(x)_i = \frac{e^{x_i}}{\sum_j e^{x_j}} = \frac{e^{x_i - h}}{\sum_j e^{x_j - h}}

    The highest score h is taken off first, which changes nothing but keeps the exponentials from overflowing. An
    entry of inf takes everything: 1 there, 0 elsewhere; of several, each gets NaN. -inf gets 0, a row of nothing else
    NaN. NaN makes its whole row NaN.

    With p for softmax(x), its derivative is p_i (1 - p_i) on the diagonal and -p_i p_j off it, where 1 - p_i is the sum
    of the other entries.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.softmax([[1.0, 2.0, 3.0]])
    array([[0.09003057, 0.24472848, 0.66524094]], dtype=float32)
    """
    return term * share


def _log_softmax_exact(m: Any, row: list[Any]) -> list[Any]:
    highest, _, rest = _peel(m, row)
    return [(m.mpf(x) - highest) - m.log1p(rest) for x in row]


@activation(
    "x - log(sum(exp(x)))",
    exact=_log_softmax_exact,
    derivative=lambda m, i, j, p_i, p_j, others_j: choose(i == j, others_j, -p_j),
    kind="rowwise",
    of_row=lambda rest: log1p(within(rest, 0.0, MOST_ENTRIES)),
    source="Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, 1990",
)
def log_softmax(x: Any, highest: Any, term: Any, share: Any) -> Any:
    r"""Take the logarithm of softmax without passing through its tiny probabilities.

    .. math::

        \mathrm{log\_softmax}(x)_i = x_i - \log \sum_j e^{x_j}
        = (x_i - h) - \log\!\left(1 + \sum_{j \ne h} e^{x_j - h}\right)

    The 1 that the highest score h contributes stays outside the sum, so that log1p sees the rest in full: a score
    that dominates its row gets its small logarithm to the last digit. An entry of inf gets 0 and the others -inf; of
    several, each gets NaN. -inf gets -inf, a row of nothing else NaN. NaN makes its whole row NaN.

    With p for softmax(x), its derivative is 1 - p_i on the diagonal and -p_j off it.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.log_softmax([[1.0, 2.0, 30.0]])
    array([[-2.900000e+01, -2.800000e+01, -9.458066e-13]], dtype=float32)
    """
    below = seldom(highest == inf, lambda: where(x == highest, term - 1.0, -inf), x - highest)
    return sum_beyond(below, -share)


def _glu_exact(m: Any, row: list[Any]) -> list[Any]:
    half = len(row) // 2
    return [a / (1 + m.exp(-m.mpf(b))) for a, b in zip(row[:half], row[half:], strict=True)]


def _glu_derivative(m: Any, a: Any, b: Any) -> tuple[Any, Any]:
    power = m.exp(-abs(b))
    through = (abs(a) == inf) & (abs(b) < inf)  # also where the power is so small that it is 0
    along_b = choose(through, a, a * power / (1 + power) ** 2)
    return choose(b >= 0, 1.0, power) / (1 + power), along_b


@activation(
    "a * sigmoid(b), a and b the halves of x",
    exact=_glu_exact,
    derivative=_glu_derivative,
    kind="gated",
    source="Dauphin et al., Language Modeling with Gated Convolutional Networks, arXiv:1612.08083, 2016",
)
def glu(a: Any, b: Any) -> Any:
    r"""Let the first half of a row through as far as the second half opens the gates.

    .. math:: \mathrm{glu}([a, b]) = a \odot \sigma(b)

    The result is half as long along ``axis``, which must be even. A closed gate (b = -inf) gives 0 for every finite a
    and NaN for an infinite one.

    A gate that is all but closed is evaluated with e = exp(-|b|) as a e / (1 + e), where a e is one word: a large a can
    be let through so little that e alone would be 0. Half of a small a may lie between two subnormal numbers; there a
    gate that is all but half open decides, and the sum a/2 + a b/4 is rounded to odd.

    Its derivative is two diagonals side by side: sigmoid(b) along a, and a sigmoid(b) sigmoid(-b) along b, which is NaN
    where both a and b are infinite.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.glu([[1.0, 2.0, 0.0, -1.0]])
    array([[0.5       , 0.53788286]], dtype=float32)
    """
    usual = ratio(a, 1.0, exp(-within(b, -MODERATE, MODERATE)))

    def far() -> Any:
        below = -absolute(b)
        return ratio(where(b >= 0.0, a, exp_times(a, below, 0.0)), 1.0, exp(below))

    gated = seldom(absolute(b) > MODERATE, far, usual)

    def rare() -> Any:
        series = sum_odd(0.5 * a, a * b * (0.25 - b * b * (1.0 / 48.0)))
        limit = where(b > -inf, a, where(b == -inf, a * 0.0, b))
        infinite = (absolute(a) == inf) | (absolute(b) == inf)
        return where((a == 0.0) | infinite, limit, where(absolute(b) < NEAR_ZERO, series, gated))

    return seldom((absolute(a) < HALVED) | (absolute(a) == inf) | (absolute(b) == inf), rare, gated)


def _sparsemax_exact(m: Any, row: list[Any]) -> list[Any]:
    scores = sorted((m.mpf(x) for x in row), reverse=True)
    total, tau = m.mpf(0), m.mpf(0)
    lost = 2 * max(abs(m.frexp(score)[1]) for score in scores)  # sums of large and small scores cancel
    with m.workprec(getattr(m, "mp", m).prec + lost):
        for k, score in enumerate(scores, start=1):
            total += score
            if 1 + k * score > total:
                tau = (total - 1) / k
        return [max(x - tau, m.mpf(0)) for x in row]


def _sparsemax_derivative(m: Any, x: Any) -> Any:
    if x.shape[-1] == 0:
        return np.zeros((*x.shape, 0))
    k, excess = _over_threshold(x.astype(np.float64))
    kept = excess > 0.0
    same = np.eye(x.shape[-1], dtype=x.dtype)
    return where(kept[..., :, None] & kept[..., None, :], (k[..., None] * same - 1) / k[..., None], 0.0)


@activation(
    "max(x - tau, 0), with tau such that the row adds up to 1",
    exact=_sparsemax_exact,
    derivative=_sparsemax_derivative,
    kind="array",
    source="Martins and Astudillo, From Softmax to Sparsemax, arXiv:1602.02068, 2016",
)
def sparsemax(x: Any) -> Any:
    r"""Turn a row of scores into probabilities of which the low ones are exactly 0.

    .. math::

        \mathrm{sparsemax}(x)_i = \max(x_i - \tau, 0), \quad
        \tau = \frac{\sum_{j \le k} x_{(j)} - 1}{k}, \quad
        k = \max\Bigl\{k : 1 + k\,x_{(k)} > \sum_{j \le k} x_{(j)}\Bigr\}

    with the scores sorted downwards, :math:`x_{(1)} \ge x_{(2)} \ge \ldots`; it is the nearest point to x
    whose entries are probabilities. Keras 3.15.1 takes all partial sums for the k-th and is wrong wherever k is 2 or
    more (keras#23425).

    Evaluated as (1 + k x_i - sum) / k in pairs of float64, since x_i and tau may cancel, and exactly where they cancel
    so far that pairs would not do. An entry of inf takes
    everything: 1 there, 0 elsewhere; of several, each gets NaN. A row of nothing but -inf is NaN, and so is one with a
    NaN.

    Its derivative is 1 - 1/k on the diagonal and -1/k off it among the k entries above 0, and 0 elsewhere. At a kink,
    where an entry just comes up to tau, it is that of the side where the entry is 0.

    Examples
    --------
    >>> from refnet import activations
    >>> activations.sparsemax([[1.0, 1.0, 1.0], [0.6, 0.5, 0.0]])
    array([[0.33333334, 0.33333334, 0.33333334],
           [0.55      , 0.45      , 0.        ]], dtype=float32)
    """
    if x.shape[-1] == 0:
        return x
    k, excess = _over_threshold(x)
    y = maximum(excess / k, 0.0)
    highest = x.max(axis=-1, keepdims=True)
    top = x == highest
    senseless = np.isinf(highest) & ((highest < 0.0) | (top.sum(axis=-1, keepdims=True) > 1))
    return where(np.isnan(highest) | (senseless & top), np.nan, y)


def _over_threshold(x: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return how many entries sparsemax keeps, k, and for each entry k (x - tau): those above 0 are kept."""
    highest = x.max(axis=-1, keepdims=True)
    gap, low = two_sum(x, -highest)
    near = gap > -1.5  # the others get 0 anyway; keeping them at -2 keeps infinities out of the sums
    gap, low = where(near, gap, -2.0), where(near, low, 0.0)
    top = x == highest
    gap, low = where(top, 0.0, gap), where(top, 0.0, low)
    k, total, total_low = _support(gap, low)
    excess = where(near | top, _excess(k, gap, low, total, total_low), -1.0)
    # The entry that decides between k and k + 1 has the same excess over the sums of both.
    for place in map(tuple, np.argwhere(_in_doubt(k, excess).any(axis=-1))):
        if np.isfinite(highest[place][0]):
            k[place], excess[place] = _exactly_over_threshold(x[place])
    return k, excess


def _exactly_over_threshold(row: NDArray[Any]) -> tuple[float, list[float]]:
    """Return the same for one row, in fractions, each rounded once."""
    scores = {i: Fraction(entry) for i, entry in enumerate(row.tolist()) if entry > -inf}
    total = kept_total = Fraction(0)
    kept = 0
    for k, score in enumerate(sorted(scores.values(), reverse=True), start=1):
        total += score
        if 1 + k * score <= total:
            break
        kept, kept_total = k, total
    return float(kept), [float(1 + kept * scores[i] - kept_total) if i in scores else -1.0 for i in range(row.size)]


def _support(gap: NDArray[Any], low: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return how many entries sparsemax keeps, and their sum as a pair."""
    order = np.argsort(-gap, axis=-1, kind="stable")
    score, score_low = np.take_along_axis(gap, order, -1), np.take_along_axis(low, order, -1)
    total = total_low = np.zeros_like(gap[..., 0])
    kept = [np.ones_like(total), total, total_low]
    for k in range(1, gap.shape[-1] + 1):
        last, last_low = score[..., k - 1], score_low[..., k - 1]
        total, carried = two_sum(total, last)
        total_low = total_low + (carried + last_low)
        inside = _excess(k, last, last_low, total, total_low) > 0.0
        if not inside.any():
            break
        kept = [where(inside, now, then) for now, then in zip((float(k), total, total_low), kept, strict=True)]
    return kept[0][..., None], kept[1][..., None], kept[2][..., None]


def _in_doubt(k: Any, excess: Any) -> Any:
    """Return where the error of `_excess` could be a part in 2^55 (see `refnet.engine.sparsemax`)."""
    return absolute(excess) < k * k * k * 2.0**-48


def _excess(k: Any, score: Any, score_low: Any, total: Any, total_low: Any) -> Any:
    """Return 1 + k score - total, the pairs summed without loss and rounded at the end."""
    product = k * score
    rest, low = two_sum(1.0, -total)
    rest, lower = two_sum(rest, product)
    return rest + (low + lower + (fma(k, score, -product) + k * score_low - total_low))
