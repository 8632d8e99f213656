"""The same bits on every CPU: what wide vectors compute, narrow ones and a CPU without fma compute too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TARGETS = {
    "avx2": ("haswell", "+avx,+avx2,+fma,+bmi,+bmi2,+sse4.2,+popcnt"),
    "no-fma": ("generic", ""),
}

CODE = """
import hashlib
import numpy as np
from refnet import activations
from refnet.engine.machine import machine
from refnet.engine.plan import Plan
from refnet.layers.operations import Activate, Matmul

rng = np.random.default_rng(0)
digest = hashlib.sha256()
for dtype in ("float32", "float64"):
    operations = [
        Matmul(rng.standard_normal((300, 37)).astype(dtype), rng.standard_normal(37).astype(dtype)),
        Activate(activations.get("sigmoid")),
        Matmul(rng.standard_normal((37, 10)).astype(dtype), None),
        Activate(activations.get("softmax")),
    ]
    digest.update(Plan(operations, 300, dtype)(rng.standard_normal((77, 300)).astype(dtype)).tobytes())
bits = rng.integers(0, 1 << 32, 1 << 16, dtype=np.uint32).view(np.float32)
wide = np.concatenate([rng.standard_normal(1 << 12) * 9, rng.integers(0, 1 << 64, 1 << 12, dtype=np.uint64).view("f8")])
for name in activations.names():
    activation = activations.get(name)
    if activation.kind == "elementwise" and not activation.required:
        y = activation(bits)
        digest.update(np.where(np.isnan(y), np.float32(0), y).tobytes())
        y = activation(wide)
        digest.update(np.where(np.isnan(y), 0.0, y).tobytes())
print(machine().vector_bytes, digest.hexdigest())
"""


def digest(cpu: str | None, features: str | None) -> tuple[int, str]:
    chosen = {} if cpu is None else {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features or ""}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, **chosen},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    width, value = done.stdout.split()
    return int(width), value


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_bits_do_not_depend_on_the_cpu(target):
    cpu, features = TARGETS[target]
    width, value = digest(cpu, features)

    assert width == {"avx2": 32, "no-fma": 16}[target]
    assert value == digest(None, None)[1]
