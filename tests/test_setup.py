"""``make`` on a machine that lacks something: one sentence that says what, and what to install."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("sh", "dirname", "basename", "rm", "touch", "mkdir", "chmod")


@pytest.fixture
def machine(tmp_path):
    """Return ``run(interpreters)``, where interpreters is {name: (version, has_venv)}; run returns code and stderr."""
    project = tmp_path / "project"
    (project / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "setup", project / ".ci" / "setup")
    path = tmp_path / "bin"
    path.mkdir()
    for tool in TOOLS:
        (path / tool).symlink_to(shutil.which(tool))

    def run(**interpreters: tuple[str, bool]) -> tuple[int, str]:
        for name, (version, has_venv) in interpreters.items():
            fake = path / name.replace("_", ".")
            fake.write_text(FAKE.format(version=version, venv=0 if has_venv else 1))
            fake.chmod(0o755)
        done = subprocess.run(
            ["sh", ".ci/setup"], cwd=project, env={"PATH": str(path)}, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stderr

    run.project = project
    return run


# An interpreter that knows its version, whether it has venv, and how to make one whose pip always succeeds.
FAKE = """#!/bin/sh
case "$*" in
*version_info*) echo {version} ;;
*ensurepip*) exit {venv} ;;
"-m venv --clear .venv") mkdir -p .venv/bin
    printf '#!/bin/sh\\necho {version}\\n' > .venv/bin/python
    chmod +x .venv/bin/python ;;
*) exit 1 ;;
esac
"""


def test_no_python(machine):
    code, said = machine()
    assert code == 2
    assert said == (
        "refnet: no Python found, and 3.11, 3.12 or 3.13 is needed; install it: apt install python3 python3-venv\n"
    )


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.14", "2.7"])
def test_another_python(machine, version):
    code, said = machine(python3=(version, True))
    assert code == 2
    assert said == (
        f"refnet: python3 is Python {version}, and 3.11, 3.12 or 3.13 is needed; "
        "install one: apt install python3.13 python3.13-venv\n"
    )


def test_debian_without_venv(machine):
    code, said = machine(python3=("3.11", False))
    assert code == 2
    assert said == "refnet: python3 (Python 3.11) has no venv module; install it: apt install python3-venv\n"


def test_the_newer_one_lacks_venv(machine):
    code, said = machine(python3=("3.9", True), python3_12=("3.12", False))
    assert code == 2
    assert said == "refnet: python3.12 (Python 3.12) has no venv module; install it: apt install python3.12-venv\n"


def test_a_newer_one_beside_an_old_one_is_taken(machine):
    code, said = machine(python3=("3.9", True), python3_12=("3.12", True))
    assert code == 0, said
    assert "with python3.12 (Python 3.12)" in said
    assert (machine.project / ".venv" / "installed").exists()
