from __future__ import annotations

import json

import pytest

from parity.sweep import results
from refnet.errors import FileError


def entry(name="tanh", runner="refnet", exhaustive=True, **others):
    whole = {"activation": name, "parameters": {}, "dtype": "float32", "runner": runner, "exhaustive": exhaustive}
    return whole | others


def test_there_are_none_without_a_file(tmp_path):
    assert results.read(tmp_path / "none.json") == []


def test_an_entry_takes_the_place_of_its_like(tmp_path):
    path = tmp_path / "r.json"
    results.merge(path, [entry(count=1), entry("elu")])
    results.merge(path, [entry(count=2), entry(runner="keras"), entry(parameters={"alpha": 2.0})])
    found = results.read(path)
    assert [(each["activation"], each["runner"], each.get("count")) for each in found] == [
        ("tanh", "refnet", 2),
        ("elu", "refnet", None),
        ("tanh", "keras", None),
        ("tanh", "refnet", None),
    ]


def test_samples_do_not_take_the_place_of_all_inputs(tmp_path):
    path = tmp_path / "r.json"
    results.merge(path, [entry(count=1)])
    results.merge(path, [entry(exhaustive=False, count=2)])
    assert results.read(path) == [entry(count=1)]


def test_infinite_parameters_are_written_as_json_can(tmp_path):
    path = tmp_path / "r.json"
    results.merge(path, [entry("relu", parameters={"max_value": float("inf")}, count=1)])
    assert "Infinity" not in path.read_text()
    results.merge(path, [entry("relu", parameters={"max_value": float("inf")}, count=2)])
    (found,) = results.read(path)
    assert (found["parameters"], found["count"]) == ({"max_value": None}, 2)


def test_a_line_is_an_entry(tmp_path):
    path = tmp_path / "r.json"
    results.merge(path, [entry(), entry("elu")])
    assert len(path.read_text().splitlines()) == 4


DAMAGED = {
    "a name that is none": entry() | {"activation": ["relu"]},
    "a number that JSON has not": entry() | {"seconds": float("nan")},
    "nothing of whether it is exhaustive": {key: each for key, each in entry().items() if key != "exhaustive"},
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_entry_is_refused_before_there_is_something_to_merge(tmp_path, name):
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"made_by": "parity sweep", "results": [DAMAGED[name]]}))
    with pytest.raises(FileError, match="are not those of `parity sweep`; choose another file"):
        results.read(path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", json.dumps({"made_by": "me", "results": []}), '{"made_by": 1', "[" * 100_000]
)
def test_another_file_is_refused_and_left_alone(tmp_path, text):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(FileError, match="are not those of `parity sweep`; choose another file"):
        results.merge(path, [entry()])
    assert path.read_text() == text


def test_a_folder_is_no_results_file(tmp_path):
    with pytest.raises(FileError, match="cannot be read: Is a directory"):
        results.read(tmp_path)
