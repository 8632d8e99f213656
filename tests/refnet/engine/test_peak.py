from __future__ import annotations

import ctypes
from typing import Any

from refnet.engine import peak as module
from refnet.engine.peak import LENGTHS, peak


def test_the_peak_is_a_rate_that_a_cpu_can_have():
    assert 1e8 < peak(0.02) < 1e13


def test_the_best_of_all_lengths_counts(monkeypatch):
    """With a clock that makes every run but the longest one slow, the peak is the rate of that one."""
    now, ran = [0.0], []

    def door(address: int) -> Any:
        def run(x: int, weight: int, z: int, inner: int, times: int) -> None:
            ran.append(inner)
            now[0] += 1.0 if inner == LENGTHS[-1] else 100.0

        return run

    monkeypatch.setattr(ctypes, "CFUNCTYPE", lambda *types: door)
    monkeypatch.setattr(module, "native", lambda name, recipe: 0)
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(module, "pack", lambda weight: weight)
    rows, vectors = module.machine().tile
    sums = 2 * rows * vectors * module.machine().lanes(4)

    rate = peak(500.0)

    assert set(ran) == set(LENGTHS)
    assert rate == 2.0 * 200 * sums * LENGTHS[-1]
