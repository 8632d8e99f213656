"""The verdict over a block of rows: every result against its true value, counted as `parity.sweep.judge` counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity import ulp
from parity.sweep import row_truth, rows
from parity.sweep.checks import JudgeError
from parity.sweep.counting import Results
from parity.sweep.row_truth import Truth
from parity.sweep.tally import Tally
from refnet.activations import Activation

__all__ = ["audit", "judge"]

#: The worst result of a chunk is audited if its error is larger: mpmath takes long for what all but is a tie.
_NEAR_HALF = 0.51

#: log_softmax is 0 where its logarithm underflows, and whether that is -0.0 is promised nowhere.
_EITHER_ZERO = ("log_softmax",)

#: Rows up to this length are audited at random; mpmath takes too long for longer ones.
_SHORT = 100


def judge(activation: Activation, kind: ulp.Format, block: int, x: NDArray[Any], got: NDArray[Any]) -> Tally:
    """Return the tally of a block's results. Their places (see `parity.sweep.rows.place`) stand for bit patterns.

    Parameters
    ----------
    activation : Activation
        One that works on rows.
    kind : Format
        The format.
    block : int
        The number of the block.
    x, got : ndarray
        Its rows and their results.
    """
    found = row_truth.of_rows(activation, x, kind, got)
    errors = row_truth.errors(found, got, kind).ravel()
    nan = (np.isnan(got) & np.isnan(found.right)).ravel()
    flat, right, special = got.ravel(), found.right.ravel(), found.special.ravel()
    judged = special | (found.nonzero.ravel() & (activation.name not in _EITHER_ZERO))
    zero = (flat == 0) & (right == 0) & (np.signbit(flat) != np.signbit(right)) & judged
    wrong = (flat != right) & ~nan
    places = np.asarray(rows.place(block, np.arange(flat.size)), np.uint64)
    results = Results(places, flat, right, errors, wrong)
    outside = results.outside(row_truth.RANGES[activation.name])
    return results.tally(_classes(found, kind).ravel(), zero, outside, found.undecided)


def _classes(found: Truth, kind: ulp.Format) -> NDArray[np.int8]:
    """Return the classes of `parity.ulp.CLASSES`; special is what a convention decides."""
    codes = np.zeros(found.right.shape, np.int8)
    small = (found.unit == kind.etiny) & (np.abs(found.whole + found.rest) < 2.0 ** (kind.precision - 1))
    codes[small & found.nonzero] = ulp.CLASSES.index("subnormal")
    codes[found.unit == kind.emax - kind.precision + 1] = ulp.CLASSES.index("overflow")
    codes[found.special] = ulp.CLASSES.index("special")
    return codes


def audit(
    activation: Activation,
    kind: ulp.Format,
    first: int,
    blocks: list[tuple[NDArray[Any], NDArray[Any]]],
    found: Tally,
    seed: int = 0,
) -> None:
    """Judge the worst result and a few others of a chunk a second time, by mpmath alone.

    Parameters
    ----------
    activation, kind : Activation, Format
        As in `judge`.
    first : int
        The number of the first block.
    blocks : list of (ndarray, ndarray)
        The blocks' rows and results.
    found : Tally
        Of the chunk.
    seed : int
        Which others.

    Raises
    ------
    JudgeError
        If the two stages disagree.
    """
    rng = np.random.default_rng([seed, first])
    chosen = [found.worst.bits] if found.worst and abs(found.worst.error) > _NEAR_HALF else []
    for _ in range(8):
        number = int(rng.integers(len(blocks)))
        x, got = blocks[number]
        if x.shape[1] <= _SHORT:
            chosen.append(rows.place(first + number, int(rng.integers(got.size))))
    for place in chosen:
        number, offset = divmod(place, rows.ENTRIES)
        x, got = blocks[number - first]
        row, entry = divmod(offset, got.shape[1])
        here = row_truth.of_rows(activation, x[row : row + 1], kind)
        claim = float(here.right[0, entry])
        if not here.special[0, entry] and not row_truth.agrees(activation, x[row], entry, claim, kind):
            raise JudgeError(
                f"activation {activation.name!r}: the judge and mpmath disagree about entry {entry} of the row"
                f" {x[row].tolist()!r}; its exact form must be wrong, or parity.sweep.row_truth"
            )
