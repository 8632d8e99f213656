from __future__ import annotations

import json

import pytest

from parity.report.json import FORMAT
from tests.parity.report.example import KNOWN, WRONG, report


def test_json_holds_everything_in_full():
    data = json.loads(report(isolated=KNOWN).to_json())
    assert data["format"] == FORMAT
    assert data["verdict"] == "known difference"
    assert data["exit_code"] == 0
    assert data["input_shape"] == [2, 10]
    assert data["layers"][1]["isolated"]["findings"][0]["name"] == "gelu tail"
    assert data["layers"][0]["isolated"]["worst"]["peer"] == 0.50000006
    assert data["layers"][0]["cumulative"]["closer"] == "refnet"
    assert data["layers"][1]["verdict"] == "known difference"
    assert data["outputs"][1]["comparison"] is None
    assert data["environment"]["versions"]["keras"] == "3.15.1"
    assert len(data["histogram_edges"]) == len(data["layers"][0]["isolated"]["histogram"])


def test_json_is_json_also_with_infinities_and_nan():
    text = report(isolated=WRONG).to_json()
    data = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert data["layers"][1]["isolated"]["ratio"] == "inf"
    assert data["layers"][1]["isolated"]["worst"]["peer"] == "nan"
    assert data["cause"] == "two"
