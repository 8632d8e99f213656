from __future__ import annotations

import pytest

from bench import forward
from bench.cases import CASES, Cell
from bench.measure import Settings
from bench.peers import PEERS
from bench.results import Limits, from_json

LIMITS = Limits(1, 1e11, "a kernel", 1e10, ((1 << 27, 1e10),))


def test_a_small_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward, "measure_apart", lambda threads: LIMITS)
    monkeypatch.setattr(forward, "commit", lambda: "0123abc")
    told: list[str] = []
    cells = [Cell(CASES["tutorial"], 3), Cell(CASES["odd"], 1)]
    settings = Settings(2, 0.001, 0.01, 1)
    record = forward.run(cells, [PEERS["refnet"], PEERS["NumPy"]], [1], settings, "a command", say=told.append)
    assert [(row.name, row.size, row.threads) for row in record.rows] == [("tutorial", 3, 1), ("odd", 1, 1)]
    assert [entry.status for row in record.rows for entry in row.measurements] == ["timed"] * 4
    tutorial = record.rows[0]
    assert (tutorial.flops, tutorial.elements) == (1500, 15)
    assert tutorial.limit == max(1500 / 1e11, tutorial.moved_bytes / 1e10)
    assert {"refnet", "numpy"} <= set(record.versions)
    assert record.limits == (LIMITS,)
    assert record.commit == "0123abc"
    assert "tutorial:3, 1 thread: comparing NumPy" in told
    assert from_json(record.to_json()) == record


def test_a_job_is_the_same_each_time() -> None:
    first, second = (forward.job(Cell(CASES["odd"], 4)) for _ in range(2))
    assert first.x.tobytes() == second.x.tobytes()
    assert [name for _, _, name in first.layers] == list(CASES["odd"].activations)
