from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from bench.results import SCHEMA, STATUSES, Limits, Measurement, Record, Row, from_json, load, save
from bench.statistics import summarize
from refnet.errors import FileError

ROW = Row(
    "mnist",
    32,
    2,
    "784-512-512-10",
    784 * 32,
    10**9,
    10**6,
    0.5e-3,
    "compute",
    (
        Measurement("refnet", "timed", "", summarize([1e-3, 2e-3]), 0.1, 10**8),
        Measurement("keras call", "timed", "", summarize([6e-3]), 0.2, 10**9),
        Measurement("XLA", "timed", "", summarize([3e-3]), 0.2, 10**9),
        Measurement("NumPy", "disagrees", "found 1 where 0 ± 1e-07 is right", None, 5.0),
        Measurement("JAX", "not installed", "needs jax"),
    ),
)
RECORD = Record(
    "forward",
    "python -m bench",
    "2026-01-01T00:00:00+00:00",
    {"cpu": "one", "vectors": "avx2", "cores": 2, "system": "Linux 6", "python": "3.11.0"},
    {"refnet": "0.1.0"},
    {"rounds": 2, "slice_seconds": 0.06},
    (Limits(2, 1e11, "a kernel", 1e10, ((1024, 1e11),)),),
    (ROW,),
)


def test_a_record_goes_to_json_and_back() -> None:
    assert from_json(RECORD.to_json()) == RECORD


def test_the_json_has_these_fields() -> None:
    raw = json.loads(RECORD.to_json())
    assert raw["schema"] == SCHEMA
    assert set(raw) == {
        *("schema", "kind", "command", "date", "machine", "versions", "settings", "limits", "rows", "commit"),
    }
    assert set(raw["rows"][0]) == {
        *("name", "size", "threads", "text", "elements", "flops", "moved_bytes", "limit", "limited_by", "measurements"),
    }
    entry = raw["rows"][0]["measurements"][0]
    assert set(entry) == {"peer", "status", "note", "summary", "error", "peak_rss"}
    assert set(entry["summary"]) == {"median", "low", "high", "fastest", "slowest", "rounds"}
    assert all(entry["status"] in STATUSES for entry in raw["rows"][0]["measurements"])


def test_a_record_from_before_commits_were_named_is_read() -> None:
    raw = json.loads(RECORD.to_json())
    del raw["commit"]
    assert from_json(json.dumps(raw)) == RECORD


def test_when_names_the_commit_if_it_is_known() -> None:
    assert RECORD.when == RECORD.date
    assert dataclasses.replace(RECORD, commit="0123abc+").when == f"{RECORD.date}, commit 0123abc+"


def test_ratios() -> None:
    assert ROW.seconds("refnet") == 1.5e-3
    best = ROW.fastest()
    assert best is not None
    assert best.peer == "XLA"
    assert ROW.ratio_to_best() == 2.0
    assert ROW.share_of_limit() == pytest.approx(1 / 3, rel=1e-15)
    assert ROW.seconds("NumPy") is None
    assert ROW.of("torch") is ROW.seconds("torch") is None
    assert ROW.fastest({"keras call", "NumPy"}).peer == "keras call"  # type: ignore[union-attr]
    others = dataclasses.replace(ROW, measurements=ROW.measurements[1:])
    assert others.ratio_to_best() is others.share_of_limit() is None
    alone = dataclasses.replace(ROW, measurements=ROW.measurements[:1], limit=None)
    assert alone.fastest() is alone.ratio_to_best() is alone.share_of_limit() is None


def test_a_file_is_saved_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "new" / "newer" / "run.json"
    save(dataclasses.replace(RECORD, rows=()), path)
    save(RECORD, path)
    assert load(path) == RECORD
    assert [entry.name for entry in path.parent.iterdir()] == ["run.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 0}', '{"schema": 1}', "\xff"])
def test_what_is_no_record_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(FileError, match="accepted: a file written with --json"):
        load(path)


def test_a_record_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    path.write_text(json.dumps(json.loads(RECORD.to_json()) | {"schema": SCHEMA + 1}))
    with pytest.raises(FileError, match="accepted: a file written with --json"):
        load(path)


def test_what_json_has_no_number_for_is_not_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        dataclasses.replace(RECORD, settings={"slice_seconds": float("nan")}).to_json()


def test_a_missing_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        load(tmp_path / "none.json")
