"""Tables of a record: one per case with every peer, then refnet against the best peer and the machine's limit."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.peers import PEERS
from bench.results import Measurement, Record, Row

__all__ = ["console", "count", "duration", "rate", "show"]

#: Wide enough for six batch sizes; used where there is no terminal to ask.
PLAIN_WIDTH = 120

_Item = TypeVar("_Item")

#: What stands in a table where no time does.
WORDS = {"disagrees": "disagrees", "failed": "failed", "lacks": "–", "not installed": "not installed"}


def console() -> Console:
    """Return where tables go: the terminal, or plain text of a fixed width."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return Console(highlight=False)
    return Console(highlight=False, width=PLAIN_WIDTH)


def duration(seconds: float) -> str:
    """Return a time in three digits and the unit that fits.

    Examples
    --------
    >>> duration(1.234e-6), duration(0.0456), duration(12.3)
    ('1.23 µs', '45.6 ms', '12.3 s')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{three_digits(seconds / size)} {unit}"
    return f"{three_digits(seconds / 1e-9)} ns"


def three_digits(value: float) -> str:
    """Return a number in three digits, without an exponent.

    Examples
    --------
    >>> three_digits(1.234), three_digits(12.34), three_digits(1234.5), three_digits(0.01234)
    ('1.23', '12.3', '1234', '0.012')
    """
    if value >= 99.95:
        return f"{value:.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def percent(share: float) -> str:
    """Return a share in per cent; one too small to be seen is said to be so.

    Examples
    --------
    >>> percent(0.917), percent(0.0004)
    ('92%', '<1%')
    """
    return f"{share:.0%}" if share >= 0.005 else "<1%"


def count(number: int) -> str:
    """Return a size as one says it: a power of two in Ki and Mi, else with thin spaces.

    Examples
    --------
    >>> count(1 << 20), count(65536), count(100_000), count(256)
    ('1 Mi', '64 Ki', '100 000', '256')
    """
    for unit, size in (("Mi", 1 << 20), ("Ki", 1 << 10)):
        if number % size == 0 and number >= 4 * 1024:
            return f"{number // size} {unit}"
    return f"{number:,}".replace(",", " ")


def rate(per_second: float) -> str:
    """Return a rate in billions a second.

    Examples
    --------
    >>> rate(1.5e9)
    '1.50 G/s'
    """
    return f"{three_digits(per_second / 1e9)} G/s"


def ratio(times: float) -> Text:
    """Return how many times refnet is ahead, green, or behind, red."""
    return Text(f"{three_digits(times)}×", style="green" if times >= 1 else "red")


def show(record: Record, to: Console | None = None) -> None:
    """Print a record: its tables, the summary, what was left out and why, and where it was measured."""
    to = to or console()
    tables = {"forward": _forward_tables, "activations": _activation_tables, "startup": _startup_tables}
    for table in tables[record.kind](record):
        to.print(table)
        to.print()
    for note in _notes(record):
        to.print(note, style="yellow")
    for line in _footer(record):
        to.print(line, style="dim")


def _forward_tables(record: Record) -> Iterable[Table]:
    for threads in _in_order(row.threads for row in record.rows):
        rows = [row for row in record.rows if row.threads == threads]
        for name in _in_order(row.name for row in rows):
            yield _case_table([row for row in rows if row.name == name])
        if record.limits:  # the main job measures none, and has one table
            yield _summary_table(rows)


def _case_table(rows: list[Row]) -> Table:
    """Return the table of one case: a line per peer, a column per batch size."""
    first = rows[0]
    title = f"{first.name}: {first.text}, {_threads(first.threads)}"
    table = Table(
        title=title, caption="time of a pass, and how many times refnet's it is", title_justify="left", min_width=64
    )
    table.add_column("")
    for row in rows:
        table.add_column(f"{count(row.size)} row{'s' * (row.size != 1)}", justify="right")
    for name in _peers_of(rows):
        table.add_row(Text(name, style="bold" * (name == "refnet")), *(_cell(row, row.of(name)) for row in rows))
    return table


def _cell(row: Row, entry: Measurement | None) -> Text:
    """Return a peer's time, and how many times refnet's it is."""
    if entry is None:
        return Text("")
    if entry.seconds is None:
        return Text(WORDS[entry.status], style="red" if entry.status in ("disagrees", "failed") else "dim")
    text = Text(duration(entry.seconds).replace(" ", "\N{NO-BREAK SPACE}"))
    own = row.seconds("refnet")
    if own and entry.peer != "refnet":
        text.append(" ").append_text(ratio(entry.seconds / own))
    return text


def _summary_table(rows: list[Row]) -> Table:
    """Return refnet against the fastest peer and against the machine's limit, a line per cell."""
    table = Table(
        title=f"refnet against the best peer and the limit, {_threads(rows[0].threads)}",
        caption="± is half the distance of the quartiles; peak RSS is that of refnet's process",
        title_justify="left",
    )
    table.add_column("case")
    for heading in ("rows", "refnet", "±"):
        table.add_column(heading, justify="right")
    table.add_column("best peer")
    for heading in ("its time", "refnet is", "limit", "by", "of limit", "peak RSS"):
        table.add_column(heading, justify="right")
    for row in rows:
        own, best, times, share = row.of("refnet"), row.fastest(), row.ratio_to_best(), row.share_of_limit()
        table.add_row(
            row.name,
            count(row.size),
            duration(own.seconds) if own and own.seconds else WORDS.get(own.status, "") if own else "",
            f"{own.summary.spread / 2:.0%}" if own and own.summary else "",
            best.peer if best else "",
            duration(best.seconds) if best and best.seconds else "",
            ratio(times) if times else "",
            duration(row.limit) if row.limit else "",
            row.limited_by,
            percent(share) if share else "",
            f"{own.peak_rss / 1e6:.0f} MB" if own and own.peak_rss else "",
        )
    return table


def _activation_tables(record: Record) -> Iterable[Table]:
    for size in _in_order(row.size for row in record.rows):
        yield _activation_table([row for row in record.rows if row.size == size])


def _activation_table(rows: list[Row]) -> Table:
    """Return the table of one size: a line per activation and row length, a column per peer and thread count."""
    threads = _in_order(row.threads for row in rows)
    columns = [(peer, n) for peer in _peers_of(rows) for n in (threads if peer == "refnet" else threads[-1:])]
    table = Table(
        title=f"activations over {count(rows[0].size)} elements, G elements/s",
        caption=f"the peers on {_threads(threads[-1])}; × is refnet against the fastest way through Keras",
        title_justify="left",
    )
    table.add_column("activation")
    for peer, n in columns:
        table.add_column(f"{peer} {n}" if peer == "refnet" else peer, justify="right")
    table.add_column("× Keras", justify="right")
    table.add_column("of relu", justify="right")
    relu = next((row for row in rows if row.name == "relu" and row.threads == threads[-1]), None)
    copies = {row.threads: row.elements / row.limit / 1e9 for row in reversed(rows) if row.limit}  # glu moves less
    for name, text in dict.fromkeys((row.name, row.text) for row in rows):
        lines = {row.threads: row for row in rows if (row.name, row.text) == (name, text)}
        last = lines[max(lines)]
        table.add_row(
            f"{name} {text}".strip(),
            *(_rate_cell(lines.get(n), peer) for peer, n in columns),
            *_activation_ratios(last, relu),
        )
    table.add_section()
    table.add_row("moving as many bytes", *(three_digits(copies[n]) if p == "refnet" else "" for p, n in columns))
    return table


def _rate_cell(row: Row | None, peer: str) -> Text:
    entry = row.of(peer) if row else None
    if row is None or entry is None:
        return Text("")
    if entry.seconds is None:
        return Text(WORDS[entry.status], style="red" if entry.status in ("disagrees", "failed") else "dim")
    return Text(three_digits(row.elements / entry.seconds / 1e9))


def _activation_ratios(row: Row, relu: Row | None) -> tuple[Text, Text]:
    """Return refnet against the fastest Keras path, and against its own relu."""
    own, keras = row.seconds("refnet"), row.fastest({name for name, peer in PEERS.items() if peer.keras})
    against = ratio(keras.seconds / own) if own and keras and keras.seconds else Text("")
    own_relu = relu.seconds("refnet") if relu else None
    return against, Text(f"{own_relu / own:.0%}" if own and own_relu else "")


def _startup_tables(record: Record) -> Iterable[Table]:
    table = Table(
        title="a new process, from its start to its end", caption="medians; RSS: the largest", title_justify="left"
    )
    table.add_column("what")
    table.add_column("who")
    for heading in ("time", "±", "× refnet", "peak RSS"):
        table.add_column(heading, justify="right")
    for row in record.rows:
        own = row.seconds("refnet")
        for entry in row.measurements:
            again = entry.seconds / own if own and entry.seconds and entry.peer != "refnet" else None
            table.add_row(
                row.text if entry is row.measurements[0] else "",
                entry.peer,
                duration(entry.seconds) if entry.seconds else WORDS[entry.status],
                f"{entry.summary.spread / 2:.0%}" if entry.summary and entry.summary.rounds > 1 else "",
                ratio(again) if again else "",
                f"{entry.peak_rss / 1e6:.0f} MB" if entry.peak_rss else "",
            )
    yield table


def _notes(record: Record) -> list[str]:
    """Return one sentence for everything that was not timed; the same reason is said once."""
    notes: dict[tuple[str, str], list[str]] = {}
    for row in record.rows:
        for entry in row.measurements:
            if entry.status in ("disagrees", "failed", "not installed"):
                why = f"{entry.status}: {entry.note}" if entry.note else entry.status
                notes.setdefault((entry.peer, why), []).append(f"{row.name}:{row.size}")
    every = len({(row.name, row.size) for row in record.rows})
    lines = []
    for (peer, why), where in notes.items():
        places = list(dict.fromkeys(where))
        lines.append(f"{peer}{'' if len(places) == every else ' in ' + ', '.join(places)}: {why}")
    return lines


def _footer(record: Record) -> Iterable[str]:
    """Yield where, when and with what it was measured."""
    machine = record.machine
    yield (
        f"{machine['cpu']} ({machine['vectors']}), {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}; {record.when}"
    )
    yield ", ".join(f"{name} {version}" for name, version in record.versions.items())
    for limits in record.limits:
        yield (
            f"limits on {_threads(limits.threads)}: {limits.flops_per_second / 1e9:.0f} GFLOP/s ({limits.kernel}), "
            f"copy {limits.copy_bytes_per_second / 1e9:.1f} GB/s"
        )
    yield record.command


def _threads(number: int) -> str:
    return f"{number} thread{'s' * (number != 1)}"


def _in_order(items: Iterable[_Item]) -> list[_Item]:
    return list(dict.fromkeys(items))


def _peers_of(rows: Iterable[Row]) -> list[str]:
    """Return the peers of the rows in the order of `PEERS`."""
    present = {entry.peer for row in rows for entry in row.measurements}
    return [name for name in PEERS if name in present]
