from __future__ import annotations

import dataclasses
import json

import pytest

from parity.sweep import checkpoint, job
from parity.sweep.checkpoint import Progress
from refnet.errors import FileError
from tests.parity.sweep.common import half_task

VERSIONS = {"refnet": "1"}


@pytest.fixture(scope="module")
def task():
    return half_task()


@pytest.fixture(scope="module")
def progress(task):
    plain = dataclasses.asdict(task)
    done = Progress(versions=VERSIONS)
    for start, stop in job.chunks(task)[:3]:
        done = done.with_chunk(job.run_chunk(plain, start, stop))
    return done


def test_what_is_saved_is_loaded(task, progress, tmp_path):
    path = checkpoint.path_of(tmp_path / "new", task)
    assert checkpoint.load(path, task, VERSIONS) == Progress(versions=VERSIONS)
    checkpoint.save(path, task, progress)
    assert checkpoint.load(path, task, VERSIONS) == progress
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_runner_whose_text_has_changed_begins_anew(task, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "mine_to_sweep.py"
    own = dataclasses.replace(task, runner="mine_to_sweep:f")
    paths = []
    for text in ("def f(x): return x\n", "def f(x): return -x\n"):
        module.write_text(text)
        paths.append(checkpoint.path_of(tmp_path, own))
    module.unlink()
    assert len({*paths, checkpoint.path_of(tmp_path, own)}) == 3


def test_a_formula_that_has_changed_begins_anew(task, tmp_path, monkeypatch):
    book = tmp_path / "rectifiers.py"
    monkeypatch.setattr(checkpoint, "sources", lambda: [book])
    paths = []
    for text in ("x * 2", "x + x"):
        book.write_text(text)
        paths.append(checkpoint.path_of(tmp_path, task))
    assert len(set(paths)) == 2


def test_a_chunk_that_comes_twice_counts_once(task, progress):
    again = job.run_chunk(dataclasses.asdict(task), 0, 4096)
    assert progress.with_chunk(again) == progress


def test_other_tasks_have_other_files(task, tmp_path):
    other = dataclasses.replace(task, parameters=(("x", 1.0),))
    assert checkpoint.path_of(tmp_path, task) != checkpoint.path_of(tmp_path, other)
    assert checkpoint.path_of(tmp_path, task).name.startswith("relu6-float16-tests-parity-sweep-planted-off_by_one-")


@pytest.mark.parametrize(
    "text", ["", "{", '{"version": 1', "[]", "{}", '{"version": 1, "task": 3}', pytest.param("[" * 99_999, id="deep")]
)
def test_a_damaged_file_is_named_in_one_sentence(task, tmp_path, text):
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(FileError, match=r"^checkpoint '.*c\.json' .*; delete it to begin again$"):
        checkpoint.load(path, task, VERSIONS)


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"done": each}
            for each in ([[0]], [0, 4096, 1], [0, 4096, 1 << 16], ["0"], [0.0], [False], [-4096], "0", None)
        ),
        *({"tally": {"histogram": each}} for each in ([], [0] * 16, [1] * 17, None)),
        *({"tally": {"undecided": each}} for each in (-1, 1.5, True, float("inf"))),
        *({"run_seconds": each} for each in (float("inf"), float("nan"), -1, 10**400)),
    ],
    ids=str,
)
def test_what_no_sweep_has_saved_is_damage_and_stays_as_it_is(task, progress, tmp_path, change):
    path = tmp_path / "c.json"
    checkpoint.save(path, task, progress)
    plain = json.loads(path.read_text())
    for key, value in change.items():
        plain[key] = plain[key] | value if isinstance(value, dict) else value
    before = json.dumps(plain)
    path.write_text(before)
    with pytest.raises(
        FileError, match=r"^checkpoint '.*c\.json' is not a sweep's progress; delete it to begin again$"
    ):
        checkpoint.load(path, task, VERSIONS)
    assert path.read_text() == before


def test_counts_that_do_not_fit_the_chunks_are_damage(task, progress, tmp_path):
    path = tmp_path / "c.json"
    checkpoint.save(path, task, progress)
    plain = json.loads(path.read_text())
    plain["done"].append(1 << 15)
    path.write_text(json.dumps(plain))
    with pytest.raises(FileError, match="counts 12,288 inputs where its chunks have 16,384"):
        checkpoint.load(path, task, VERSIONS)


def test_other_versions_cannot_go_on(task, progress, tmp_path):
    path = tmp_path / "c.json"
    checkpoint.save(path, task, progress)
    with pytest.raises(FileError, match="made with refnet 1, now refnet 2; delete it"):
        checkpoint.load(path, task, {"refnet": "2"})


def test_another_sweep_cannot_go_on(task, progress, tmp_path):
    path = tmp_path / "c.json"
    checkpoint.save(path, task, progress)
    with pytest.raises(FileError, match="belongs to another sweep"):
        checkpoint.load(path, dataclasses.replace(task, seed=9), VERSIONS)


def test_a_full_disk_is_said_and_leaves_the_old_file(task, progress, tmp_path, monkeypatch):
    path = tmp_path / "c.json"
    checkpoint.save(path, task, progress)
    before = path.read_text()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.open", full)
    with pytest.raises(FileError, match="No space left on device"):
        checkpoint.save(path, task, progress)
    monkeypatch.undo()
    assert path.read_text() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_folder_that_cannot_be_made_is_said(task, progress, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="folder cannot be made"):
        checkpoint.save(tmp_path / "file" / "c.json", task, progress)
