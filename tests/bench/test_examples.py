"""The examples in bench's docstrings; `pytest bench` runs the benchmarks instead."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import bench

MODULES = [
    module.name
    for module in pkgutil.walk_packages(bench.__path__, "bench.")
    # Each peer's module imports its framework; the suites import pytest-benchmark.
    if ".with_" not in module.name
    and ".test_" not in module.name
    and not module.name.endswith(("conftest", "__main__"))
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
