"""What tests, doctests and benchmarks share: names that start afresh, and CI's promise to skip nothing it installs."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def fresh_names() -> None:
    """Start the numbers of automatic layer names again for each test, as a new process does."""
    from refnet.layers.naming import clear_session

    clear_session()


def _missing(reason: str) -> str:
    """Return the package for whose want something is skipped, or an empty string."""
    found = re.search(r"could not import '(\w+)|([\w-]+) is not installed", reason)
    return (found[1] or found[2]).lower().replace("_", "-") if found else ""


def _installed_in_ci() -> set[str]:
    pins = (Path(__file__).parent / "constraints.txt").read_text()
    return {name.lower().replace("_", "-") for name in re.findall(r"^([\w.-]+)==", pins, re.MULTILINE)}


def _held_to_its_promise(report: Any) -> Any:
    """Turn a skip for want of a package into a failure where that package is installed (.ci/run sets REFNET_CI)."""
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("REFNET_CI"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if _missing(reason) in _installed_in_ci():
            report.outcome = "failed"
            report.longrepr = f"{report.nodeid} was skipped, though CI installs what it needs: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Look at the skips of tests."""
    return _held_to_its_promise((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """Look at the skips of whole modules."""
    return _held_to_its_promise((yield))
