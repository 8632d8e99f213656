"""The same bits on every CPU: what wide vectors compute, narrow ones and a CPU without fma compute too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from refnet import activations
from refnet.engine.machine import machine
from tests.refnet.engine.digests import INPUTS, digests

ROOT = Path(__file__).parents[3]

#: name -> (vector bytes, LLVM's CPU, its features); "again" is this CPU in a process of its own.
TARGETS = {
    "again": (None, None, None),
    "avx2": (32, "haswell", "+avx,+avx2,+fma,+bmi,+bmi2,+sse4.2,+popcnt"),
    "no-fma": (16, "generic", ""),
}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """Return target -> what `digests` gives there. The processes run at the same time; no-fma compiles everything."""
    processes = {}
    for target, (width, cpu, features) in TARGETS.items():
        if width is not None and width > machine().vector_bytes:
            continue
        chosen = {} if cpu is None else {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features}
        processes[target] = subprocess.Popen(
            [sys.executable, "-m", "tests.refnet.engine.digests"],
            env={**os.environ, "PYTHONPATH": str(ROOT), **chosen},
            stdout=subprocess.PIPE,
            text=True,
        )
    return {target: json.loads(process.communicate(timeout=600)[0]) for target, process in processes.items()}


@pytest.fixture(scope="module")
def here() -> dict[str, str]:
    return digests()


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_bits_do_not_depend_on_the_cpu(target, found, here):
    if target not in found:
        pytest.skip(f"this CPU's vectors are narrower than those of {target}")
    width = TARGETS[target][0] or machine().vector_bytes
    there = found[target]

    assert there["vector_bytes"] == width
    assert [name for name in here if here[name] != there["digests"][name]] == []


def test_every_activation_is_asked_in_every_dtype(here):
    for name in activations.names():
        for dtype in INPUTS:
            assert any(key.startswith(f"<activation {name}: ") and key.endswith(f" {dtype}") for key in here)
