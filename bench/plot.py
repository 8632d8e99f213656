"""Pictures of a record, as PNG."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any

from bench.peers import PEERS
from bench.report import count, duration
from bench.results import Record, Row
from refnet.errors import UnsupportedError

__all__ = ["draw"]

#: Panels side by side.
COLUMNS = 3
#: Room at the bottom for what was measured where, and for a line of the legend.
NOTE_INCHES, LEGEND_INCHES = 0.4, 0.25
LEGEND_COLUMN_INCHES, TITLE_CHARACTERS = 1.75, 9  # of an entry; of a title, per inch
#: Multiples below this are cut off: a limit of nanoseconds would flatten everything else.
LEAST_MULTIPLE = 0.05
#: refnet stands out; the others keep their colour from picture to picture.
OWN_COLOR = "#111111"
COLORS = (
    *("#d1495b", "#edae49", "#b08968", "#8d5a97", "#f28482", "#6c757d"),
    *("#00798c", "#ee6c4d", "#9a031e", "#30638e", "#43aa8b"),
)
MOVING = "moving as many bytes"
MARKERS = "os^vD<>pXhP"


def draw(record: Record, source: str = "") -> bytes:
    """Return the picture of a record as the bytes of a PNG; ``source`` is kept in it, as its PNG text "Source".

    Raises
    ------
    UnsupportedError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UnsupportedError("--plot needs matplotlib; install it: pip install 'refnet[bench]'") from error
    drawn = {"forward": _draw_forward, "activations": _draw_activations, "startup": _draw_startup}[record.kind]
    figure = drawn(record, Figure)
    machine = record.machine
    note = f"{machine['cpu']}, {machine['cores']} cores, {str(record.date)[:10]}; " + ", ".join(
        f"{name} {version}" for name, version in record.versions.items()
    )
    figure.text(0.01, 0.01, textwrap.fill(note, int(figure.get_figwidth() * 17)), fontsize=7, color="#666666")
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=150, metadata={"Software": None, "Source": source or None})
    return data.getvalue()


def style_of(peer: str) -> dict[str, Any]:
    """Return a peer's line: colour and marker, the same in every picture."""
    if peer == "refnet":
        return {"color": OWN_COLOR, "marker": "o", "linewidth": 2.4, "markersize": 5, "zorder": 5}
    index = [name for name in PEERS if name != "refnet"].index(peer)
    color, marker = COLORS[index % len(COLORS)], MARKERS[index % len(MARKERS)]
    return {"color": color, "marker": marker, "linewidth": 1.3, "markersize": 4}


def _tidy(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="both", which="major", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, which="both")


def _title(text: str, figure: Any) -> str:
    return textwrap.fill(text, int(figure.get_figwidth() * TITLE_CHARACTERS))


def _place(figure: Any, handles: dict[str, Any]) -> None:
    """Leave room at the bottom for the note, and put the legend between it and the panels."""
    height = figure.get_figheight()
    columns = max(1, int(figure.get_figwidth() / LEGEND_COLUMN_INCHES))
    lines = -(-len(handles) // columns)
    bottom = (NOTE_INCHES + LEGEND_INCHES * lines) / height
    figure.get_layout_engine().set(rect=(0, bottom, 1, 1 - bottom))
    if handles:
        legend = figure.legend(
            handles.values(),
            handles.keys(),
            loc="lower left",
            bbox_to_anchor=(0.0, NOTE_INCHES / height),
            ncols=columns,
            fontsize=8,
            frameon=False,
        )
        legend.set_in_layout(False)


def _draw_forward(record: Record, figure_class: Any) -> Any:
    """Draw a panel per case and number of threads: each peer's time as a multiple of refnet's, over the batch size."""
    panels: dict[tuple[int, str], list[Row]] = {}
    for row in record.rows:
        panels.setdefault((row.threads, row.name), []).append(row)
    columns = min(COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    figure = figure_class(figsize=(4.2 * columns, 3.1 * lines + 1.3), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    handles: dict[str, Any] = {}
    for axes, ((threads, name), rows) in zip(grid, panels.items(), strict=False):
        _forward_panel(axes, rows, handles)
        axes.set_title(
            f"{name}   {rows[0].text}\n{threads} thread{'s' * (threads != 1)}", fontsize=9, loc="left", color="#222222"
        )
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    figure.suptitle(
        _title("Time of a forward pass as a multiple of refnet's (above 1: slower than refnet)", figure),
        fontsize=12,
        x=0.01,
        ha="left",
        weight="bold",
    )
    _place(figure, handles)
    return figure


def _forward_panel(axes: Any, rows: Sequence[Row], handles: dict[str, Any]) -> None:
    places = range(len(rows))
    for peer in PEERS:
        points = [
            (place, row.seconds(peer) / row.seconds("refnet"))  # type: ignore[operator]
            for place, row in zip(places, rows, strict=True)
            if row.seconds(peer) and row.seconds("refnet")
        ]
        if points:
            (handles[peer],) = axes.plot(*zip(*points, strict=True), **style_of(peer))
    limits = [(p, s) for p, row in zip(places, rows, strict=True) if (s := row.share_of_limit())]
    if limits:
        (handles["machine's limit"],) = axes.plot(
            *zip(*limits, strict=True), color="#999999", linestyle=":", marker="_", linewidth=1.3
        )
    axes.set_yscale("log")
    axes.set_ylim(bottom=max(axes.get_ylim()[0], LEAST_MULTIPLE))
    axes.set_xticks(list(places), [f"{count(row.size)}\n{_own_time(row)}" for row in rows])
    axes.set_xlabel("rows in the batch, and refnet's time", fontsize=8, color="#444444")
    axes.yaxis.set_major_formatter(lambda value, place: f"{value:g}×")
    low, high = axes.get_ylim()
    narrow = high / low < 20  # then the powers of ten alone would leave the axis without numbers
    axes.yaxis.set_minor_formatter(lambda value, place: f"{value:g}×" if narrow and f"{value:e}"[0] in "25" else "")
    _tidy(axes)


def _own_time(row: Row) -> str:
    seconds = row.seconds("refnet")
    return duration(seconds) if seconds else "–"


def _draw_activations(record: Record, figure_class: Any) -> Any:
    """Draw a panel per size: a line per activation, a point per peer, at its billions of elements a second."""
    sizes = list(dict.fromkeys(row.size for row in record.rows))
    most = max(row.threads for row in record.rows)
    names = list(dict.fromkeys((row.name, row.text) for row in record.rows))
    figure = figure_class(figsize=(4.4 * len(sizes), 0.3 * len(names) + 2.2), layout="constrained")
    grid = figure.subplots(1, len(sizes), squeeze=False, sharey=True).ravel()
    handles: dict[str, Any] = {}
    for axes, size in zip(grid, sizes, strict=True):
        rows = [row for row in record.rows if row.size == size and row.threads == most]
        for peer in reversed(PEERS):
            points = [
                (row.elements / row.seconds(peer) / 1e9, names.index((row.name, row.text)))  # type: ignore[operator]
                for row in rows
                if row.seconds(peer)
            ]
            if points:
                style = {**style_of(peer), "linestyle": ""}
                (handles[peer],) = axes.plot(*zip(*points, strict=True), **style)
        if rows and rows[0].limit:
            rate = rows[0].elements / rows[0].limit / 1e9
            handles[MOVING] = axes.axvline(rate, color="#999999", linestyle=":")
        axes.set_xscale("log")
        axes.set_title(f"{count(size)} elements", fontsize=10, loc="left")
        axes.set_xlabel("G elements/s", fontsize=8)
        axes.xaxis.set_major_formatter(lambda value, place: f"{value:g}")
        _tidy(axes)
    grid[0].set_yticks(range(len(names)), [f"{name} {text}".strip() for name, text in names])
    grid[0].invert_yaxis()
    figure.suptitle(
        f"Activations, float32, {most} thread{'s' * (most != 1)}", fontsize=12, x=0.01, ha="left", weight="bold"
    )
    _place(figure, {name: handles[name] for name in (*PEERS, MOVING) if name in handles})
    return figure


def _draw_startup(record: Record, figure_class: Any) -> Any:
    """Draw a panel per start: a bar for each, with its time and its largest resident size."""
    figure = figure_class(figsize=(4.2 * len(record.rows), 3.0), layout="constrained")
    for axes, row in zip(figure.subplots(1, len(record.rows), squeeze=False).ravel(), record.rows, strict=True):
        timed = [entry for entry in row.measurements if entry.seconds]
        bars = axes.barh(
            [entry.peer for entry in timed],
            [entry.seconds for entry in timed],
            color=[OWN_COLOR if entry.peer == "refnet" else COLORS[0] for entry in timed],
            height=0.6,
        )
        texts = [
            f" {duration(entry.seconds)}, {(entry.peak_rss or 0) / 1e6:.0f} MB" for entry in timed if entry.seconds
        ]
        axes.bar_label(bars, texts, fontsize=8)
        axes.margins(x=0.45)
        axes.invert_yaxis()
        axes.set_title(row.text, fontsize=10, loc="left")
        axes.set_xlabel("seconds of a new process", fontsize=8)
        _tidy(axes)
        axes.grid(visible=False, axis="y")
    _place(figure, {})
    return figure
