"""Which commit runs: what a record of results names beside the versions."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["commit"]


def commit(folder: Path = Path(__file__).parent) -> str | None:
    """Return the short commit of the checkout that refnet runs from, with "+" if what git tracks there has changed.

    Changes in ``results/`` do not count: what is measured is written there.

    Parameters
    ----------
    folder : Path
        Where the package is.

    Returns
    -------
    str or None
        None where the package is not in a checkout, or git is not installed.

    Examples
    --------
    >>> commit(Path("/")) is None
    True
    """

    def git(*arguments: str) -> str:
        command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")  # a checkout may also hold an environment with a copy
        name = git("rev-parse", "--short", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)results")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{name}+" if changed else name
