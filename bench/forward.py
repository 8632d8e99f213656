"""The grid of forward passes: every cell, every peer, every number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing

from bench.cases import Cell
from bench.environment import machine, today
from bench.jobs import Forward
from bench.limits import least_seconds, measure_apart
from bench.measure import Settings, Team
from bench.peers import Peer
from bench.results import Limits, Measurement, Record, Row
from refnet.commit import commit

__all__ = ["job", "run"]


def job(cell: Cell) -> Forward:
    """Return the forward pass of a cell: its seeded weights and its seeded batch.

    Examples
    --------
    >>> from bench.cases import CASES
    >>> job(Cell(CASES["tutorial"], 3)).x.shape
    (3, 5)
    """
    case = cell.case
    layers = tuple(
        (weight, bias, activation) for (weight, bias), activation in zip(case.weights(), case.activations, strict=True)
    )
    return Forward(layers, case.inputs(cell.batch))


def run(
    cells: Iterable[Cell],
    peers: Sequence[Peer],
    threads: Sequence[int],
    settings: Settings,
    command: str,
    other_python: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Record:
    """Measure the cells with the peers on each number of threads, and the machine's limits in between.

    Parameters
    ----------
    cells, peers, threads
        What is measured; all combinations.
    settings : Settings
        How long.
    command : str
        What to type to have the run again; it is kept in the record.
    other_python : str, optional
        A second interpreter, for peers that this one lacks.
    say : callable, optional
        Is told what is being done.

    Returns
    -------
    Record
        Of the kind ``forward``.
    """
    measured = commit()  # now, as the checkout may change while this runs
    cells = list(cells)
    rows, all_limits = [], []
    versions: dict[str, str] = {}
    for number in threads:
        say(f"the machine's limits on {number} thread{'s' * (number != 1)}")
        limits = measure_apart(number)
        all_limits.append(limits)
        with closing(Team(peers, number, settings, other_python, say)) as team:
            versions |= team.versions()
            for cell in cells:
                measurements = team.measure(job(cell), f"{cell.name}, {number} thread{'s' * (number != 1)}")
                rows.append(_row(cell, number, limits, measurements))
    return Record(
        kind="forward",
        command=command,
        date=today(),
        machine=machine(),
        versions=versions,
        settings={"rounds": settings.rounds, "slice_seconds": settings.slice_seconds},
        limits=tuple(all_limits),
        rows=tuple(rows),
        commit=measured,
    )


def _row(cell: Cell, threads: int, limits: Limits, measurements: tuple[Measurement, ...]) -> Row:
    flops, moved = cell.case.flops(cell.batch), cell.case.moved_bytes(cell.batch)
    limit, limited_by = least_seconds(limits, flops, moved)
    return Row(
        name=cell.case.name,
        size=cell.batch,
        threads=threads,
        text=cell.case.text,
        elements=cell.batch * cell.case.widths[0],
        flops=flops,
        moved_bytes=moved,
        limit=limit,
        limited_by=limited_by,
        measurements=measurements,
    )
