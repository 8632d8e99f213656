"""What a sweep has done so far, in a file that is written whole or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import math
from pathlib import Path
from typing import Any

from parity.sweep import tally
from parity.sweep.job import chunks
from parity.sweep.tally import Tally
from parity.sweep.task import Task
from refnet.engine.objects import sources
from refnet.errors import FileError
from refnet.files.whole import write

__all__ = ["Progress", "load", "path_of", "save"]

_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Progress:
    """The chunks done and their tally.

    Attributes
    ----------
    done : frozenset of int
        Where the chunks done begin.
    tally : Tally
        Their sum.
    run_seconds, judge_seconds : float
        Time they took, over all processes.
    versions : dict
        Versions of what took part.
    """

    done: frozenset[int] = frozenset()
    tally: Tally = dataclasses.field(default_factory=Tally)
    run_seconds: float = 0.0
    judge_seconds: float = 0.0
    versions: dict[str, str] = dataclasses.field(default_factory=dict)

    def with_chunk(self, result: dict[str, Any]) -> Progress:
        """Return the progress after one more chunk; a chunk that is in already changes nothing."""
        if result["start"] in self.done:
            return self
        return dataclasses.replace(
            self,
            done=self.done | {result["start"]},
            tally=tally.add(self.tally, tally.read(result["tally"])),
            run_seconds=self.run_seconds + result["run_seconds"],
            judge_seconds=self.judge_seconds + result["judge_seconds"],
        )


def path_of(folder: str | Path, task: Task) -> Path:
    """Return the file of a task's progress: a name to read, and a hash of all that the tally depends on."""
    plain = json.dumps(dataclasses.asdict(task), sort_keys=True)
    key = hashlib.sha256(plain.encode() + _source(task.runner) + _book()).hexdigest()[:12]
    runner = "".join(each if each.isalnum() or each in "-_" else "-" for each in task.runner)
    return Path(folder) / f"{task.activation}-{task.dtype}-{runner}-{key}.json"


def _source(runner: str) -> bytes:
    """Return the text of a ``module:function``'s module: the tally of an older text is none of a newer one."""
    module, colon, _ = runner.partition(":")
    if not colon:
        return b""
    try:
        found = importlib.util.find_spec(module)
        return b"" if found is None or found.origin is None else Path(found.origin).read_bytes()
    except (ImportError, ValueError, OSError):  # no such module: the runner will say so
        return b""


def _book() -> bytes:
    """Return what refnet computes from, and what its truth is read from; a formula may have been mended meanwhile."""
    return b"".join(each.read_bytes() for each in sources())


def save(path: Path, task: Task, progress: Progress) -> None:
    """Write the progress.

    Raises
    ------
    FileError
        If the disk is full or the folder cannot be written to; what was saved before stays.
    """
    plain = {
        "version": _VERSION,
        "task": dataclasses.asdict(task),
        "versions": progress.versions,
        "done": sorted(progress.done),
        "run_seconds": progress.run_seconds,
        "judge_seconds": progress.judge_seconds,
        "tally": tally.write(progress.tally),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"checkpoint {str(path)!r}: folder cannot be made ({error.strerror})") from error
    write(path, json.dumps(plain))


def load(path: Path, task: Task, versions: dict[str, str]) -> Progress:
    """Return the progress saved in ``path``; none if there is no such file.

    Raises
    ------
    FileError
        If the file is damaged, or was made by other versions of what takes part.
    """
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Progress(versions=versions)
    except (OSError, ValueError, RecursionError) as error:
        why = str(error.strerror) if isinstance(error, OSError) else "is not JSON"
        raise FileError(_damaged(path, why)) from error
    try:
        if plain["version"] != _VERSION or plain["task"] != json.loads(json.dumps(dataclasses.asdict(task))):
            raise FileError(_damaged(path, "belongs to another sweep"))
        if plain["versions"] != versions:
            raise FileError(
                f"checkpoint {str(path)!r}: made with {_named(plain['versions'])}, now {_named(versions)}; "
                "delete it to begin again"
            )
        progress = _read(plain, {start for start, _ in chunks(task)})
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileError(_damaged(path, "is not a sweep's progress")) from error
    expected = sum(stop - start for start, stop in chunks(task) if start in progress.done)
    if task.step == 1 and progress.tally.count != expected:
        raise FileError(_damaged(path, f"counts {progress.tally.count:,} inputs where its chunks have {expected:,}"))
    return progress


def _read(plain: dict[str, Any], starts: set[int]) -> Progress:
    """Return what `save` put into ``plain``; chunks begin at ``starts``."""
    if not all(type(each) is int and each in starts for each in plain["done"]):
        raise ValueError("a chunk that the task has not")
    counted, run, judge = tally.read(plain["tally"]), float(plain["run_seconds"]), float(plain["judge_seconds"])
    if sum(counted.histogram) != counted.count or not all(0 <= each < math.inf for each in (run, judge)):
        raise ValueError("a histogram of other inputs, or seconds that cannot have passed")
    return Progress(frozenset(plain["done"]), counted, run, judge, plain["versions"])


def _damaged(path: Path, why: str) -> str:
    return f"checkpoint {str(path)!r} {why}; delete it to begin again"


def _named(versions: dict[str, str]) -> str:
    return ", ".join(f"{key} {each}" for key, each in versions.items())
