"""Is a peer's output right? The truth in wide arithmetic, and a derived bound on how far a peer may be.

The bounds are those of `parity.bounds` (Higham, sections 3.1 and 4.2, carried through every layer). A peer is
granted more than refnet: its activations may be written in the plain way, in float32 steps. What is asked here is
not who is best, but whether all compute the same function, so that it is fair to compare their times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.jobs import Activation, Forward, Job, sample
from parity import bounds
from refnet import activations
from refnet.layers.operations import Activate, Matmul, Operation

__all__ = ["MOST_ROWS", "Truth", "truth"]

#: Rows that are compared, evenly spread over the batch; all of a smaller batch.
MOST_ROWS = 256
#: Elements of an activation's array that are compared.
MOST_ELEMENTS = 1 << 16

#: Worst cases add up over layers of a thousand inputs to bounds that a forgotten bias would slip through. No engine
#: that computes in float32 comes near this share of the largest output; bfloat16 and float16 matrices go beyond it.
MOST_SHARE = 2.0**-14

#: The largest error of an activation in any peer, in ulps, where nothing cancels: TensorFlow's softplus has 7.
PEER_ULPS = 16.0
#: Where something cancels (exp(x) - 1, 1 + erf(x)), the error is that of the larger terms, in units of their roundoff.
PEER_ROUNDOFFS = 16.0


@dataclass(frozen=True)
class Truth:
    """What the output must be, and how far each element may be from it.

    Attributes
    ----------
    shape : tuple of int
        Of the whole output.
    rows : int
        How many of its rows are compared, at most.
    value, bound : ndarray of float64
        For the rows compared.
    """

    shape: tuple[int, ...]
    rows: int
    value: NDArray[np.float64]
    bound: NDArray[np.float64]

    def pick(self, output: NDArray[Any]) -> NDArray[Any]:
        """Return the rows of a whole output that are compared."""
        return output[sample(len(output), self.rows)]

    def judge(self, shape: tuple[int, ...], rows: NDArray[Any]) -> tuple[float, str | None]:
        """Return the largest error as a share of its bound, and in one sentence what is wrong, if anything is."""
        if tuple(shape) != self.shape:
            return float("inf"), f"its output has shape {tuple(shape)}, not {self.shape}"
        found = rows.astype(np.float64)
        with np.errstate(all="ignore"):
            error = np.where(found == self.value, 0.0, np.abs(found - self.value))
            share = np.where(error == 0, 0.0, error / self.bound)
        share = np.where(np.isnan(share), np.inf, share)
        worst = np.unravel_index(share.argmax(), share.shape) if share.size else ()
        largest = float(share[worst]) if share.size else 0.0
        if largest <= 1:
            return largest, None
        return largest, f"found {found[worst]:.9g} where {self.value[worst]:.9g} ± {self.bound[worst]:.1g} is right"


def truth(job: Job) -> Truth:
    """Return the truth of a job, for the rows that `bench.worker.Peer.run` returns."""
    if isinstance(job, Activation):
        width = int(np.prod(job.x.shape[1:], dtype=np.int64))
        rows = max(1, MOST_ELEMENTS // max(width, 1))
        operations: Iterable[Operation] = [Activate(activations.get(job.name).with_parameters(**job.parameters))]
    else:
        rows = MOST_ROWS
        operations = _operations(job)
    enclosure = bounds.exactly(job.x[sample(len(job.x), rows)])
    for operation in operations:
        enclosure = bounds.through(operation, enclosure, _PEER, _PEER)
    value, bound = enclosure.value.astype(np.float64), enclosure.granted
    if isinstance(job, Forward) and value.size:
        bound = np.minimum(bound, MOST_SHARE * np.abs(value).max())
    return Truth((len(job.x), *value.shape[1:]), rows, value, bound)


def _operations(job: Forward) -> Iterable[Operation]:
    for weight, bias, name in job.layers:
        yield Matmul(weight, bias)
        yield Activate(activations.get(name))


def _room(
    activation: Any, z: NDArray[np.float64], y: NDArray[np.float64], dtype: np.dtype[Any]
) -> dict[str, NDArray[np.float64]]:
    """Grant what the larger of the terms may lose: 1 or the input."""
    size = np.maximum(1.0, np.maximum(np.abs(z), np.abs(y) if y.shape == z.shape else 0.0))
    if y.shape != z.shape:  # glu: half as wide
        size = np.broadcast_to(size.max(axis=-1, keepdims=True), y.shape)
    elif activation.kind == "rowwise" and activation.name == "softmax":
        size = y.max(axis=-1, keepdims=True) * np.ones_like(y)
    return {"cancellation": PEER_ROUNDOFFS * bounds.unit_roundoff(dtype) * size}


_PEER = bounds.Engine(ulps=lambda activation, dtype: PEER_ULPS, naive_rows=True, room=_room)
