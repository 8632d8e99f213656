"""Where chunks run: in this process, in several, or on a Dask cluster. Results come as they are ready."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent import futures
from multiprocessing import connection
from typing import Any
from urllib.parse import urlsplit

import refnet
from parity.sweep.job import run_chunk, versions_of
from parity.sweep.task import Task
from refnet.errors import RefnetError, UnsupportedError

__all__ = ["WorkerError", "here", "on_cluster", "processes"]

Chunk = tuple[int, int]

#: Each process of several computes with one thread; what libraries read when they are imported.
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "REFNET_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)

#: Seconds that a scheduler has to answer in, and the port where one listens if the address names none.
_PATIENCE, _PORT = 10, 8786


class WorkerError(RefnetError):
    """A process that ran chunks died, or a cluster gave up on one."""


def here(task: Task, chunks: list[Chunk]) -> Iterator[dict[str, Any]]:
    """Run the chunks one after the other in this process."""
    plain = dataclasses.asdict(task)
    for start, stop in chunks:
        yield run_chunk(plain, start, stop)


def processes(task: Task, chunks: list[Chunk], jobs: int) -> Iterator[dict[str, Any]]:
    """Run the chunks in ``jobs`` processes of one thread each.

    Raises
    ------
    WorkerError
        If one of them dies.
    """
    plain = dataclasses.asdict(task)
    with _environment(dict.fromkeys(_ONE_THREAD, "1")):
        spawn, count = multiprocessing.get_context("spawn"), min(jobs, len(chunks) or 1)
        pool = futures.ProcessPoolExecutor(count, spawn, initializer=_end_with_parent)
        workers = pool._processes  # the pool forgets them at its end
        try:
            with _no_interrupt():
                waiting = {pool.submit(run_chunk, plain, start, stop) for start, stop in chunks}
            while waiting:
                ready, waiting = futures.wait(waiting, return_when=futures.FIRST_COMPLETED)
                for each in ready:
                    yield each.result()
        except futures.process.BrokenProcessPool as error:
            pool.shutdown(wait=True, cancel_futures=True)  # after it all have their exit codes
            raise WorkerError(_death([worker.exitcode for worker in workers.values()], task.runner)) from error
        except BaseException:  # Ctrl-C, an error, or a caller who wants no more: no result of theirs is waited for
            for worker in list(workers.values()):
                worker.kill()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _death(codes: Iterable[int | None], runner: str) -> str:
    """Return how the first of several workers died; the others were ended then, by SIGTERM."""
    code = next((code for code in codes if code not in (None, -signal.SIGTERM)), None)
    if code is None or code == -9:  # SIGKILL is what Linux sends where memory ends
        return "a worker process died, perhaps for want of memory; accepted: fewer --jobs"
    try:
        how = signal.Signals(-code).name
    except ValueError:
        how = f"exit code {code}"
    return (
        f"a worker process died ({how}) while runner {runner!r} computed;"
        " accepted: a function that returns, or fewer --jobs if memory is short"
    )


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Keep Ctrl-C from processes that are started meanwhile, for good, and from this one until the end.

    A worker would take it for the result of its chunk, and begin the next.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """Have this worker end when its parent is killed: it would wait for work for ever, as it holds the queue open."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # a worker has one

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables that the processes started meanwhile inherit."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def on_cluster(task: Task, chunks: list[Chunk], address: str) -> Iterator[dict[str, Any]]:
    """Run the chunks on the workers of a running dask.distributed scheduler.

    The scheduler and the workers need this refnet, the workers also what the runner needs, in the versions of this
    process, which the results name. Chunks of a worker that is lost run again on another.

    Raises
    ------
    UnsupportedError
        If dask.distributed is not installed.
    WorkerError
        If the scheduler cannot be reached, has no workers or another refnet, or gives up on a chunk; if a worker has
        other versions.
    """
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise UnsupportedError("--scheduler needs dask.distributed: pip install 'refnet[dask]'") from error
    try:
        _knock(address)
        client = distributed.Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise WorkerError(
            f"scheduler {address!r} cannot be reached; accepted: the address of a running one, as tcp://host:8786"
        ) from error
    with client:
        yield from _gather(distributed, client, task, chunks, address)


def _knock(address: str) -> None:
    """Open and close a connection: a Client that finds nobody spends 20 seconds more and a traceback on its end.

    A scheduler that is just starting refuses at first, so it is asked again until patience ends.
    """
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            place = parts.hostname or "", parts.port or _PORT
            with socket.create_connection(place, timeout=_PATIENCE) as connection:
                if parts.scheme == "tcp" and not _speaks_first(connection):
                    raise OSError("nobody there who begins as a Dask scheduler does")
            return
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _speaks_first(connection: socket.socket) -> bool:
    """Return whether the other side begins as Dask does: with how many frames follow, low byte first."""
    connection.settimeout(_PATIENCE)
    begin = b""
    while len(begin) < 8:
        more = connection.recv(8 - len(begin))
        if not more:
            return False
        begin += more
    return 0 < int.from_bytes(begin, "little") < 1000


def _gather(distributed: Any, client: Any, task: Task, chunks: list[Chunk], address: str) -> Iterator[dict[str, Any]]:
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError as error:
        raise WorkerError(f"scheduler {address!r} has no workers; start some and try again") from error
    plain = dataclasses.asdict(task)
    sent: list[Any] = []
    try:
        sent += [client.submit(run_chunk, plain, start, stop, pure=False, retries=3) for start, stop in chunks]
        for future in distributed.as_completed(sent, loop=client.loop):
            result = future.result()
            _require_versions(result["versions"], versions_of(task), address)
            yield result
            future.release()
    except RefnetError:
        raise
    except distributed.KilledWorker as error:
        raise WorkerError(f"scheduler {address!r}: a chunk took several workers with it and was given up") from error
    except (futures.CancelledError, distributed.comm.CommClosedError, OSError) as error:
        raise WorkerError(f"scheduler {address!r} went away before the sweep was done") from error
    except ImportError as error:
        raise WorkerError(f"scheduler {address!r}: a worker cannot import what it needs ({error})") from error
    except Exception as error:  # whatever a scheduler or worker without refnet, or with another, raises
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise WorkerError(
            f"scheduler {address!r}: a chunk cannot run there ({reason}); accepted: a scheduler and workers with the"
            f" refnet of this process, {refnet.__version__}"
        ) from error
    finally:
        with contextlib.suppress(Exception):
            client.cancel(sent)


def _require_versions(theirs: dict[str, str], ours: dict[str, str], address: str) -> None:
    other = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    if other:
        there, here = (", ".join(f"{name} {of.get(name, 'missing')}" for name in other) for of in (theirs, ours))
        raise WorkerError(
            f"scheduler {address!r}: a worker has {there}, this process {here}; accepted: the same versions on both"
        )
