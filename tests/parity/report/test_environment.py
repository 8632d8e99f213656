from __future__ import annotations

import importlib.metadata
import platform
from unittest.mock import Mock

import refnet
from parity.report import environment


def test_it_says_versions_processor_and_threads():
    found = environment.describe()
    assert found["versions"]["python"] == platform.python_version()
    assert "numpy" in found["versions"]
    assert found["threads"] >= 1
    assert found["cpu"]
    assert isinstance(found["cpu_flags"], list)


def test_refnet_has_a_version_where_nothing_is_installed(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "distribution", Mock(side_effect=importlib.metadata.PackageNotFoundError))
    assert environment.versions() == {"python": platform.python_version(), "refnet": refnet.__version__}


def test_settings_that_change_results_are_told(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert environment.describe()["settings"]["TF_ENABLE_ONEDNN_OPTS"] == "0"
