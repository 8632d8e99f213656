"""CI skips nothing that it installs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

SUITE = """
import pytest

def test_pinned():
    pytest.skip("could not import 'keras': No module named 'keras'")

def test_other():
    pytest.skip("torch is not installed; it is no part of the project")

def test_reason():
    pytest.skip("needs a GPU")
"""


@pytest.mark.parametrize(("ci", "closing"), [("1", "1 failed, 2 skipped"), ("", "3 skipped")])
def test_a_skip_for_a_pinned_package_fails_in_ci(tmp_path, ci, closing):
    for name in ("conftest.py", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "test_suite.py").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_suite.py"],
        cwd=tmp_path,
        env={**os.environ, "REFNET_CI": ci, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert closing in done.stdout, done.stdout
