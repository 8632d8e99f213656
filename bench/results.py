"""The record of a run: what was measured, on what, with what; as JSON and back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.statistics import Summary
from refnet.errors import FileError
from refnet.files import whole

__all__ = ["SCHEMA", "STATUSES", "Limits", "Measurement", "Record", "Row", "load", "save"]

#: Raised when a field changes its meaning.
SCHEMA = 1

#: timed: right, and measured. The others are not measured; the note says why.
STATUSES = ("timed", "disagrees", "failed", "lacks", "not installed")


@dataclass(frozen=True)
class Measurement:
    """One peer in one row of the table.

    Attributes
    ----------
    peer : str
        Its name in `bench.peers.PEERS`.
    status : str
        One of `STATUSES`.
    note : str
        Why it was not timed.
    summary : Summary or None
        Seconds per call.
    error : float or None
        The largest error of its output, as a share of the derived bound.
    peak_rss : int or None
        The largest resident size of its process while it held this row, in bytes.
    """

    peer: str
    status: str
    note: str = ""
    summary: Summary | None = None
    error: float | None = None
    peak_rss: int | None = None

    @property
    def seconds(self) -> float | None:
        """The median seconds per call, or None."""
        return self.summary.median if self.summary else None


@dataclass(frozen=True)
class Row:
    """One line of a table: a case at a batch size, or an activation over an array, on so many threads.

    Attributes
    ----------
    name, size, threads
        What was run: ``mnist, 4096, 1`` or ``gelu, 1048576, 2``.
    text : str
        The same for a reader: layers and activations, or the length of the rows.
    elements : int
        Numbers in the input.
    flops, moved_bytes : int
        The least that any engine must do (see `bench.cases`).
    limit : float or None
        The seconds that the machine needs for that at least.
    limited_by : str
        ``compute`` or ``memory``.
    measurements : tuple of Measurement
        One per peer.
    """

    name: str
    size: int
    threads: int
    text: str
    elements: int
    flops: int
    moved_bytes: int
    limit: float | None
    limited_by: str
    measurements: tuple[Measurement, ...]

    def of(self, peer: str) -> Measurement | None:
        """Return the measurement of a peer, or None."""
        return next((entry for entry in self.measurements if entry.peer == peer), None)

    def seconds(self, peer: str) -> float | None:
        """Return a peer's median seconds, or None if it was not timed."""
        entry = self.of(peer)
        return entry.seconds if entry else None

    def fastest(self, among: Collection[str] | None = None) -> Measurement | None:
        """Return the fastest of the other peers that were timed, or None."""
        timed = [
            entry
            for entry in self.measurements
            if entry.summary and entry.peer != "refnet" and (among is None or entry.peer in among)
        ]
        return min(timed, key=lambda entry: entry.seconds or 0.0, default=None)

    def ratio_to_best(self) -> float | None:
        """Return how many times as fast as the fastest other peer refnet is; above 1 it is ahead."""
        own, best = self.seconds("refnet"), self.fastest()
        return best.seconds / own if own and best and best.seconds else None

    def share_of_limit(self) -> float | None:
        """Return the machine's least time as a share of refnet's: 1 is the limit."""
        own = self.seconds("refnet")
        return self.limit / own if own and self.limit else None


@dataclass(frozen=True)
class Limits:
    """What the machine can do on so many threads, measured in the same run.

    Attributes
    ----------
    threads : int
        On how many.
    flops_per_second : float
        The rate of a matrix kernel on data in cache.
    kernel : str
        Which kernel that was.
    copy_bytes_per_second : float
        Bytes read and bytes written per second when an array much larger than the caches is copied.
    streams : tuple of (int, float)
        ``(bytes, bytes per second)`` for working sets of growing size: the faster of copying and reading.
    """

    threads: int
    flops_per_second: float
    kernel: str
    copy_bytes_per_second: float
    streams: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Record:
    """A whole run.

    Attributes
    ----------
    kind : str
        ``forward``, ``activations`` or ``startup``.
    command : str
        What to type to have it again.
    date : str
        When, in UTC.
    machine : mapping
        See `bench.environment.machine`.
    versions : mapping
        Of everything that took part.
    settings : mapping
        Rounds and seconds per slice.
    limits : tuple of Limits
        One per number of threads.
    rows : tuple of Row
        The table.
    commit : str or None
        Of the checkout that was measured (see `refnet.commit`); None if it is not known, as in older records.
    """

    kind: str
    command: str
    date: str
    machine: Mapping[str, str | int]
    versions: Mapping[str, str]
    settings: Mapping[str, Any]
    limits: tuple[Limits, ...]
    rows: tuple[Row, ...]
    schema: int = field(default=SCHEMA)
    commit: str | None = None

    @property
    def when(self) -> str:
        """The date and the commit, as far as it is known."""
        return f"{self.date}, commit {self.commit}" if self.commit else self.date

    def to_json(self) -> str:
        """Return the record as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=1, allow_nan=False) + "\n"


def from_json(text: str) -> Record:
    """Return the record that `Record.to_json` wrote.

    Raises
    ------
    ValueError, KeyError, TypeError
        If the text is no such record.
    """
    raw = json.loads(text)
    if raw.get("schema") != SCHEMA:
        raise ValueError(f"schema {raw.get('schema')!r} is not {SCHEMA}")
    rows = []
    for row in raw["rows"]:
        measurements = []
        for entry in row["measurements"]:
            summary = Summary(**entry["summary"]) if entry["summary"] else None
            measurements.append(Measurement(**{**entry, "summary": summary}))
        rows.append(Row(**{**row, "measurements": tuple(measurements)}))
    limits = [
        Limits(**{**entry, "streams": tuple((int(size), float(rate)) for size, rate in entry["streams"])})
        for entry in raw["limits"]
    ]
    return Record(**{**raw, "rows": tuple(rows), "limits": tuple(limits)})


def load(path: str | Path) -> Record:
    """Read a record.

    Raises
    ------
    FileError
        If the file is missing or is no record of a run.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise FileError(f"{str(path)!r} cannot be read ({reason}); accepted: a file written with --json") from error
    try:
        return from_json(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{str(path)!r} is not a record of a run; accepted: a file written with --json") from error


def save(record: Record, path: str | Path) -> None:
    """Write a record, whole or not at all; make the folder if it is not there."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    whole.write(path, record.to_json())
