"""Files of results: one entry per function, dtype and runner; a new entry takes the place of the old one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from refnet.errors import FileError
from refnet.files.whole import write

__all__ = ["key", "merge", "read"]

_MADE_BY = "parity sweep"


def key(entry: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return what makes an entry one of its kind."""
    parameters = json.dumps(entry["parameters"], sort_keys=True)
    return entry["activation"], parameters, entry["dtype"], entry["runner"]


def read(path: str | Path) -> list[dict[str, Any]]:
    """Return the entries of a results file; none if there is no such file.

    Raises
    ------
    FileError
        If the file is not one of `parity sweep`.
    """
    path = Path(path)
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        if plain["made_by"] != _MADE_BY:
            raise KeyError
        entries = [_strict(each) for each in plain["results"]]
        for each in entries:
            hash((key(each), each["exhaustive"], _line(each)))  # what `merge` will ask for, after long work
    except FileNotFoundError:
        return []
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"results {str(path)!r} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(f"results {str(path)!r} are not those of `parity sweep`; choose another file") from error
    return entries


def _strict(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the entry with None, as in Keras' signatures, for infinite parameters: JSON has no infinity."""
    parameters = {name: None if value == float("inf") else value for name, value in entry["parameters"].items()}
    return entry | {"parameters": parameters}


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, allow_nan=False)


def merge(path: str | Path, new: Iterable[dict[str, Any]]) -> None:
    """Put entries into a results file, in place of those of the same function, dtype and runner.

    An exhaustive result is not replaced by a sampled one.

    Raises
    ------
    FileError
        If the file exists and is not one of `parity sweep`, or cannot be written; it stays as it was then.
    """
    entries = {key(each): each for each in read(path)}
    for each in map(_strict, new):
        old = entries.get(key(each))
        if old is None or each["exhaustive"] or not old["exhaustive"]:
            entries[key(each)] = each
    lines = ",\n".join(map(_line, entries.values()))
    write(path, f'{{"made_by": "{_MADE_BY}", "results": [\n{lines}\n]}}\n')
