from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bench import table
from bench.results import save
from tests.bench.test_results import RECORD, ROW

ROOT = Path(__file__).resolve().parents[2]


def project(folder: Path) -> Path:
    """Return a folder laid out like the project, with a record of forward passes and a README."""
    (folder / "docs" / "reference").mkdir(parents=True)
    save(RECORD, folder / "results" / "forward.json")
    (folder / "README.md").write_text(f"# A\n\n{table.BEGIN}\nold\n{table.END}\n\nafter\n")
    return folder


def test_the_documents_are_those_of_the_committed_records() -> None:
    for path, text in table.documents(ROOT).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is old: run python -m bench.table"


def test_both_readmes_have_the_table() -> None:
    made = table.documents(ROOT)
    assert {path.name for path in made} == {"speed.md", "README.md", "README.ja.md"}


def test_the_plot_is_that_of_the_committed_record() -> None:
    digest = table.digest(ROOT)
    plot = ROOT / table.PICTURE
    if digest:
        assert digest.encode() in plot.read_bytes(), "docs/speed.png is old: run python -m bench.table"
    else:
        assert not plot.exists(), "docs/speed.png has no record; add results/forward.json or delete it"


def test_a_line_per_cell_and_three_columns_per_number_of_threads() -> None:
    one = dataclasses.replace(ROW, threads=1, measurements=ROW.measurements[:1])
    lines = table.table(dataclasses.replace(RECORD, rows=(one, ROW))).splitlines()
    head = (
        "| case | rows | refnet, 1 thread | fastest other | refnet is | refnet, 2 threads | fastest other | refnet is |"
    )
    assert lines[0] == head
    assert lines[2:] == ["| `mnist` | 32 | 1.50 ms | – | – | 1.50 ms | XLA, 3.00 ms | 2.00× |"]


def test_a_cell_that_was_not_measured_on_some_threads_is_a_dash() -> None:
    rows = (dataclasses.replace(ROW, threads=1), dataclasses.replace(ROW, name="wide"))
    lines = table.table(dataclasses.replace(RECORD, rows=rows)).splitlines()
    assert lines[2].endswith("2.00× | – | – | – |")
    assert lines[3].startswith("| `wide` | 32 | – | – | – |")


def test_the_command_writes_page_table_and_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    root = project(tmp_path)
    assert table.main(["--root", str(root)]) == 0
    readme = (root / "README.md").read_text()
    assert "old" not in readme
    assert "2.00×" in readme
    assert "](docs/speed.png)" in readme
    assert readme.endswith("after\n")
    assert (root / table.PAGE).read_text().startswith("# Speed\n")
    assert table.digest(root).encode() in (root / table.PICTURE).read_bytes()
    assert {path: path.read_text() for path in table.documents(root)} == table.documents(root)

    save(dataclasses.replace(RECORD, date="2026-02-02T00:00:00+00:00"), root / "results" / "forward.json")
    assert table.digest(root).encode() not in (root / table.PICTURE).read_bytes()
    (root / "results" / "forward.json").write_text("{")
    assert table.main(["--root", str(root)]) == 2
    assert "is not a record of a run" in capsys.readouterr().err


def test_without_a_record_there_is_no_table_and_no_plot(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "results" / "forward.json").unlink()
    assert table.main(["--root", str(root)]) == 0
    assert (root / "README.md").read_text() == f"# A\n\n{table.BEGIN}\n{table.END}\n\nafter\n"
    assert "Nothing has been measured yet" in (root / table.PAGE).read_text()
    assert not (root / table.PICTURE).exists()
