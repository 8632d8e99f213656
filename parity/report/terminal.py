"""A report in a terminal: a table, the known differences, the verdict in one line."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parity.report.records import Comparison, Report, Verdict
from parity.report.wording import number, share

__all__ = ["plain", "render"]

_STYLES: dict[Verdict, str] = {
    "explained by rounding": "green",
    "known difference": "yellow",
    "not explained": "bold red",
}


_TITLES = ("max abs", "max rel", "ulp", "same bits", "bound", "of bound", "closer")

_WIDTHS = {"max abs": 7, "ulp": 7, "of bound": 8}

#: Columns that a narrow terminal does without.
_WIDE_ONLY = ("max rel", "same bits", "bound", "closer")
_WIDE = 110

#: How many columns of a terminal all but the first of the table take, in a narrow one and in a wide one.
_OTHERS, _OTHERS_WIDE = 58, 91


def render(report: Report, width: int = 120) -> Iterator[Any]:
    """Yield what rich is to print on so many columns."""
    yield _heading(report)
    yield _table(report, width)
    for finding in report.findings:
        elements = f"{finding.elements} element{'s' if finding.elements != 1 else ''}"
        yield Text(f"  known: {finding.name} ({elements}): {finding.what} [{finding.issue}]", style="yellow")
    for note in report.notes:
        yield Text(f"  note: {note}")
    for out in report.outputs:
        if out.comparison is None:
            yield Text(f"  note: {out.title} not judged: {out.note}")
    style = _STYLES[report.verdict]
    yield Text(report.sentence, style=style)


def plain(report: Report) -> str:
    """Return the same without colours, 120 columns wide."""
    stream = io.StringIO()
    Console(file=stream, width=120, color_system=None, highlight=False).print(report)
    return stream.getvalue()


def _heading(report: Report) -> Text:
    versions = report.environment.get("versions", {})
    with_what = f"Keras {versions.get('keras', '?')}"
    if report.environment.get("backend"):
        backend = report.environment["backend"]
        with_what += f" on {backend} {versions.get(backend, '')}".rstrip()
    shape = " x ".join(str(size) for size in report.input_shape)
    return Text(f"{report.model}, {report.dtype}, input {shape} ({report.input_text}): refnet against {with_what}")


def _table(report: Report, width: int) -> Table:
    wide = width >= _WIDE
    ways = [out.title.removeprefix("Keras ") for out in report.outputs]
    longer = max([len(way) - 10 for way in ways if len(way) > 10], default=0)
    room = max(16, width - longer - (_OTHERS_WIDE if wide else _OTHERS))
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("layer", no_wrap=True, max_width=room)
    table.add_column("judged", no_wrap=True, min_width=10)
    titles = [title for title in _TITLES if wide or title not in _WIDE_ONLY]
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True, min_width=_WIDTHS.get(title, 4))
    table.add_column("verdict", no_wrap=True, min_width=20)
    for layer in report.layers:
        label, rest = f"{layer.name} {layer.activation}".strip(), ""
        if len(label) > room:  # two rows have room for two lines
            label, rest = layer.name, layer.activation
        table.add_row(label, "isolated", *_cells(layer.isolated, titles))
        table.add_row(rest, "cumulative", *_cells(layer.cumulative, titles))
    for out in report.outputs:
        if out.comparison is not None:
            table.add_row("output", out.title.removeprefix("Keras "), *_cells(out.comparison, titles))
    return table


def _cells(comparison: Comparison, titles: list[str]) -> list[Any]:
    cells = {
        "max abs": number(comparison.max_abs),
        "max rel": number(comparison.max_rel),
        "ulp": number(comparison.max_ulp),
        "same bits": share(comparison.equal),
        "bound": number(comparison.bound),
        "of bound": share(comparison.ratio),
        "closer": comparison.closer,
    }
    return [*(cells[title] for title in titles), Text(comparison.verdict, style=_STYLES[comparison.verdict])]
