from __future__ import annotations

import shutil
import subprocess

import pytest

from refnet.commit import commit

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def package(tmp_path):
    """Return a folder with an __init__.py, in a checkout of one commit that also has results."""
    for file in ("package/__init__.py", "results/speed.json"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_text("")
    named = ("-c", "user.name=N", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "-A"), (*named, "commit", "-qm", "all")):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path / "package"


@needs_git
def test_the_commit_and_whether_anything_has_changed_since(package):
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=package, capture_output=True, text=True, check=True).stdout
    name = commit(package)
    assert name
    assert len(name) >= 7
    assert head.startswith(name)
    (package.parent / "results" / "speed.json").write_text("measured")
    (package / "new.py").write_text("")
    assert commit(package) == name
    (package / "__init__.py").write_text("changed")
    assert commit(package) == f"{name}+"


@needs_git
def test_a_copy_inside_a_checkout_is_none_of_it(package):
    copy = package / "site-packages" / "package"
    shutil.copytree(package, copy)
    assert commit(copy) is None


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert commit() is None
