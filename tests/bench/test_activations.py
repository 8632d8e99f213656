from __future__ import annotations

import math

import pytest

from bench import activations
from bench.environment import cores
from bench.measure import Settings
from bench.peers import PEERS
from bench.results import Limits, from_json
from refnet.activations import REGISTRY, names
from refnet.errors import ArgumentError


def test_the_whole_book_but_what_hands_over_its_input() -> None:
    assert set(names()) - set(activations.select(None)) == {"linear"}


def test_aliases_are_understood_and_the_order_is_the_books() -> None:
    assert activations.select(["swish", "relu"]) == ["relu", "silu"]


@pytest.mark.parametrize("name", ["rleu", "linear"])
def test_others_are_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"activation '{name}' is not measured"):
        activations.select([name])


@pytest.mark.parametrize("name", activations.select(None))
def test_a_job_has_rows_where_the_activation_has(name: str) -> None:
    for row in activations.row_lengths(name):
        job = activations.job(name, 4096, row)
        assert (row is None) == (REGISTRY[name].kind == "elementwise")
        assert job.x.shape[1:] == (() if row is None else (row,))
        assert job.x.size >= 4096
        assert not any(math.isnan(value) for value in job.parameters.values())


@pytest.mark.parametrize(("name", "results"), [("relu", 100), ("softmax", 100), ("glu", 50)])
def test_what_moves_is_the_input_once_and_the_output_once(name: str, results: int) -> None:
    job = activations.job(name, 100, activations.row_lengths(name)[0])
    row = activations._row(job, 100, None, 1, Limits(1, 1e11, "a kernel", 1e10, ((1 << 27, 1e10),)), ())
    assert (row.moved_bytes, row.limit) == (4 * (100 + results), 4 * (100 + results) / 1e10)


def test_refnet_runs_on_every_number_of_threads_and_the_peers_on_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        activations, "measure_apart", lambda n: Limits(n, 1e11, "a kernel", 1e10, ((1 << 27, 1e10 * n),))
    )
    monkeypatch.setattr(activations, "commit", lambda: "0123abc")
    threads = sorted({1, min(2, len(cores()))})
    peers = [PEERS["refnet"], PEERS["NumPy"]]
    record = activations.run(["relu", "softmax"], [64], peers, threads, Settings(2, 0.001, 0.01, 1), "a command")
    rows = [(row.name, row.text, row.threads) for row in record.rows]
    assert rows == [
        (name, text, n)
        for name, text in [("relu", ""), ("softmax", "rows of 10"), ("softmax", "rows of 1000")]
        for n in threads
    ]
    for row in record.rows:
        expected = ["refnet", "NumPy"] if row.threads == threads[-1] else ["refnet"]
        assert [entry.peer for entry in row.measurements] == expected
        assert all(entry.status == "timed" for entry in row.measurements)
    assert record.commit == "0123abc"
    assert from_json(record.to_json()) == record
