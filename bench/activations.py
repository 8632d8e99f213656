"""Every activation of the book over arrays that fit the first cache, the last one, and none."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.environment import machine, today
from bench.jobs import Activation
from bench.limits import least_seconds, measure_apart
from bench.measure import Settings, Team
from bench.peers import Peer
from bench.results import Limits, Measurement, Record, Row
from refnet import activations
from refnet.commit import commit
from refnet.errors import ArgumentError, did_you_mean

__all__ = ["ROW_LENGTHS", "SIZES", "job", "row_lengths", "run", "select"]

#: Elements: 4 Ki is a layer's output, 1 Mi a batch, 16 Mi (64 MB) must come from memory.
SIZES = (1 << 12, 1 << 20, 1 << 24)
#: Lengths of the rows of softmax and its kin: a handful of classes, and ImageNet's.
ROW_LENGTHS = (10, 1000)
#: The inputs are normal with this deviation: both tails, both sides of every kink, and the middle.
DEVIATION = 3.0

#: What a parameter is given that has no default in Keras.
NO_DEFAULT = 0.5

FLOAT32_BYTES = 4


def select(names: Sequence[str] | None) -> list[str]:
    """Return the activations named, in the order of the book; all of it if none is.

    Those that give back what they are given (linear) are left out: the frameworks hand over the same array, and
    there is nothing to time.

    Raises
    ------
    ArgumentError
        If a name is not in the book.
    """
    probe = np.ones(1)
    known = [name for name in activations.names() if not _hands_over(activations.REGISTRY[name], probe)]
    for name in names or ():
        if name not in activations.REGISTRY or activations.REGISTRY[name].name not in known:
            nearest = did_you_mean(name, known)
            raise ArgumentError(f"activation {name!r} is not measured{nearest}; accepted: {', '.join(known)}")
    wanted = {activations.REGISTRY[name].name for name in names} if names else set(known)
    return [name for name in known if name in wanted]


def _hands_over(activation: activations.Activation, x: NDArray[np.float64]) -> bool:
    return activation.kind == "elementwise" and activation.formula(x, **activation.parameters) is x


def job(name: str, size: int, row: int | None = None) -> Activation:
    """Return one activation over ``size`` elements, in rows of length ``row`` if it works on rows.

    Examples
    --------
    >>> job("softmax", 4096, 10).x.shape
    (410, 10)
    >>> job("relu", 4096).x.shape
    (4096,)
    """
    shape = (size,) if row is None else (-(-size // row), row)
    x = np.random.default_rng(size).standard_normal(shape, dtype=np.float32)
    x *= np.float32(DEVIATION)
    parameters = {
        key: NO_DEFAULT if math.isnan(value) else value for key, value in activations.REGISTRY[name].parameters.items()
    }
    return Activation(name, x, parameters)


def run(
    names: Sequence[str],
    sizes: Sequence[int],
    peers: Sequence[Peer],
    threads: Sequence[int],
    settings: Settings,
    command: str,
    other_python: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Record:
    """Measure each activation over each size: refnet on every number of threads, the peers on the largest.

    Parameters are those of `bench.forward.run`.

    Returns
    -------
    Record
        Of the kind ``activations``.
    """
    measured = commit()  # now, as the checkout may change while this runs
    most = max(threads)
    say("the machine's limits")
    limits = {number: measure_apart(number) for number in threads}
    own = [peer for peer in peers if peer.name == "refnet"]
    teams = {n: Team(peers if n == most else own, n, settings, other_python, say) for n in threads}
    rows = []
    try:
        versions = teams[most].versions()
        for size in sizes:
            for name in names:
                for row in row_lengths(name):
                    asked = job(name, size, row)
                    for n, team in teams.items():
                        label = f"{name}, {size} elements, {n} thread{'s' * (n != 1)}"
                        rows.append(_row(asked, size, row, n, limits[n], team.measure(asked, label)))
    finally:
        for team in teams.values():
            team.close()
    return Record(
        kind="activations",
        command=command,
        date=today(),
        machine=machine(),
        versions=versions,
        settings={"rounds": settings.rounds, "slice_seconds": settings.slice_seconds},
        limits=tuple(limits.values()),
        rows=tuple(rows),
        commit=measured,
    )


def row_lengths(name: str) -> tuple[int | None, ...]:
    """Return the lengths of the rows that an activation is measured on; None if it knows no rows.

    Examples
    --------
    >>> row_lengths("softmax"), row_lengths("relu")
    ((10, 1000), (None,))
    """
    return (None,) if activations.REGISTRY[name].kind == "elementwise" else ROW_LENGTHS


def _row(
    asked: Activation, size: int, row: int | None, threads: int, limits: Limits, measurements: tuple[Measurement, ...]
) -> Row:
    """Return the row of a table; what must move is the input once and the output once."""
    results = asked.x.size // 2 if activations.REGISTRY[asked.name].kind == "gated" else asked.x.size
    moved = FLOAT32_BYTES * (asked.x.size + results)
    limit, limited_by = least_seconds(limits, 0, moved)
    return Row(
        name=asked.name,
        size=size,
        threads=threads,
        text=f"rows of {row}" if row else "",
        elements=asked.x.size,
        flops=0,
        moved_bytes=moved,
        limit=limit,
        limited_by=limited_by,
        measurements=measurements,
    )
