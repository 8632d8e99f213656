"""``python -m parity.sweep.importing NAME FILE``: put a tally counted elsewhere into the results.

A tally is what `parity.sweep.tally.write` gives, as JSON: from a sweep driven by hand or on another machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parity.runners import activations as runners
from parity.sweep import results, tally
from parity.sweep.cli import parse_name
from parity.sweep.run import Result, task_for
from parity.ulp import FORMATS
from refnet.errors import FileError, RefnetError

__all__ = ["entry", "main"]


def entry(name: str, file: Path, runner: str = "refnet", dtype: str = "float32") -> dict[str, Any]:
    """Return the entry for the results that a file of a whole tally makes, with this machine's versions and today.

    Raises
    ------
    FileError
        If the file cannot be read, is no tally, or has not every input of the format.
    """
    try:
        found = tally.read(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise FileError(f"tally {str(file)!r} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise FileError(f"tally {str(file)!r} is not one that parity.sweep.tally wrote") from error
    whole = 1 << FORMATS[dtype].bits
    if found.count != whole:
        raise FileError(f"tally {str(file)!r} counts {found.count:,} inputs; accepted: all {whole:,} of {dtype}")
    task = task_for(parse_name(name), dtype, runner, exhaustive=True)
    made = Result(task, found, 0.0, 0.0, 0.0, dict(runners.get(runner).versions)).plain()
    return {key: value for key, value in made.items() if not key.endswith("seconds")}  # nobody measured those


def main(arguments: Sequence[str] | None = None) -> int:
    """Import one tally; return 0, or 2 with one sentence if that fails."""
    parser = argparse.ArgumentParser(prog="python -m parity.sweep.importing", description="Put a tally into results.")
    parser.add_argument("name", metavar="NAME", help="the activation, as gelu or 'gelu(approximate=True)'")
    parser.add_argument("tally", metavar="FILE", type=Path, help="the tally as JSON")
    parser.add_argument("--runner", default="refnet", help="who computed (default refnet)")
    parser.add_argument("--dtype", choices=tuple(FORMATS), default="float32", help="the format (default float32)")
    parser.add_argument("--file", type=Path, default=Path("results/accuracy.json"), help="the results file")
    options = parser.parse_args(arguments)
    try:
        results.merge(options.file, [entry(options.name, options.tally, options.runner, options.dtype)])
    except RefnetError as error:
        sys.stderr.write(f"parity.sweep.importing: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
