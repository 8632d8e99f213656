"""``python -m parity.sweep.table``: the tables of docs/reference/accuracy.md and README.md, from results/accuracy.json.

The same results give the same text to the byte, so that a test can tell whether the documents are up to date.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from parity import known
from parity.sweep import results, rows, rowwise, subject
from parity.ulp import CLASSES, FORMATS, number
from refnet import activations
from refnet.activations import naming
from refnet.errors import FileError, RefnetError
from refnet.files.whole import write

__all__ = ["between", "line", "main", "misrounded_and_worst", "page", "rows_table", "table", "title"]

#: What stands before and after the table in a document that has other text too.
BEGIN, END = "<!-- accuracy: made by python -m parity.sweep.table -->", "<!-- /accuracy -->"

_INTRODUCTION = """\
# Accuracy

Each function ran on inputs of its format, and each result was held against the true value: a fast evaluation with a
known error decides almost all of them, mpmath the rest. A result is *misrounded* if it is not the number of the
format nearest to the true value. *Max ulp* is the largest error with its sign, result minus true value, in units of
the last place of the true value; correct rounding never exceeds 0.5. *At* is the input where it happens.

Functions of a row have no end of inputs. Theirs are rows of several lengths and families, made from a seed; they stand
at the end of this page.

This page is made from `results/accuracy.json` by `python -m parity.sweep.table`. To measure yourself:
`parity sweep --all --exhaustive --jobs 2`.
"""


_ROWS = """\
## Rows

Rows are of lengths {lengths} (even ones for glu), and of the families {families}; all lengths and families have about
as many entries. The number behind *normal* is the deviation; *dominated* rows have one entry far above the others;
*eighths* are small multiples of 1/8; rows *one apart* have an entry of 1 and others about 0.

A result is promised to be within 1 ulp. It is *special* where an infinity, a NaN or a zero decides it, and *special
wrong* if it is not what the function's page says then; *max ulp* and *at* are of the other results. Rows and their
entries are counted from 0; `parity.sweep.rows.row(name, dtype, family, length, row, seed)` makes a row again.
"""


def title(entry: dict[str, Any]) -> str:
    """Return the function of an entry as the user would write it.

    Examples
    --------
    >>> title({"activation": "leaky_relu", "parameters": {"negative_slope": 0.3}})
    'leaky_relu(negative_slope=0.3)'
    """
    values = {key: float("inf") if value is None else value for key, value in entry["parameters"].items()}
    return naming.title(entry["activation"], values)


def table(entries: Sequence[dict[str, Any]], places: bool = True) -> str:
    """Return a Markdown table of entries of one format: a row per function, two or three columns per runner.

    ``places`` adds the inputs where the largest errors are.
    """
    return _grid(entries, ("misrounded", "max ulp", "at")[: 3 if places else 2], _cells)


def rows_table(entries: Sequence[dict[str, Any]]) -> str:
    """Return a Markdown table of entries of rows of one format, with one column more per runner."""
    return _grid(entries, ("misrounded", "max ulp", "at", "special wrong"), _row_cells)


def _grid(
    entries: Sequence[dict[str, Any]], columns: Sequence[str], of: Callable[[dict[str, Any] | None], list[str]]
) -> str:
    runners = sorted({each["runner"] for each in entries}, key=lambda name: (name != "refnet", name))
    cells = {(title(each), each["runner"]): each for each in entries}
    head = ["function", *(f"{name}: {column}" for name in runners for column in columns)]
    lines = [line(head), line(["---", *["---:"] * (len(head) - 1)])]
    for name in dict.fromkeys(title(each) for each in sorted(entries, key=_place)):
        row = [f"`{name}`"]
        for runner in runners:
            row += of(cells.get((name, runner)))[: len(columns)]
        lines.append(line(row))
    return "\n".join(lines) + "\n"


def _place(entry: dict[str, Any]) -> tuple[int, str]:
    return activations.names().index(entry["activation"]), title(entry)


def line(cells: Iterable[str]) -> str:
    """Return a line of a Markdown table.

    >>> line(["a", "b"])
    '| a | b |'
    """
    return f"| {' | '.join(cells)} |"


def misrounded_and_worst(entry: dict[str, Any] | None) -> list[str]:
    """Return how many results of an entry are misrounded and the largest error, for a table; dashes for None."""
    return _cells(entry)[:2]


def _cells(entry: dict[str, Any] | None) -> list[str]:
    if entry is None:
        return ["–"] * 3
    worst = _worst(entry)
    if worst is None:
        return [f"{entry['misrounded']:,}", "–", "–"]
    bits, got, _, error = worst
    where = f"{number(int(bits, 16), entry['dtype'])} (`{bits}`)" if float(error) else "–"
    return [f"{entry['misrounded']:,}", ulps(float(error), number(int(got, 16), entry["dtype"])), where]


def _row_cells(entry: dict[str, Any] | None) -> list[str]:
    if entry is None:
        return ["–"] * 4
    classes = [each for name, each in entry["classes"].items() if name != "special" and each["worst"]]
    worst = max(classes, key=lambda each: _rank(each["worst"]))  # no sweep is without numbers that are not special
    _, got, _, error = worst["worst"]
    where = rowwise.said(worst["worst_row"]) if float(error) else "–"
    size = ulps(float(error), number(int(got, 16), entry["dtype"]))
    return [f"{entry['misrounded']:,}", size, where, f"{entry['classes']['special']['misrounded']:,}"]


def _worst(entry: dict[str, Any]) -> list[Any] | None:
    found = [entry["classes"][name]["worst"] for name in CLASSES]
    return max((each for each in found if each), key=_rank, default=None)


def _rank(worst: list[Any]) -> tuple[float, int]:
    return abs(float(worst[3])), -int(worst[0], 16)


def ulps(error: float, got: str) -> str:
    """Return the error of a result for a table: short, and never rounded down to a half when it is more.

    Examples
    --------
    >>> ulps(-0.5, "2"), ulps(0.500000001, "2"), ulps(5.94, "2")
    ('-0.5', '+0.500000001', '+5.94')
    >>> ulps(float("inf"), "nan"), ulps(float("inf"), "2")
    ('NaN for a number', 'a number for NaN')
    """
    if error in (float("inf"), float("-inf")):
        return "NaN for a number" if got == "nan" else "a number for NaN"
    if not error:
        return "0"
    text = f"{error:+.4g}"
    if abs(error) > 0.5 >= abs(float(text)):
        return f"{error:+.9g}"
    return text if abs(error) < 1e4 else f"{error:+.3g}"


def page(entries: Sequence[dict[str, Any]]) -> str:
    """Return the whole page."""
    parts = [_INTRODUCTION]
    of_rows = [each for each in entries if not subject.of(each["activation"]).EXHAUSTIBLE]
    singles = [each for each in entries if subject.of(each["activation"]).EXHAUSTIBLE]
    for dtype in FORMATS:
        for exhaustive in (True, False):
            chosen = [each for each in singles if each["dtype"] == dtype and each["exhaustive"] == exhaustive]
            if chosen:
                inputs = f"all {1 << FORMATS[dtype].bits:,} inputs" if exhaustive else "samples"
                parts.append(f"## {dtype}, {inputs}\n\n{table(chosen)}")
    if of_rows:
        parts += _of_rows(of_rows)
    if not entries:
        parts.append("Nothing has been measured yet.\n")
    else:
        parts.append(f"## Made with\n\n{_made_with(entries)}")
    return "\n".join(parts)


def _filled(text: str, indent: str = "") -> str:
    """Return a paragraph in lines of the documents' width."""
    lines = textwrap.wrap(text, 120, break_on_hyphens=False, break_long_words=False, subsequent_indent=indent)
    return "\n".join(lines) + "\n"


def _of_rows(entries: Sequence[dict[str, Any]]) -> list[str]:
    """Return the part of the page on rows: how they are chosen, a table per format, what is known of Keras."""
    lengths = ", ".join(f"{each:,}" for each in rows.LENGTHS)
    title, *paragraphs = _ROWS.format(lengths=lengths, families=", ".join(rows.FAMILIES)).split("\n\n")
    parts = [title + "\n", *(_filled(each) for each in paragraphs)]
    for dtype in FORMATS:
        chosen = [each for each in entries if each["dtype"] == dtype]
        if chosen:
            parts.append(f"### {dtype}, rows\n\n{rows_table(chosen)}")
    names = {each["activation"] for each in entries if each["runner"].startswith("keras")}
    causes = [_filled(f"- {each.what} ({each.issue})", "  ") for each in known.CATALOGUE if names & set(each.where)]
    if causes:
        parts.append("What Keras is known to do with rows:\n\n" + "".join(causes))
    return parts


def _made_with(entries: Sequence[dict[str, Any]]) -> str:
    days: dict[tuple[str, str, str], set[str]] = {}
    for each in entries:
        versions = ", ".join(f"{name} {version}" for name, version in each["versions"].items())
        days.setdefault((each["runner"], versions, each["cpu"]), set()).add(each["date"])
    lines = []
    for (runner, versions, cpu), found in sorted(days.items()):
        when = min(found) if len(found) == 1 else f"{min(found)} to {max(found)}"
        lines.append(f"- `{runner}`: {versions}; {cpu}; {when}")
    return "\n".join(lines) + "\n"


def between(text: str, inside: str, begin: str = BEGIN, end: str = END) -> str:
    """Return a document with ``inside`` between two marks; unchanged if it has none.

    Raises
    ------
    FileError
        If it has the first mark but not the second.
    """
    before, found, rest = text.partition(begin)
    if not found:
        return text
    _, found, after = rest.partition(end)
    if not found:
        raise FileError(f"a document has the mark {begin!r} and no {end!r} after it; add it")
    return f"{before}{begin}\n\n{inside}\n{end}{after}" if inside else f"{before}{begin}\n{end}{after}"


def documents(root: Path) -> dict[Path, str]:
    """Return the documents that hold results and what should be in them now."""
    entries = results.read(root / "results" / "accuracy.json")
    whole = [each for each in entries if each["dtype"] == "float32" and each["exhaustive"]]
    made = {root / "docs" / "reference" / "accuracy.md": page(entries)}
    for path in sorted(root.glob("README*.md")):
        text = path.read_text(encoding="utf-8")
        if BEGIN in text:
            made[path] = between(text, table(whole, places=False))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the documents; return 0, or 2 with one sentence if that fails."""
    parser = argparse.ArgumentParser(prog="python -m parity.sweep.table", description="Write the tables of accuracy.")
    parser.add_argument("--root", type=Path, default=Path(), help="the project's folder (default: the working one)")
    options = parser.parse_args(arguments)
    try:
        for path, text in documents(options.root).items():
            write(path, text)
    except RefnetError as error:
        sys.stderr.write(f"parity.sweep.table: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
