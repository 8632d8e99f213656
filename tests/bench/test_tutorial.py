from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import refnet
from bench import tutorial
from bench.measure import Settings

SETTINGS = Settings(2, 0.001, 0.01, 1)


class Report:
    sentence = "agree: all of it"
    agree = True

    def __str__(self) -> str:
        return "the parity table"

    def to_html(self) -> str:
        return "<html>whole</html>"


class Differs(Report):
    sentence, agree = "differ: layer 'dense'", False


def model() -> refnet.Sequential:
    made = refnet.Sequential([refnet.Input((5,)), refnet.layers.Dense(10, "relu"), refnet.layers.Dense(10, "relu")])
    made.add(refnet.layers.Dense(10, "softmax"))
    return made


@pytest.mark.parametrize(("report", "code"), [(Report(), 0), (Differs(), 1)])
def test_both_tables_the_page_and_one_last_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, report: Any, code: int
) -> None:
    from parity import tutorial as main_job

    monkeypatch.setattr(main_job, "report", lambda: report)
    monkeypatch.setattr(main_job, "models", lambda: (model(), None, None))
    to, page = Console(file=io.StringIO(), width=100), tmp_path / "out" / "parity.html"
    assert tutorial.run(to, page, SETTINGS, batches=(1, 3), names=("refnet", "NumPy")) == code
    told = to.file.getvalue()  # type: ignore[attr-defined]
    assert "the parity table" in told
    assert "3 rows" in told
    assert told.rstrip().splitlines()[-1] == report.sentence
    assert page.read_text() == "<html>whole</html>"
