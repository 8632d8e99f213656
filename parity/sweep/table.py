"""``python -m parity.sweep.table``: the tables of docs/reference/accuracy.md and README.md, from results/accuracy.json.

The same results give the same text to the byte, so that a test can tell whether the documents are up to date.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from parity.sweep import results, task
from parity.ulp import CLASSES, FORMATS, number
from refnet import activations
from refnet.errors import FileError, RefnetError
from refnet.files.whole import write

__all__ = ["between", "line", "main", "misrounded_and_worst", "page", "table", "title"]

#: What stands before and after the table in a document that has other text too.
BEGIN, END = "<!-- accuracy: made by python -m parity.sweep.table -->", "<!-- /accuracy -->"

_INTRODUCTION = """\
# Accuracy

Each function ran on inputs of its format, and each result was held against the true value: a fast evaluation with a
known error decides almost all of them, mpmath the rest. A result is *misrounded* if it is not the number of the
format nearest to the true value. *Max ulp* is the largest error with its sign, result minus true value, in units of
the last place of the true value; correct rounding never exceeds 0.5. *At* is the input where it happens.

This page is made from `results/accuracy.json` by `python -m parity.sweep.table`. To measure yourself:
`parity sweep --all --exhaustive --jobs 2`.
"""


def title(entry: dict[str, Any]) -> str:
    """Return the function of an entry as the user would write it.

    Examples
    --------
    >>> title({"activation": "leaky_relu", "parameters": {"negative_slope": 0.3}})
    'leaky_relu(negative_slope=0.3)'
    """
    values = {key: float("inf") if value is None else value for key, value in entry["parameters"].items()}
    return task.title(entry["activation"], values)


def table(entries: Sequence[dict[str, Any]], places: bool = True) -> str:
    """Return a Markdown table of entries of one format: a row per function, two or three columns per runner.

    ``places`` adds the inputs where the largest errors are.
    """
    columns = ("misrounded", "max ulp", "at")[: 3 if places else 2]
    runners = sorted({each["runner"] for each in entries}, key=lambda name: (name != "refnet", name))
    cells = {(title(each), each["runner"]): each for each in entries}
    head = ["function", *(f"{name}: {column}" for name in runners for column in columns)]
    lines = [line(head), line(["---", *["---:"] * (len(head) - 1)])]
    for name in dict.fromkeys(title(each) for each in sorted(entries, key=_place)):
        row = [f"`{name}`"]
        for runner in runners:
            row += _cells(cells.get((name, runner)))[: len(columns)]
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


def _worst(entry: dict[str, Any]) -> list[Any] | None:
    found = [entry["classes"][name]["worst"] for name in CLASSES]
    there = (each for each in found if each)
    return max(there, key=lambda each: (abs(float(each[3])), -int(each[0], 16)), default=None)


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
    for dtype in FORMATS:
        for exhaustive in (True, False):
            chosen = [each for each in entries if each["dtype"] == dtype and each["exhaustive"] == exhaustive]
            if chosen:
                inputs = f"all {1 << FORMATS[dtype].bits:,} inputs" if exhaustive else "samples"
                parts.append(f"## {dtype}, {inputs}\n\n{table(chosen)}")
    if not entries:
        parts.append("Nothing has been measured yet.\n")
    else:
        parts.append(f"## Made with\n\n{_made_with(entries)}")
    return "\n".join(parts)


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
