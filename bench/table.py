"""``python -m bench.table``: docs/reference/speed.md, its plot and README's table, from the records in results/.

The same records give the same text to the byte, so that a test can tell whether the documents are up to date.
The picture differs with matplotlib's version; it names the digest of the record it was drawn from.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench import speed_page
from bench.report import count, duration, three_digits
from bench.results import Record, Row, load
from parity.sweep import results
from parity.sweep.table import between, line
from refnet.errors import RefnetError
from refnet.files.whole import write

__all__ = ["documents", "main", "picture", "table"]

#: What stands before and after the table in README.md and README.ja.md.
BEGIN, END = "<!-- speed: made by python -m bench.table -->", "<!-- /speed -->"

#: What the plot is called in a document of another language.
PLOT_TEXTS = {"README.ja.md": "各エンジンの順伝播の時間(refnet の何倍か)"}

PAGE, PICTURE = Path("docs", "reference", "speed.md"), Path("docs", "speed.png")


def records(root: Path) -> dict[str, Record]:
    """Return the records of results/ by their kind; those that are not there are left out."""
    found = {}
    for kind in ("forward", "activations", "startup"):
        path = root / "results" / f"{kind}.json"
        if path.exists():
            found[kind] = load(path)
    return found


def table(record: Record) -> str:
    """Return the short Markdown table of a record of forward passes: a line per cell, three columns per threads.

    The three are refnet's time, the fastest other engine with its time, and how many times as fast refnet is.
    """
    threads = sorted({row.threads for row in record.rows})
    cells = {(row.name, row.size, row.threads): row for row in record.rows}
    head = ["case", "rows"]
    for number in threads:
        head += [f"refnet, {speed_page.on(number)}", "fastest other", "refnet is"]
    lines = [line(head), line(["---", *["---:"] * (len(head) - 1)])]
    for name, size in dict.fromkeys((row.name, row.size) for row in record.rows):
        shown = [f"`{name}`", count(size)]
        for number in threads:
            shown += _cell(cells.get((name, size, number)))
        lines.append(line(shown))
    return "\n".join(lines) + "\n"


def _cell(row: Row | None) -> list[str]:
    own, best = (row.seconds("refnet"), row.fastest()) if row else (None, None)
    times = row.ratio_to_best() if row else None
    return [
        duration(own) if own else "–",
        f"{best.peer}, {duration(best.seconds)}" if best and best.seconds else "–",
        f"{three_digits(times)}×" if times else "–",
    ]


def documents(root: Path) -> dict[Path, str]:
    """Return the documents that hold times and what should be in them now."""
    found = records(root)
    made = {root / PAGE: speed_page.page(found, results.read(root / "results" / "accuracy.json"))}
    inside = table(found["forward"]) if "forward" in found else ""
    for path in sorted(root.glob("README*.md")):
        text = path.read_text(encoding="utf-8")
        if BEGIN in text:
            plot = f"\n![{PLOT_TEXTS.get(path.name, speed_page.PLOT_TEXT)}]({PICTURE})\n" if inside else ""
            made[path] = between(text, inside + plot, BEGIN, END)
    return made


def digest(root: Path) -> str:
    """Return what tells one record of forward passes from another; empty if there is none."""
    path = root / "results" / "forward.json"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def picture(root: Path) -> bytes | None:
    """Return the plot of the record of forward passes, as PNG; None if there is no record."""
    path = root / "results" / "forward.json"
    if not path.exists():
        return None
    from bench.plot import draw

    return draw(load(path), source=digest(root))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the documents and the picture; return 0, or 2 with one sentence if that fails."""
    parser = argparse.ArgumentParser(prog="python -m bench.table", description="Write the tables and plot of speed.")
    parser.add_argument("--root", type=Path, default=Path(), help="the project's folder (default: the working one)")
    root = parser.parse_args(arguments).root
    try:
        made: Iterable[tuple[Path, str | bytes | None]] = [*documents(root).items(), (root / PICTURE, picture(root))]
        for path, content in made:
            if content is not None:
                write(path, content)
    except RefnetError as error:
        sys.stderr.write(f"bench.table: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
