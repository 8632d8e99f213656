"""The main job: the tutorial's model in refnet and in Keras, compared, timed, and written up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bench.cases import CASES
from bench.environment import cores, machine, today
from bench.jobs import Forward
from bench.measure import QUICK, Settings, Team
from bench.peers import DEFAULT, PEERS
from bench.report import show
from bench.results import Record, Row
from refnet.files import whole

__all__ = ["BATCHES", "run"]

#: The tutorial's own three rows, one row, and enough rows to be busy.
BATCHES = (1, 3, 1024, 65536)


def run(
    to: Console,
    page: Path = Path("out/parity.html"),
    settings: Settings = QUICK,
    say: Callable[[str], None] = lambda text: None,
    batches: tuple[int, ...] = BATCHES,
    names: tuple[str, ...] = DEFAULT,
) -> int:
    """Print the parity table and the timing table, write the page, and say in one line whether the two agree.

    The peers' processes import TensorFlow while the comparison runs here; nothing is timed before all are done.

    Returns
    -------
    int
        0 if refnet and Keras agree, 1 if not.

    Raises
    ------
    FileError
        If the page cannot be written.
    """
    from parity import tutorial

    with closing(Team([PEERS[name] for name in names], len(cores()), settings, say=say)) as team:
        say("building the model in refnet and in Keras, and comparing")
        report = tutorial.report()
        model, _, _ = tutorial.models()
        say("")
        to.print(report)
        page.parent.mkdir(parents=True, exist_ok=True)
        whole.write(page, report.to_html())
        team.wait_until_ready()
        record = _timed(team, model, batches, settings)
        say("")
    to.print()
    show(record, to)
    to.print(f"\nwrote {page}", highlight=False)
    to.print(report.sentence, style="bold green" if report.agree else "bold red", soft_wrap=True)
    return 0 if report.agree else 1


def _timed(team: Team, model: Any, batches: tuple[int, ...], settings: Settings) -> Record:
    """Return the record of the model's own weights at each batch size."""
    case = CASES["tutorial"]
    rows = tuple(
        Row(
            name=case.name,
            size=batch,
            threads=team.threads,
            text=case.text,
            elements=batch * case.widths[0],
            flops=case.flops(batch),
            moved_bytes=case.moved_bytes(batch),
            limit=None,
            limited_by="",
            measurements=team.measure(_job(model, case.inputs(batch)), f"{batch} row{'s' * (batch != 1)}"),
        )
        for batch in batches
    )
    return Record(
        kind="forward",
        command="python -m bench main",
        date=today(),
        machine=machine(),
        versions=team.versions(),
        settings={"rounds": settings.rounds, "slice_seconds": settings.slice_seconds},
        limits=(),
        rows=rows,
    )


def _job(model: Any, x: NDArray[np.float32]) -> Forward:
    """Return the forward pass of a refnet model of dense layers over x."""
    return Forward(
        tuple((np.asarray(layer.kernel), np.asarray(layer.bias), layer.activation.name) for layer in model.layers), x
    )
