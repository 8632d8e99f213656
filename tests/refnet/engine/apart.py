"""Running a function of a test module in a process of its own."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from refnet.engine import threads

ROOT = Path(__file__).parents[3]


def command(function: Callable[..., None], *arguments: Any, first: str = "") -> list[str]:
    """Return the command that runs the ``first`` statements, then the function."""
    code = f"{first}\nfrom {function.__module__} import {function.__name__} as function\nfunction(*{arguments!r})"
    return [sys.executable, "-u", "-c", code]


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **variables}


def run_apart(
    function: Callable[..., None], *arguments: Any, first: str = "", timeout: float = 300, **variables: str
) -> str:
    """Return what the function prints in a process of its own, and fail if that does not end well.

    A function that prints each case before it runs it is told by the last line which one failed.
    """
    try:
        done = subprocess.run(
            command(function, *arguments, first=first),
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"{function.__name__} has not ended after {timeout} s; it printed {late.stdout}") from None
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, f"exit code {done.returncode} after printing {last}; {done.stderr[-3000:]}"
    return done.stdout


def with_cores(count: int) -> None:
    """From now on let so many threads share a call, however many cores this machine has for them."""
    threads.cores = functools.cache(lambda: count)


def in_child(function: Callable[[], Any]) -> int:
    """Return the exit code of a forked child, 0 if the function says True; one that hangs is ended after a minute."""
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        code = 1
        try:
            code = 0 if function() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
