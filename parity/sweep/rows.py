"""Which rows a sweep looks at: families of rows in a few lengths, made from a seed in blocks of some 16,000 entries.

A row is known by its family, its length, its number in that case, and the seed: `row` makes it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parity.ulp import Format, format_of, from_bits, round_wide
from refnet import activations
from refnet.activations import Activation
from refnet.errors import ArgumentError, did_you_mean

__all__ = ["ENTRIES", "FAMILIES", "LENGTHS", "Block", "blocks", "entries", "lengths", "make", "place", "row", "where"]

#: Lengths of rows; where a row has two halves, odd ones are one longer.
LENGTHS = (1, 2, 3, 10, 16, 17, 100, 1000, 10_000)

#: No block has more entries, and so an entry's place in all rows is the block's number times this, and its own.
ENTRIES = 1 << 14

Maker = Callable[[np.random.Generator, tuple[int, int], Format, Activation], NDArray[Any]]


class Block(NamedTuple):
    """Rows that are made together.

    Attributes
    ----------
    family : str
        Its name in `FAMILIES`.
    length : int
        Entries in a row.
    first, rows : int
        The number of its first row in the case, and how many there are.
    """

    family: str
    length: int
    first: int
    rows: int


def _normal(deviation: float) -> Maker:
    def make(rng: np.random.Generator, shape: tuple[int, int], kind: Format, activation: Activation) -> NDArray[Any]:
        return rng.normal(0.0, deviation, shape)

    return make


def _dominated(rng: np.random.Generator, shape: tuple[int, int], kind: Format, activation: Activation) -> NDArray[Any]:
    """Raise one entry by so much that the others' exponentials are large, small or nothing beside it."""
    x = rng.normal(size=shape)
    lowest = -1.1 * kind.etiny * math.log(2.0)
    x[np.arange(shape[0]), rng.integers(shape[1], size=shape[0])] += np.exp(rng.uniform(-1, np.log(lowest), shape[0]))
    return x


def _equal(rng: np.random.Generator, shape: tuple[int, int], kind: Format, activation: Activation) -> NDArray[Any]:
    return np.broadcast_to(rng.normal(size=(shape[0], 1)), shape)


def _eighths(rng: np.random.Generator, shape: tuple[int, int], kind: Format, activation: Activation) -> NDArray[Any]:
    return rng.integers(-16, 17, shape) / 8


def _patterns(first: int, last: int, rng: np.random.Generator, shape: tuple[int, int], kind: Format) -> NDArray[Any]:
    """Return numbers whose patterns without the sign lie from ``first`` up to ``last``, of both signs."""
    size = from_bits(rng.integers(first, last, shape, np.uint64), kind.name)
    return np.where(rng.random(shape) < 0.5, size, -size)


def _any(rng: np.random.Generator, shape: tuple[int, int], kind: Format, activation: Activation) -> NDArray[Any]:
    return _patterns(0, kind.infinity, rng, shape, kind)


def _overflow(rng: np.random.Generator, shape: tuple[int, int], kind: Format, activation: Activation) -> NDArray[Any]:
    return _patterns(kind.infinity - (1 << kind.precision), kind.infinity, rng, shape, kind)


def _tiny(rng: np.random.Generator, shape: tuple[int, int], kind: Format, activation: Activation) -> NDArray[Any]:
    return _patterns(0, 1 << (kind.precision + 1), rng, shape, kind)


def _subnormal(rng: np.random.Generator, shape: tuple[int, int], kind: Format, activation: Activation) -> NDArray[Any]:
    """Make rows whose results are subnormal: entries so far below the highest, gates so far closed, or as near tau."""
    depth = rng.uniform(-kind.emin * math.log(2.0) - 3, -kind.etiny * math.log(2.0) + 3, shape)
    if activation.kind == "gated":
        half = shape[1] // 2
        power = rng.uniform(0, kind.emax / 2, (shape[0], half))
        a = rng.normal(size=power.shape) * 2.0**power
        return np.concatenate([a, -depth[:, half:] - power * math.log(2.0)], axis=1)
    x = _tiny(rng, shape, kind, activation).astype(np.float64) if activation.kind == "array" else 1.0 - depth
    x[np.arange(shape[0]), rng.integers(shape[1], size=shape[0])] = 1.0
    return x


def _one_apart(rng: np.random.Generator, shape: tuple[int, int], kind: Format, activation: Activation) -> NDArray[Any]:
    """Put one entry at 1 and the others, large and small ones, about 0: there sparsemax begins to give nothing."""
    x = rng.normal(size=shape) * 2.0 ** -rng.uniform(0, 3 * kind.precision, (shape[0], 1))
    x[np.arange(shape[0]), rng.integers(shape[1], size=shape[0])] = 1.0
    return x


def _minus_inf(rng: np.random.Generator, shape: tuple[int, int], kind: Format, activation: Activation) -> NDArray[Any]:
    return np.where(rng.random(shape) < 0.25, -np.inf, rng.normal(size=shape))


def _special(rng: np.random.Generator, shape: tuple[int, int], kind: Format, activation: Activation) -> NDArray[Any]:
    """Make rows of one infinity or NaN throughout, with one or two of them, with all of them, and with zeros."""
    x, mixed = rng.normal(size=shape), rng.random(shape)
    rows = np.arange(shape[0])
    pattern = rng.integers(8, size=shape[0])
    for number, value in ((0, -np.inf), (1, np.inf), (2, np.nan)):
        x[pattern == number] = value
    for number, values in ((3, (np.inf,)), (4, (np.inf, np.inf)), (5, (np.nan,)), (6, (np.nan, -np.inf, 0.0, -0.0))):
        for value in values:
            chosen = rows[pattern == number]
            x[chosen, rng.integers(shape[1], size=chosen.size)] = value
    last = (pattern == 7)[:, None]
    for step, value in enumerate((np.inf, -np.inf, np.nan, 0.0, -0.0)):
        x[last & (mixed >= 0.08 * step) & (mixed < 0.08 * (step + 1))] = value
    return x


#: The families, by the names that results have them by.
FAMILIES: dict[str, Maker] = {
    "normal 0.1": _normal(0.1),
    "normal 1": _normal(1.0),
    "normal 10": _normal(10.0),
    "dominated": _dominated,
    "equal": _equal,
    "eighths": _eighths,
    "any number": _any,
    "near overflow": _overflow,
    "tiny": _tiny,
    "subnormal results": _subnormal,
    "with -inf": _minus_inf,
    "infinities and NaN": _special,
    "one apart": _one_apart,
}


def lengths(activation: Activation) -> tuple[int, ...]:
    """Return the lengths of the rows that an activation is given.

    Examples
    --------
    >>> lengths(activations.REGISTRY["glu"])
    (2, 4, 10, 16, 18, 100, 1000, 10000)
    """
    if activation.kind != "gated":
        return LENGTHS
    return tuple(dict.fromkeys(length + length % 2 for length in LENGTHS))


def _together(length: int) -> int:
    """Return how many rows of a length are made together."""
    return max(ENTRIES // length, 1)


def blocks(activation: Activation, samples: int) -> list[Block]:
    """Return the blocks of about 2**samples entries, as many for each family and length, a row at least."""
    cases = [(family, length) for family in FAMILIES for length in lengths(activation)]
    found = []
    for family, length in cases:
        rows = -(-(1 << samples) // (len(cases) * length))
        step = _together(length)
        found += [Block(family, length, first, min(step, rows - first)) for first in range(0, rows, step)]
    return found


def make(activation: Activation, kind: Format, block: Block, seed: int) -> NDArray[Any]:
    """Return the rows of a block; its seed has the block in it, so that no block depends on another."""
    step = _together(block.length)
    rng = np.random.default_rng([seed, list(FAMILIES).index(block.family), block.length, block.first // step])
    with np.errstate(invalid="ignore"):
        whole = FAMILIES[block.family](rng, (step, block.length), kind, activation)
        return whole[: block.rows] if whole.dtype == kind.dtype else round_wide(whole[: block.rows], kind.name)


def row(name: str, dtype: str, family: str, length: int, number: int, seed: int = 0) -> NDArray[Any]:
    """Return one row again, as the results of ``parity sweep`` name it.

    Raises
    ------
    ArgumentError
        If there is no such activation, family or row.

    Examples
    --------
    >>> row("softmax", "float32", "eighths", 3, 17)
    array([-1.625,  0.75 , -2.   ], dtype=float32)
    """
    for found, known, what in ((name, activations.REGISTRY, "activation"), (family, FAMILIES, "family of rows")):
        if found not in known:
            raise ArgumentError(f"{what} {found!r} unknown; accepted: {', '.join(known)}{did_you_mean(found, known)}")
    activation = activations.REGISTRY[name]
    if not 1 <= length <= ENTRIES:
        raise ArgumentError(f"length {length} is not accepted; accepted: 1 to {ENTRIES}")
    if activation.kind == "gated" and length % 2:
        raise ArgumentError(f"activation {name!r}: length {length} is not accepted; accepted: an even one")
    if number < 0:
        raise ArgumentError(f"row {number} is not accepted; accepted: 0 or more")
    first = number - number % _together(length)
    block = Block(family, length, first, number - first + 1)
    return np.asarray(make(activation, format_of(dtype), block, seed)[-1])


def place(block: int, offset: Any) -> Any:
    """Return the place in all rows of results of a block, by their places in it: what a tally knows them by.

    Examples
    --------
    >>> place(2, 5)
    32773
    """
    return block * ENTRIES + offset


def entries(activation: Activation, length: int) -> int:
    """Return how many results a row has."""
    return length // 2 if activation.kind == "gated" else length


def where(activation: Activation, samples: int, number: int) -> dict[str, Any]:
    """Return the family, the length, the row and the entry of a `place`.

    Examples
    --------
    >>> where(activations.REGISTRY["softmax"], 16, place(1, 5))
    {'family': 'normal 0.1', 'length': 2, 'row': 2, 'entry': 1}
    """
    block = blocks(activation, samples)[number // ENTRIES]
    further, entry = divmod(number % ENTRIES, entries(activation, block.length))
    return {"family": block.family, "length": block.length, "row": block.first + further, "entry": entry}
