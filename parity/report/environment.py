"""Where a report was made: versions, CPU, threads. Look here before blaming numerics."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterable
from typing import Any

import refnet
from refnet.engine.machine import processor

__all__ = ["describe", "versions", "versions_of"]

#: CPU features that decide which kernels run.
_FLAGS = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "asimd", "sve")

_SETTINGS = (
    "KERAS_BACKEND",
    "TF_ENABLE_ONEDNN_OPTS",
    "OMP_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "REFNET_NUM_THREADS",
)


def versions() -> dict[str, str]:
    """Return the versions of what takes part, as installed."""
    packages = ("numpy", "numba", "llvmlite", "keras", "tensorflow")
    return {"python": platform.python_version(), **versions_of(packages)}


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the version of refnet, and of those of these packages that are installed."""
    found = {"refnet": refnet.__version__}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def describe() -> dict[str, Any]:
    """Return versions, operating system, CPU with its flags, threads, and the settings that change results."""
    model, flags = processor()
    return {
        "versions": versions(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": model,
        "cpu_flags": [flag for flag in _FLAGS if flag in flags],
        "threads": _threads(),
        "backend": _backend(),
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
    }


def _threads() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _backend() -> str:
    keras = sys.modules.get("keras")  # only if a check has loaded it
    return str(keras.backend.backend()) if keras is not None else ""
