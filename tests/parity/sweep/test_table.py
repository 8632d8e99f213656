from __future__ import annotations

import json

import pytest

from parity.sweep import results, table
from parity.sweep.run import sweep
from refnet.errors import FileError
from tests.parity.sweep.common import ROOT, half_task, row_task


@pytest.fixture(scope="module")
def entries():
    entry = sweep(half_task()).plain() | {"cpu": "a processor", "date": "2026-01-02", "versions": {"numpy": "2"}}
    other = json.loads(json.dumps(entry)) | {"activation": "relu", "runner": "refnet", "date": "2026-01-04"}
    return [entry, other]


def test_the_documents_are_those_of_the_committed_results():
    for path, text in table.documents(ROOT).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is old: run python -m parity.sweep.table"


def test_a_row_per_function_in_the_order_of_the_book(entries):
    lines = table.table(entries).splitlines()
    assert lines[0].split("|")[1:5] == [" function ", " refnet: misrounded ", " refnet: max ulp ", " refnet: at "]
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["`relu`", "`relu6`"]
    assert "| 4 | +1 | 1.7345e-05 (`0x123`) |" in lines[3]
    assert lines[3].startswith("| `relu6` | – | – | – |")


@pytest.mark.parametrize(
    ("got", "right", "words"),
    [("0x7e00", "0x3c00", "NaN for a number"), ("0x3c00", "0x7e00", "a number for NaN")],
)
def test_a_nan_is_named_on_the_side_where_it_is(entries, got, right, words):
    entry = json.loads(json.dumps(entries[0]))
    entry["classes"]["special"]["worst"] = ["0x7c00", got, right, "inf"]
    assert f"| {words} | inf (`0x7c00`) |" in table.table([entry])


def test_a_flag_is_true_or_false():
    assert table.title({"activation": "gelu", "parameters": {"approximate": True}}) == "gelu(approximate=True)"


def test_the_page_says_what_it_was_made_with(entries):
    text = table.page(entries)
    assert "## float16, all 65,536 inputs" in text
    assert "- `refnet`: numpy 2; a processor; 2026-01-04\n" in text
    assert text == table.page(list(reversed(entries)))
    assert "Nothing has been measured yet" in table.page([])


@pytest.fixture(scope="module")
def of_rows():
    return sweep(row_task()).plain() | {"cpu": "a processor", "date": "2026-01-02", "versions": {"numpy": "2"}}


def test_rows_have_a_part_of_their_own(entries, of_rows):
    text = table.page([*entries, of_rows])
    start = text.index("## Rows")
    assert "`softmax`" not in text[:start]
    assert "`relu6`" not in text[start : text.index("## Made with")]
    assert "### float32, rows" in text
    assert "## Rows" not in table.page(entries)
    assert all(len(line) <= 120 for line in text.splitlines() if not line.startswith("|"))


def test_the_worst_row_is_said_and_special_results_are_counted_apart(of_rows):
    head, _, line = table.rows_table([of_rows]).splitlines()
    name = of_rows["runner"]
    assert f"| {name}: at | {name}: special wrong |" in head
    worst = of_rows["classes"]["normal"]["worst_row"]
    assert f"| {worst['family']}, length 17, row 0, entry 5 | 0 |" in line
    wrong = json.loads(json.dumps(of_rows))
    wrong["classes"]["special"] |= {"misrounded": 7, "worst": ["0x1", "0x7fc00000", "0x3f800000", "inf"]}
    *_, line = table.rows_table([wrong]).splitlines()
    assert f"| {worst['family']}, length 17, row 0, entry 5 | 7 |" in line


def test_what_is_known_of_keras_is_said_where_keras_is(of_rows):
    keras = of_rows | {"activation": "sparsemax", "runner": "keras"}
    assert "keras#23425" in table.page([keras])
    assert "keras#23425" not in table.page([keras | {"runner": "refnet"}])


def test_a_table_goes_between_its_marks(entries):
    text = f"# A\n\n{table.BEGIN}\nold\n{table.END}\n\nafter\n"
    once = table.between(text, table.table(entries))
    assert "old" not in once
    assert once.startswith("# A\n")
    assert once.endswith("\n\nafter\n")
    assert table.between(once, table.table(entries)) == once
    assert table.between("nothing\n", "x") == "nothing\n"
    with pytest.raises(FileError, match="no '<!-- /accuracy -->' after it"):
        table.between(table.BEGIN, "x")


def test_the_command_writes_the_page(entries, tmp_path, capsys):
    (tmp_path / "results").mkdir()
    (tmp_path / "docs" / "reference").mkdir(parents=True)
    results.merge(tmp_path / "results" / "accuracy.json", entries)
    (tmp_path / "README.md").write_text(f"# A\n\n{table.BEGIN}\n{table.END}\n")
    assert table.main(["--root", str(tmp_path)]) == 0
    assert (tmp_path / "docs" / "reference" / "accuracy.md").read_text() == table.page(entries)
    (tmp_path / "results" / "accuracy.json").write_text("{")
    assert table.main(["--root", str(tmp_path)]) == 2
    assert "are not those of `parity sweep`" in capsys.readouterr().err
