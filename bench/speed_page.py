"""The page docs/reference/speed.md: every peer in every cell, activations, new processes, and accuracy beside speed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.peers import PEERS
from bench.report import WORDS, count, duration, percent, three_digits
from bench.results import Record, Row
from parity.sweep.table import line, misrounded_and_worst, title

__all__ = ["PLOT_TEXT", "on", "page"]

PLOT_TEXT = "Time of a forward pass with each engine, as a multiple of refnet's"

_INTRODUCTION = """\
# Speed

Medians of one run per chapter on one machine, which the end of the page names. All outputs are compared before
anything is timed, each engine runs in a process of its own pinned to as many cores as it has threads, and they take
turns ([more](../how-to/run-the-benchmarks.md)). Another machine has other times.

This page is made from the records in `results/` by `python -m bench.table`. To measure yourself:
`python -m bench forward`, `python -m bench activations`, `python -m bench startup`.
"""

_WHY = """\
`python -m bench profile` tells why: it runs each network with its activations and without. refnet's activations are
correctly rounded, by way of float64, which takes twice the operations that the others' float32 does; that shows where
they take much of the time, as in `tabular` and `deep`. One row of `wide` is a matter of reading 12 MB of weights, which
may be in a cache or not. Cells within some 10 % of 1 change sides from run to run.
"""

_FORWARD = """\
*Refnet is* says how many times as fast refnet is as the fastest of the others: above 1 it is ahead. *Of limit* is the
time that the machine needs for the cell's operations at the peak rate of the matrix kernel, or for its bytes at the
rate at which it copies from memory or cache, whichever is more, as a share of refnet's time; weights that are only read
can come faster than that.
"""

_ACTIVATIONS = """\
Billions of elements a second, float32; the others have as many threads as refnet's last column. *Refnet is* compares
with the fastest way through Keras, *of relu* with refnet's own `relu`, and *of copying* with NumPy moving as many bytes
as the input and the output have, by way of the caches; long arrays are written past them.
"""

_BOTH = """\
How many of all 4,294,967,296 float32 inputs are not rounded correctly, the largest error in ulp, and the speed over
16 Mi elements (from memory) beside the fastest way through Keras. – is not measured.
"""


def page(records: Mapping[str, Record], accuracy: Sequence[dict[str, Any]]) -> str:
    """Return the whole page.

    Parameters
    ----------
    records : mapping of str to Record
        By kind: ``forward``, ``activations``, ``startup``; each may be missing.
    accuracy : sequence of dict
        The entries of `parity.sweep.results.read`.
    """
    parts = [_INTRODUCTION]
    if "forward" in records:
        parts += _forward(records["forward"])
    if "activations" in records:
        parts += _activations(records["activations"])
        parts.append(f"## Activations: right and fast\n\n{_BOTH}\n{_right_and_fast(records['activations'], accuracy)}")
    if "startup" in records:
        parts.append(f"## New processes\n\n{_startup(records['startup'])}")
    if not records:
        parts.append("Nothing has been measured yet.\n")
    else:
        parts.append("## Made with\n\n" + "".join(f"- {text}\n" for text in _made_with(records.values())))
    return "\n".join(parts)


def on(threads: int) -> str:
    """Return a number of threads as words.

    >>> on(1), on(2)
    ('1 thread', '2 threads')
    """
    return f"{threads} thread{'s' * (threads != 1)}"


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a table whose first columns are words, and the others numbers."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join([line(head), line(rule), *map(line, rows)]) + "\n"


def _forward(record: Record) -> Iterable[str]:
    yield f"## Forward passes\n\n{_FORWARD}\n{_behind(record)}\n![{PLOT_TEXT}](../speed.png)\n"
    texts = dict.fromkeys((row.name, row.text) for row in record.rows)
    yield "".join(f"- `{name}`: {text}\n" for name, text in texts)
    for threads in sorted({row.threads for row in record.rows}):
        rows = [row for row in record.rows if row.threads == threads]
        present = {entry.peer for row in rows for entry in row.measurements}
        peers = [peer for peer in PEERS if peer in present]
        head = ["case", "rows", *peers, "refnet is", "of limit"]
        yield f"### {on(threads).capitalize()}\n\n{_markdown(head, [_forward_line(row, peers) for row in rows])}"


def _forward_line(row: Row, peers: Sequence[str]) -> list[str]:
    times, share = row.ratio_to_best(), row.share_of_limit()
    best = row.fastest()
    cells = []
    for peer in peers:
        text = _time(row, peer)
        cells.append(f"**{text}**" if best and best.peer == peer else text)
    return [f"`{row.name}`", count(row.size), *cells, _times(times), percent(share) if share else "–"]


def _time(row: Row, peer: str) -> str:
    entry = row.of(peer)
    if entry is None:
        return "–"
    return duration(entry.seconds) if entry.seconds else WORDS[entry.status]


def _times(ratio: float | None) -> str:
    return f"{three_digits(ratio)}×" if ratio else "–"


def _behind(record: Record) -> str:
    """Return a sentence on where refnet leads, and a line for each cell in which it does not."""
    ratios = [(row, times) for row in record.rows if (times := row.ratio_to_best())]
    behind = [(row, times) for row, times in ratios if times < 1]
    lead = f"refnet is ahead of every other engine in {len(ratios) - len(behind)} of {len(ratios)} cells"
    if not behind:
        return f"{lead}.\n"
    lines = [
        f"- `{row.name}`, {count(row.size)} row{'s' * (row.size != 1)}, {on(row.threads)}: {_times(times)} the speed of"
        f" {best.peer if (best := row.fastest()) else '–'}"
        for row, times in behind
    ]
    return f"{lead}. Behind in:\n\n" + "\n".join(lines) + f"\n\n{_WHY}"


def _activations(record: Record) -> Iterable[str]:
    yield f"## Activations\n\n{_ACTIVATIONS}"
    threads = sorted({row.threads for row in record.rows})
    for size in sorted({row.size for row in record.rows}):
        lines = {(row.name, row.text, row.threads): row for row in record.rows if row.size == size}
        relu = lines.get(("relu", "", threads[-1]))
        head = ["activation", *(f"refnet, {on(number)}" for number in threads)]
        head += ["fastest Keras", "refnet is", "of relu", "of copying"]
        rows = []
        for name, text in dict.fromkeys((name, text) for name, text, _ in lines):
            last = lines.get((name, text, threads[-1]))
            shown = [f"`{name}`{f', {text}' if text else ''}"]
            shown += [_rate(lines.get((name, text, number)), "refnet") for number in threads]
            rows.append([*shown, *(_against(last, relu) if last else ["–"] * 4)])
        yield f"### {count(size)} elements\n\n{_markdown(head, rows)}"


def _rate(row: Row | None, peer: str) -> str:
    seconds = row.seconds(peer) if row else None
    return three_digits(row.elements / seconds / 1e9) if row and seconds else "–"


def _against(row: Row, relu: Row | None) -> list[str]:
    own, own_relu, share = row.seconds("refnet"), relu.seconds("refnet") if relu else None, row.share_of_limit()
    keras = _fastest_keras(row)
    return [
        f"{keras}, {_rate(row, keras)}" if keras else "–",
        _times(_ratio_to_keras(row)),
        percent(own_relu / own) if own and own_relu else "–",
        percent(share) if share else "–",
    ]


def _fastest_keras(row: Row) -> str:
    found = row.fastest({name for name, peer in PEERS.items() if peer.keras})
    return found.peer if found else ""


def _ratio_to_keras(row: Row) -> float | None:
    own, keras = row.seconds("refnet"), row.seconds(_fastest_keras(row))
    return keras / own if own and keras else None


def _right_and_fast(record: Record, accuracy: Sequence[dict[str, Any]]) -> str:
    """Return one table of both: exhaustive results of float32, and the rates over the largest arrays."""
    whole = {
        (title(entry), entry["runner"]): entry
        for entry in accuracy
        if entry["dtype"] == "float32" and entry["exhaustive"]
    }
    size, most = max(row.size for row in record.rows), max(row.threads for row in record.rows)
    rows = []
    for row in record.rows:
        if (row.size, row.threads) == (size, most):
            name = f"`{row.name}`{f', {row.text}' if row.text else ''}"
            exact = [
                cell
                for who in ("refnet", "keras")
                for cell in misrounded_and_worst(None if row.text else whole.get((_called(row.name, whole), who)))
            ]
            rows.append([name, *exact, _rate(row, "refnet"), _times(_ratio_to_keras(row))])
    head = ["function", "misrounded", "max ulp", "Keras: misrounded", "Keras: max ulp", "G elements/s", "times Keras"]
    return _markdown(head, rows)


def _called(name: str, whole: Mapping[tuple[str, str], object]) -> str:
    """Return the title under which a function was swept: with parameters, if it has some without a default."""
    titles = [text for text, _ in whole if text == name or text.startswith(f"{name}(")]
    return name if name in titles else next(iter(titles), name)


def _startup(record: Record) -> str:
    rows = []
    for row in record.rows:
        own = row.seconds("refnet")
        for entry in row.measurements:
            times = entry.seconds / own if own and entry.seconds and entry.peer != "refnet" else None
            shown = duration(entry.seconds) if entry.seconds else WORDS[entry.status]
            memory = f"{entry.peak_rss / 1e6:.0f} MB" if entry.peak_rss else "–"
            rows.append([row.text, entry.peer, shown, _times(times), memory])
    return _markdown(["what", "who", "time", "times refnet's", "peak memory"], rows, words=2)


def _made_with(records: Iterable[Record]) -> Iterable[str]:
    for record in records:
        machine = record.machine
        versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
        yield (
            f"`{record.command}`: {machine['cpu']} ({machine['vectors']}), {machine['cores']} cores,"
            f" {machine['system']}, Python {machine['python']}; {record.date[:10]}; {versions}"
        )
        for limits in record.limits:
            yield (
                f"limits of that run on {on(limits.threads)}: {limits.flops_per_second / 1e9:.0f} GFLOP/s"
                f" ({limits.kernel}), copying {limits.copy_bytes_per_second / 1e9:.1f} GB/s"
            )
