"""The parent's side of a worker: start it, ask it, stop it between its turns."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from multiprocessing.connection import Connection
from typing import Any

from bench.environment import ROOT, pins, pythonpath
from bench.jobs import LacksError
from refnet.errors import RefnetError

__all__ = ["Worker", "WorkerError"]

#: Longest silence before a worker is given up: torch.compile of the deep net takes a minute on a busy machine.
PATIENCE = 600.0


class WorkerError(RefnetError, RuntimeError):
    """A worker could not start, failed at what it was asked, or died."""


class Worker:
    """A peer in a process of its own, stopped (SIGSTOP) whenever it is not its turn.

    Stopping is what makes the turns clean: a library's threads that spin after a call would
    otherwise take the cores from the peer that comes next.

    Parameters
    ----------
    name : str
        The peer's name, for messages.
    entry : str
        ``module:function`` that builds a job: ``function(variant, job, threads) -> Ready``.
    variant : str
        Passed on to the function.
    threads : int
        Cores and threads that the process is held to.
    python : str, optional
        The interpreter, if it is not this one.
    library_threads : int, optional
        What libraries are told, if it is not `threads`: for code that brings its own threads.
    """

    def __init__(
        self,
        name: str,
        entry: str,
        variant: str,
        threads: int,
        python: str = sys.executable,
        library_threads: int | None = None,
    ) -> None:
        self.name, self.threads = name, threads
        ours, theirs = socket.socketpair()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        self._process = subprocess.Popen(
            [python, "-m", "bench.worker", str(theirs.fileno()), str(threads), entry, variant],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            env={**os.environ, **pins(library_threads or threads), "PYTHONPATH": pythonpath()},
            stdin=subprocess.DEVNULL,
            stdout=self._errors,
            stderr=self._errors,
        )
        theirs.close()
        self._connection = Connection(ours.detach())
        self._started = self._stopped = False

    def wait_until_ready(self) -> None:
        """Wait for the imports, which run while other workers import theirs; then stop the process.

        Raises
        ------
        WorkerError
            If the peer could not be imported.
        """
        if not self._started:
            self._receive(PATIENCE)
            self._started = True
            self._pause()

    def ask(self, command: str, *arguments: Any) -> Any:
        """Send one request and return its answer; the process runs only in between.

        Raises
        ------
        LacksError
            If the peer has no counterpart of what it is asked for.
        WorkerError
            If the peer failed or died.
        """
        self.wait_until_ready()
        self._resume()
        try:
            self._connection.send((command, *arguments))
            return self._receive(PATIENCE)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise WorkerError(self._obituary()) from error
        finally:
            self._pause()

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._connection.close()
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def _receive(self, patience: float) -> Any:
        if not self._connection.poll(patience):
            raise WorkerError(f"{self.name}: no answer within {patience:g} s")
        try:
            status, value = self._connection.recv()
        except (EOFError, ConnectionResetError) as error:
            raise WorkerError(self._obituary()) from error
        if status == "lacks":
            raise LacksError(value)
        if status == "error":
            raise WorkerError(f"{self.name}: {one_line(value)}")
        return value

    def _obituary(self) -> str:
        """Say in one sentence how the process ended, with the last line it wrote."""
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            return f"{self.name}: the worker closed its pipe"
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"{self.name}: the worker died with {how}" + (f" ({one_line(lines[-1])})" if lines else "")

    def _signal(self, number: int) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)

    def _pause(self) -> None:
        if not self._stopped:
            self._signal(signal.SIGSTOP)
            self._stopped = True

    def _resume(self) -> None:
        if self._stopped:
            self._signal(signal.SIGCONT)
            self._stopped = False


def one_line(text: str, most: int = 200) -> str:
    r"""Return the first line of ``text`` that says something, cut to ``most`` characters.

    Examples
    --------
    >>> one_line("  RuntimeError: no\n  at line 3")
    'RuntimeError: no'
    """
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no message")
    return line if len(line) <= most else line[: most - 1] + "…"
