from __future__ import annotations

import json

import pytest

from parity.sweep import importing, results, tally
from parity.sweep.run import sweep, task_for
from refnet import activations


@pytest.fixture(scope="module")
def found():
    return sweep(task_for(activations.REGISTRY["relu6"], "float16", "refnet")).tally


def test_a_tally_becomes_an_entry(found, tmp_path):
    file, into = tmp_path / "relu6.json", tmp_path / "r.json"
    file.write_text(json.dumps(tally.write(found)))
    assert importing.main(["relu6", str(file), "--dtype", "float16", "--file", str(into)]) == 0
    (entry,) = results.read(into)
    assert (entry["activation"], entry["runner"], entry["inputs"], entry["exhaustive"]) == (
        "relu6",
        "refnet",
        1 << 16,
        True,
    )
    assert tally.read(entry) == found
    assert entry["range"] == ["0.0", "6.0"]
    assert "numba" in entry["versions"]
    assert entry["commit"] is None
    assert "seconds" not in entry


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"classes": 3}'])
def test_what_is_no_tally_is_refused(tmp_path, text, capsys):
    file = tmp_path / "t.json"
    file.write_text(text)
    assert importing.main(["tanh", str(file), "--file", str(tmp_path / "r.json")]) == 2
    assert "is not one that parity.sweep.tally wrote" in capsys.readouterr().err
    assert not (tmp_path / "r.json").exists()


def test_a_tally_of_some_inputs_only_is_refused(found, tmp_path, capsys):
    file = tmp_path / "t.json"
    file.write_text(json.dumps(tally.write(found)))
    assert importing.main(["relu6", str(file), "--file", str(tmp_path / "r.json")]) == 2
    assert "counts 65,536 inputs; accepted: all 4,294,967,296 of float32" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_said(tmp_path, capsys):
    assert importing.main(["tanh", str(tmp_path / "none.json")]) == 2
    assert "cannot be read: No such file" in capsys.readouterr().err
