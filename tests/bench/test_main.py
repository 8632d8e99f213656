"""``python -m bench`` as a process of its own."""

from __future__ import annotations

import subprocess
import sys

from bench.environment import ROOT


def test_bad_use_has_code_two_and_no_traceback() -> None:
    done = subprocess.run([sys.executable, "-m", "bench", "nonsense"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("bench: command 'nonsense' unknown")
    assert done.stderr.count("\n") == 1
