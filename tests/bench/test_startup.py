from __future__ import annotations

import pytest

from bench import startup
from bench.startup import Start


def test_each_script_is_started_and_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "commit", lambda: "0123abc")
    starts = (
        Start(
            "short", "a short one", (("Python", "", ""), ("numpy", "", "import numpy"), ("bad", "", "import nothing_"))
        ),
    )
    record = startup.run(2, "python -m bench startup", starts=starts)
    assert record.commit == "0123abc"
    python, numpy, bad = record.rows[0].measurements
    assert python.status == numpy.status == "timed"
    assert python.summary is not None
    assert python.summary.rounds == 2
    assert python.peak_rss is not None
    assert numpy.peak_rss is not None
    assert numpy.peak_rss > python.peak_rss > 10**6
    assert bad.status == "failed"
    assert bad.note == "ModuleNotFoundError: No module named 'nothing_'"


def test_every_start_has_refnet_and_no_two_alike() -> None:
    for start in startup.STARTS:
        names = [who for who, _, _ in start.scripts]
        assert "refnet" in names
        assert len(set(names)) == len(names)
