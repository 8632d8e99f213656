"""The machine, the versions, and what pins a process to a number of threads."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Iterable
from pathlib import Path

import refnet
from refnet.engine.machine import processor

__all__ = ["cores", "machine", "pin", "pins", "pythonpath", "today", "versions"]

ROOT = Path(__file__).resolve().parent.parent

#: What each library reads when it is imported. One thread more than asked for is one too many.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "NPROC",  # the thread pool of XLA's CPU client, that is of JAX
    "REFNET_NUM_THREADS",
)

#: Settings that do not depend on the number of threads: CPU only, and quiet.
FIXED_VARIABLES = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    "PYTHONWARNINGS": "ignore",
}


def cores() -> tuple[int, ...]:
    """Return the processor cores that this process may use, in ascending order."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def pins(threads: int) -> dict[str, str]:
    """Return the environment variables that hold every library to ``threads`` threads.

    Examples
    --------
    >>> pins(2)["OMP_NUM_THREADS"]
    '2'
    """
    variables = {name: str(threads) for name in THREAD_VARIABLES} | FIXED_VARIABLES
    if threads == 1:
        variables["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    return variables


def pin(threads: int) -> None:
    """Hold this process to the first ``threads`` of its cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores()[:threads])


def pythonpath() -> str:
    """Return the ``PYTHONPATH`` with which another process finds this checkout."""
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))


def cpu_vectors() -> str:
    """Return the widest vector instructions that the processor has: the name says what peaks are possible."""
    flags = processor()[1]
    widest = [name for name in ("avx512f", "avx2", "asimd", "sse4_2") if name in flags]
    return widest[0] if widest else "unknown"


def machine() -> dict[str, str | int]:
    """Return what a reader must know about the machine to judge a timing."""
    return {
        "cpu": processor()[0],
        "vectors": cpu_vectors(),
        "cores": len(cores()),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """Return the installed version of each distribution; those not installed are left out."""
    found = {}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if name == "refnet":  # run from a checkout that is not installed
                found[name] = refnet.__version__
    return found


def today() -> str:
    """Return the date and time of the run, in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
