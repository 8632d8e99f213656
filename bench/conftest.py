"""The pytest-benchmark suites: ``pytest bench``. Every peer runs in this process, after its output was compared."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable

import pytest

from bench.environment import FIXED_VARIABLES, cores
from bench.jobs import Job, LacksError, Ready
from bench.peers import PEERS, installed
from bench.tolerance import truth

#: Each imports its own framework, which may not be installed; doctests would import them all.
collect_ignore_glob = ["peers/with_*.py"]

for name, value in FIXED_VARIABLES.items():
    os.environ.setdefault(name, value)


@pytest.fixture
def ready() -> Callable[[str, Job], Ready]:
    """Return what builds a job with a peer and compares its output; a peer that is wrong fails, one not there skips."""

    def build(name: str, job: Job) -> Ready:
        peer = PEERS[name]
        if installed(peer) is None:
            pytest.skip(f"{name} is not installed")
        module, _, function = peer.entry.partition(":")
        try:
            made: Ready = getattr(importlib.import_module(module), function)(peer.variant, job, len(cores()))
        except LacksError as lack:
            pytest.skip(str(lack))
        right = truth(job)
        output = made.to_numpy(made.run())
        _, wrong = right.judge(output.shape, right.pick(output))
        assert wrong is None, f"{name} disagrees, and is not timed: {wrong}"
        return made

    return build
