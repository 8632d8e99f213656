from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from bench.jobs import Activation, LacksError
from bench.process import Worker, WorkerError

FAKES = str(Path(__file__).parent)
JOB = Activation("relu", np.linspace(-1, 1, 12, dtype=np.float32).reshape(6, 2), {})


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", FAKES)


@pytest.fixture
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    with closing(Worker("fake", "fakes:build", request.param, 1)) as made:
        yield made


def state(worker: Worker) -> str:
    return Path(f"/proc/{worker._process.pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("worker", ["right"], indirect=True)
def test_a_job_is_prepared_run_and_timed(worker: Worker) -> None:
    assert worker.ask("hello") is True
    worker.ask("prepare", JOB)
    shape, dtype, rows = worker.ask("run", 3)
    assert shape == (6, 2)
    assert dtype == "float32"
    assert np.array_equal(rows, np.maximum(JOB.x, 0)[[0, 2, 5]])
    seconds = worker.ask("time", 4, 10)
    assert len(seconds) == 4
    assert all(value > 0 for value in seconds)
    assert worker.ask("calibrate", 0.001) > 0
    assert worker.ask("rss") > 1e6
    assert worker.ask("versions", ("numpy", "no-such-thing"))["numpy"] == np.__version__


@pytest.mark.parametrize("worker", ["right"], indirect=True)
def test_a_worker_is_stopped_between_its_turns(worker: Worker) -> None:
    worker.ask("hello")
    deadline = time.monotonic() + 5
    while state(worker) != "T" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert state(worker) == "T"
    assert worker.ask("hello") is True


@pytest.mark.parametrize("worker", ["threads"], indirect=True)
def test_a_worker_is_held_to_its_threads(worker: Worker) -> None:
    worker.ask("prepare", JOB)
    assert worker.ask("run", 9)[2].tolist() == [1, 1, 1]


@pytest.mark.parametrize("worker", ["lacks"], indirect=True)
def test_a_lack_is_told_as_such_and_the_worker_lives_on(worker: Worker) -> None:
    with pytest.raises(LacksError, match="it has none"):
        worker.ask("prepare", JOB)
    assert worker.ask("hello") is True


@pytest.mark.parametrize("worker", ["fails"], indirect=True)
def test_a_failure_is_one_sentence_and_the_worker_lives_on(worker: Worker) -> None:
    with pytest.raises(WorkerError, match=r"^fake: RuntimeError: it broke$"):
        worker.ask("prepare", JOB)
    assert worker.ask("hello") is True
    assert worker.alive


@pytest.mark.parametrize(("worker", "how"), [("dies", "exit code 3"), ("killed", "SIGABRT")], indirect=["worker"])
def test_a_death_is_one_sentence(worker: Worker, how: str) -> None:
    with pytest.raises(WorkerError, match=f"fake: the worker died with .*{how}"):
        worker.ask("prepare", JOB)
    with pytest.raises(WorkerError):
        worker.ask("hello")
    assert not worker.alive


def test_a_peer_that_cannot_be_imported_is_one_sentence() -> None:
    told = "fake: ModuleNotFoundError: No module named 'no_such_module'"
    worker = Worker("fake", "no_such_module:build", "", 1)
    with closing(worker), pytest.raises(WorkerError, match=told):
        worker.ask("hello")


def test_an_entry_may_be_called_itself() -> None:
    with closing(Worker("fake", "fakes:plus_one", "", 1)) as worker:
        assert worker.ask("call", 41) == 42


def test_closing_ends_a_stopped_process() -> None:
    worker = Worker("fake", "fakes:build", "right", 1)
    worker.ask("hello")
    worker.close()
    assert not worker.alive
