"""Peers that misbehave on purpose; `bench.worker` imports this as any peer's module."""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from bench.jobs import Job, LacksError, Ready


def build(variant: str, job: Job, threads: int) -> Ready:
    if variant == "lacks":
        raise LacksError("it has none")
    if variant == "fails":
        raise RuntimeError("it broke\nin a second line")
    if variant == "dies":
        sys.stdout.write("last words")
        sys.stdout.flush()
        os._exit(3)
    if variant == "killed":
        os.abort()
    if variant == "threads":
        return Ready(lambda: np.array([threads, len(os.sched_getaffinity(0)), int(os.environ["OMP_NUM_THREADS"])]))
    if variant == "wrong":
        return Ready(lambda: job.x + 1)
    if variant == "shape":
        return Ready(lambda: job.x[:1])
    if variant == "slow":
        return Ready(lambda: (time.sleep(0.01), np.maximum(job.x, 0))[1])
    if variant == "nan":
        return Ready(lambda: np.full_like(job.x, np.nan))
    return Ready(lambda: np.maximum(job.x, 0))


def plus_one(number: int) -> int:
    return number + 1
