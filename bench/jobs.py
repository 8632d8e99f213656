"""What a peer is asked to do: one forward pass, or one activation over one array."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Activation", "Forward", "Job", "LacksError", "Ready", "quickest", "sample"]


class LacksError(Exception):
    """A peer has no counterpart of what it is asked for; its message says what."""


@dataclass(frozen=True)
class Forward:
    """One forward pass of ``x (batch, in)``: each layer is ``(weight (in, out), bias (out,), activation's name)``."""

    layers: tuple[tuple[NDArray[np.float32], NDArray[np.float32], str], ...]
    x: NDArray[np.float32]


@dataclass(frozen=True)
class Activation:
    """One activation, by Keras' name, over one array; rowwise ones work along the last axis.

    ``parameters`` are the book's values, which differ from some peers' defaults.
    """

    name: str
    x: NDArray[np.float32]
    parameters: Mapping[str, float]


Job = Forward | Activation


@dataclass(frozen=True)
class Ready:
    """A peer with its model built and its input in its own form.

    Attributes
    ----------
    run : callable
        One pass, finished when it returns. This, and nothing else, is timed.
    to_numpy : callable
        What ``run`` returned, as a NumPy array.
    keeps : object, optional
        What must live as long as this: runtimes that share memory do not own their input.
    """

    run: Callable[[], Any]
    to_numpy: Callable[[Any], NDArray[Any]] = np.asarray
    keeps: Any = None


def quickest(*candidates: Ready, calls: int = 5) -> Ready:
    """Return the candidate whose best call is shortest: a peer with several doors goes through its fastest.

    Examples
    --------
    >>> quick, slow = Ready(lambda: 1), Ready(lambda: time.sleep(0.001))
    >>> quickest(slow, quick) is quick
    True
    """

    def best(candidate: Ready) -> float:
        candidate.run()
        times = []
        for _ in range(calls):
            start = time.perf_counter()
            candidate.run()
            times.append(time.perf_counter() - start)
        return min(times)

    return min(candidates, key=best) if len(candidates) > 1 else candidates[0]


def sample(rows: int, most: int) -> NDArray[np.intp]:
    """Return the indices of at most ``most`` rows, evenly spread, first and last included.

    Examples
    --------
    >>> sample(9, 3)
    array([0, 4, 8])
    >>> sample(2, 3)
    array([0, 1])
    """
    return np.unique(np.linspace(0, max(rows - 1, 0), min(rows, most)).round().astype(np.intp))
