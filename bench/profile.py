"""Where the time of refnet's forward passes goes: the products, and the activations."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from rich.table import Table

import refnet
from bench import forward
from bench.cases import Cell
from bench.jobs import Forward
from bench.limits import measure_apart
from bench.peers.with_refnet import build
from bench.report import count, duration, percent, rate
from bench.results import Limits

__all__ = ["Profile", "run", "table"]

#: Seconds for which the two networks take turns, and how many turns at least.
SECONDS, TURNS = 0.5, 9


@dataclass(frozen=True)
class Profile:
    """One cell on so many threads: seconds of the network, and of the same network without its activations.

    Attributes
    ----------
    cell : Cell
    threads : int
    whole, products : float
        Median seconds of a pass.
    limits : Limits
        The machine's, measured in the same run.
    """

    cell: Cell
    threads: int
    whole: float
    products: float
    limits: Limits

    @property
    def of_peak(self) -> float:
        """The products' share of the matrix kernel's rate on data in cache."""
        return self.cell.case.flops(self.cell.batch) / self.products / self.limits.flops_per_second

    @property
    def elements_per_second(self) -> float | None:
        """Activations per second of what remains; None where nothing does."""
        numbers = sum(self.cell.case.widths[1:]) * self.cell.batch
        return numbers / (self.whole - self.products) if self.whole > self.products else None


def run(cells: Iterable[Cell], threads: Iterable[int], say: Callable[[str], None] = lambda text: None) -> list[Profile]:
    """Measure each cell on each number of threads, in this process."""
    return list(_profiles(list(cells), threads, say))


def _profiles(cells: list[Cell], threads: Iterable[int], say: Callable[[str], None]) -> Iterator[Profile]:
    chosen = refnet.get_num_threads()
    try:
        for number in threads:
            say(f"the limits on {number} threads")
            limits = measure_apart(number)
            refnet.set_num_threads(number)
            for cell in cells:
                say(repr(cell))
                yield Profile(cell, number, *_seconds(forward.job(cell)), limits)
    finally:
        refnet.set_num_threads(chosen)


def _seconds(job: Forward) -> tuple[float, float]:
    """Return the median seconds of a pass with the activations and without them; the two take turns."""
    linear = Forward(tuple((weight, bias, "linear") for weight, bias, _ in job.layers), job.x)
    runs = [build("", each, 0).run for each in (job, linear)]
    for each in runs:
        each()
    times: list[list[float]] = [[], []]
    end = time.perf_counter() + SECONDS
    while len(times[1]) < TURNS or time.perf_counter() < end:
        for each, found in zip(runs, times, strict=True):
            start = time.perf_counter()
            each()
            found.append(time.perf_counter() - start)
    whole, products = map(statistics.median, times)
    return whole, products


def table(profiles: Iterable[Profile]) -> Table:
    """Return a table for the terminal, a line per profile."""
    made = Table(title="where refnet's time goes", title_justify="left")
    for name in (
        "case",
        "rows",
        "threads",
        "refnet",
        "products",
        "of peak",
        "activations",
        "of the time",
        "elements/s",
    ):
        made.add_column(name, justify="left" if name == "case" else "right")
    for each in profiles:
        rest, speed = max(0.0, each.whole - each.products), each.elements_per_second
        made.add_row(
            each.cell.case.name,
            count(each.cell.batch),
            str(each.threads),
            duration(each.whole),
            duration(each.products),
            percent(each.of_peak),
            duration(rest),
            percent(rest / each.whole),
            rate(speed) if speed else "–",
        )
    return made
