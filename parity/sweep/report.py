"""What a sweep shows on a terminal."""

from __future__ import annotations

import os
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress as Bar, ProgressColumn, Task as BarTask, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from parity.sweep import subject
from parity.sweep.run import Result
from parity.sweep.tally import EDGES, Finding
from parity.ulp import CLASSES, number

__all__ = ["bar", "console", "details", "error", "passed", "summary", "verdicts", "violations"]


_VIOLATIONS = {
    "out_of_range": "outside the range",
    "out_of_order": "against the order",
    "wrong_zero": "zeros of the wrong sign",
}


class _Rate(ProgressColumn):
    """Inputs judged per second."""

    def render(self, task: BarTask) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed / 1e6:,.1f} M/s" if speed else "", style="cyan")


def bar(screen: Console) -> Bar:
    """Return the progress bar: function, share, rate, time left. It leaves nothing behind."""
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        _Rate(),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
        speed_estimate_period=60,
    )


class _Steady(Console):
    """A console that falls silent when its reader, such as head, has left; Rich's own ends the program with 1."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


def console(stderr: bool = False) -> Console:
    """Return a console; wide enough for the tables where no terminal says how wide it is."""
    made = _Steady(stderr=stderr)
    return made if made.is_terminal else _Steady(stderr=stderr, width=120)


def error(finding: Finding | None) -> str:
    """Return the signed error in ulp, or a dash."""
    return "–" if finding is None else f"{finding.error:+.5g}"


def _table(first: str, *others: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=name != "at input")  # a row's name is long
    return table


def _place(result: Result, finding: Finding | None) -> tuple[str, str]:
    """Return where a finding is, and its bits, or dashes."""
    if finding is None:
        return "–", "–"
    name, bits = subject.of(result.task.activation).place(result.task, finding.bits)
    return name, bits or "–"


def summary(results: list[Result]) -> Table:
    """Return one row per function."""
    table = _table("function", "inputs", "misrounded", "max ulp", "at input", "bits", "seconds")
    for each in results:
        found, worst = each.tally, each.tally.worst
        place = _place(each, worst)
        counts = (f"{found.count:,}", f"{found.misrounded_count:,}", error(worst))
        table.add_row(each.task.title, *counts, *place, f"{each.seconds:.1f}")
    return table


def violations(result: Result) -> list[str]:
    """Return a line for each kind of violation: how many, and where first."""
    found, dtype, lines = result.tally, result.task.dtype, []
    for key, text in _VIOLATIONS.items():
        if key in found.examples:
            first = found.examples[key]
            name, bits = subject.of(result.task.activation).place(result.task, first.bits)
            lines.append(
                f"{result.task.title}: {getattr(found, key):,} {text}, first at {name}{f' ({bits})' if bits else ''}: "
                f"{number(first.got, dtype)}, right {number(first.right, dtype)}"
            )
    return lines


def details(result: Result) -> list[Table | str]:
    """Return the classes, their worst results, and the histogram of one function."""
    dtype, found = result.task.dtype, result.tally
    classes = _table("results", "count", "misrounded", "max ulp", "at input", "bits")
    lines = []
    for name, each in zip(CLASSES, found.classes, strict=True):
        worst = each.worst
        place = _place(result, worst)
        classes.add_row(name, f"{each.count:,}", f"{each.misrounded:,}", error(worst), *place)
        if worst and each.misrounded:
            got, right = number(worst.got, dtype), number(worst.right, dtype)
            lines.append(f"worst {name} result: {got} at {place[0]}, right {right} ({worst.got:#x}, {worst.right:#x})")
    histogram = _table("error in ulp", "results", "share")
    names = [f"up to {edge:g}" for edge in EDGES] + ["more, or NaN"]
    for name, count in zip(names, found.histogram, strict=True):
        if count:
            histogram.add_row(name, f"{count:,}", f"{count / max(found.count, 1):.4%}")
    decided = f"mpmath decided {found.undecided:,} of {found.count:,}; the rest was decided by its bound"
    speed = result.tally.count / max(result.run_seconds + result.judge_seconds, 1e-9) / 1e6
    return [classes, *lines, histogram, decided, f"{speed:.3g} million inputs a second and process"]


def passed(result: Result, allowed: float | None) -> bool:
    """Tell whether a function passes: correctly rounded throughout, or within ``allowed`` ulp."""
    found = result.tally
    special = found.classes[CLASSES.index("special")]
    if found.out_of_range or found.out_of_order or found.wrong_zero or special.misrounded:
        return False
    if allowed is None:
        return not found.misrounded_count
    worst: Any = found.worst
    return worst is None or abs(worst.error) <= allowed


def verdicts(results: list[Result], max_ulp: float | None) -> tuple[list[str], bool]:
    """Return a line for each bound that functions are held to, and whether all pass.

    The bound is ``max_ulp``, or what is promised of the functions and their format.
    """
    bounds: dict[float | None, list[Result]] = {}
    for each in results:
        promised = subject.of(each.task.activation).promise(each.task.dtype)
        bounds.setdefault(promised if max_ulp is None else max_ulp, []).append(each)
    lines, every = [], True
    for allowed, group in bounds.items():
        wrong = [each.task.title for each in group if not passed(each, allowed)]
        bound = "correctly rounded" if allowed is None else f"within {allowed:g} ulp"
        line = f"{len(group) - len(wrong)} of {len(group)} {bound} throughout"
        lines.append(f"{line}; not: {', '.join(wrong)}" if wrong else line)
        every = every and not wrong
    return lines, every
