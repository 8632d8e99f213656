"""What a new process costs: its time from start to end, and the memory it takes at most."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.environment import FIXED_VARIABLES, ROOT, machine, pythonpath, today, versions
from bench.peers import PEERS, installed
from bench.process import one_line
from bench.results import Measurement, Record, Row
from bench.statistics import summarize
from refnet.commit import commit

__all__ = ["STARTS", "Start", "run"]

#: Appended to every script. VmHWM, not ru_maxrss: the latter begins with what the parent held when it forked.
TELL_RSS = """
import sys
try:
    with open("/proc/self/status") as status:
        print("RSS", next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:")))
except OSError:
    import resource
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("RSS", size if sys.platform == "darwin" else size * 1024)
"""

TUTORIAL = """
model = library.Sequential([library.Input((5,))])
model.add(library.layers.Dense(10, activation="relu"))
model.add(library.layers.Dense(10, activation="relu"))
model.add(library.layers.Dense(10, activation="softmax"))
assert model(np.ones((3, 5), np.float32)).shape == (3, 10)
"""

#: Four predictions: enough for buffers that grow to have grown.
MNIST = """
model = library.Sequential([library.Input((784,))])
model.add(library.layers.Dense(512, activation="relu"))
model.add(library.layers.Dense(512, activation="relu"))
model.add(library.layers.Dense(10, activation="softmax"))
x = np.ones((4096, 784), np.float32)
for _ in range(4):
    assert model(x).shape == (4096, 10)
"""


@dataclass(frozen=True)
class Start:
    """One thing that a new process is started for, and the script that does it, per package.

    Attributes
    ----------
    name, text : str
        Short, and for a reader.
    scripts : tuple of (str, str, str)
        Who does it; the peer in `bench.peers.PEERS` that must be installed for it, or an empty string; and the script.
    """

    name: str
    text: str
    scripts: tuple[tuple[str, str, str], ...]


def _built(package: str, body: str) -> str:
    return f"import numpy as np\nimport {package} as library\n{body}"


STARTS = (
    Start(
        "import",
        "import",
        (
            ("Python alone", "", ""),
            ("numpy", "", "import numpy"),
            ("refnet", "", "import refnet"),
            ("keras", "keras call", "import keras"),
        ),
    ),
    Start(
        "first",
        "first prediction (tutorial, 3 rows)",
        (("refnet", "", _built("refnet", TUTORIAL)), ("keras call", "keras call", _built("keras", TUTORIAL))),
    ),
    Start(
        "mnist",
        "four predictions (mnist, 4096 rows)",
        (("refnet", "", _built("refnet", MNIST)), ("keras call", "keras call", _built("keras", MNIST))),
    ),
)


def run(
    rounds: int,
    command: str,
    say: Callable[[str], None] = lambda text: None,
    starts: Sequence[Start] = STARTS,
) -> Record:
    """Start each process ``rounds`` times, in turns, after one start that is not timed and fills the caches.

    Returns
    -------
    Record
        Of the kind ``startup``; ``seconds`` are those of the whole process.
    """
    measured = commit()  # now, as the checkout may change while this runs
    rows = []
    for start in starts:
        say(f"{start.text}: first start")
        measurements = _take_turns(start, rounds, say)
        rows.append(Row(start.name, 0, 0, start.text, 0, 0, 0, None, "", measurements))
    wanted = {name for _, peer, _ in _scripts(starts) if peer for name in PEERS[peer].distributions}
    return Record(
        kind="startup",
        command=command,
        date=today(),
        machine=machine(),
        versions=versions(dict.fromkeys([*PEERS["refnet"].distributions, *sorted(wanted)])),
        settings={"rounds": rounds},
        limits=(),
        rows=tuple(rows),
        commit=measured,
    )


def _scripts(starts: Sequence[Start]) -> list[tuple[str, str, str]]:
    return [script for start in starts for script in start.scripts]


def _take_turns(start: Start, rounds: int, say: Callable[[str], None]) -> tuple[Measurement, ...]:
    """Return one measurement for each script of a start."""
    seconds: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    failed: dict[str, Measurement] = {}
    for number in range(-1, rounds):
        for who, peer, script in start.scripts:
            if who in failed:
                continue
            if peer and installed(PEERS[peer]) is None:
                failed[who] = Measurement(who, "not installed", f"needs {' and '.join(PEERS[peer].needs)}")
                continue
            say(f"{start.text}: {who}, {'not timed' if number < 0 else f'{number + 1} of {rounds}'}")
            taken, size, trouble = once(script)
            if trouble:
                failed[who] = Measurement(who, "failed", trouble)
            elif number >= 0:
                seconds.setdefault(who, []).append(taken)
                sizes[who] = max(size, sizes.get(who, 0))
    return tuple(
        failed.get(who) or Measurement(who, "timed", "", summarize(seconds[who]), None, sizes[who])
        for who, _, _ in start.scripts
    )


def once(script: str) -> tuple[float, int, str]:
    """Run a script in a new process; return its seconds, its largest resident size in bytes, and what went wrong."""
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script + TELL_RSS],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **FIXED_VARIABLES, "PYTHONPATH": pythonpath()},
    )
    taken = time.perf_counter() - begin
    told = [line for line in done.stdout.splitlines() if line.startswith("RSS ")]
    if done.returncode or not told:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        return taken, 0, one_line(lines[-1])
    return taken, int(told[-1].split()[1]), ""
