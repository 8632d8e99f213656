"""Which inputs a sweep looks at: bit patterns, in rising order.

A chunk is a range of the patterns 0 to 2**bits. An exhaustive sweep takes every pattern of every chunk. A sampled
one takes one pattern from each of equally long strata, at a place that depends on the seed alone, and adds
the places where activations go wrong.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from parity.ulp import Format, to_bits
from refnet.activations import Activation

__all__ = ["NEIGHBOURS", "chunks", "neighbourhoods", "patterns"]

#: Patterns taken on each side of a place of interest.
NEIGHBOURS = 256


def chunks(kind: Format, size: int) -> list[tuple[int, int]]:
    """Return the ranges of patterns, each ``size`` long.

    Examples
    --------
    >>> from parity.ulp import format_of
    >>> chunks(format_of("float16"), 2**15)
    [(0, 32768), (32768, 65536)]
    """
    whole = 1 << kind.bits
    return [(start, min(start + size, whole)) for start in range(0, whole, size)]


def patterns(start: int, stop: int, step: int, places: Iterable[int] = (), seed: int = 0) -> NDArray[np.uint64]:
    """Return the patterns to look at from ``start`` up to ``stop``, rising, none twice.

    Parameters
    ----------
    start, stop : int
        The chunk.
    step : int
        Length of a stratum; 1 takes every pattern.
    places : iterable of int
        Patterns that are taken in any case.
    seed : int
        Where in the strata the samples lie.
    """
    if step == 1:
        return np.arange(start, stop, dtype=np.uint64)
    strata = np.arange(start, stop, step, dtype=np.uint64)
    within = np.random.default_rng([seed, start & 0xFFFFFFFF, start >> 32]).integers(0, step, strata.size, np.uint64)
    extra = np.array([place for place in places if start <= place < stop], np.uint64)
    taken: NDArray[np.uint64] = np.concatenate([strata + within, extra])
    taken.sort(kind="stable")
    return np.asarray(taken[np.diff(taken, prepend=taken[:1] - np.uint64(1)) != 0], np.uint64)


def neighbourhoods(activation: Activation, kind: Format, known: Iterable[int] = ()) -> list[int]:
    """Return the patterns around zeros, kinks, powers of two, overflow, infinities, and ``known`` bad places."""
    half = 1 << (kind.bits - 1)
    parameters = activation.parameters_in(kind.dtype)
    kinks = activation.kinks(**parameters) if callable(activation.kinks) else activation.kinks
    around = {0, kind.infinity, *known, 1 << (kind.precision - 1)}
    with np.errstate(over="ignore", under="ignore"):
        around |= {int(each) & (half - 1) for each in to_bits(np.array([0.0, *kinks]).astype(kind.dtype))}
        # Where exp overflows, underflows or rounds to 1: ln 2 times the exponents of the format.
        edges = np.log(2.0) * np.array([kind.emax + 1, kind.emin, kind.etiny, kind.precision, kind.precision + 1])
        around |= {int(each) for each in to_bits(np.abs(np.outer(edges, [1, 0.5])).ravel().astype(kind.dtype))}
    places = {each + step for each in around for step in range(-NEIGHBOURS, NEIGHBOURS + 1)}
    powers = range(0, kind.infinity, 1 << (kind.precision - 1))
    places |= {each + step for each in powers for step in (-1, 0, 1)}
    places |= {half + each for each in places}
    return sorted(each for each in places if 0 <= each < 2 * half)
