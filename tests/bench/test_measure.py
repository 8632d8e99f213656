from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from bench import measure
from bench.jobs import Activation
from bench.measure import Settings, Team
from bench.peers import Peer

SETTINGS = Settings(rounds=3, slice_seconds=0.002, most_seconds=0.1, least_rounds=2)
JOB = Activation("relu", np.linspace(-1, 1, 12, dtype=np.float32).reshape(6, 2), {"negative_slope": 0.0})


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def fake(variant: str, needs: tuple[str, ...] = ("numpy",)) -> Peer:
    return Peer(variant, "fakes:build", variant, needs, ("numpy",))


def test_each_peer_is_compared_before_it_is_timed() -> None:
    peers = [fake(name) for name in ("right", "slow", "wrong", "shape", "nan", "lacks", "fails", "dies")]
    peers.append(fake("absent", ("no_such_package",)))
    with closing(Team(peers, 1, SETTINGS)) as team:
        found = {entry.peer: entry for entry in team.measure(JOB, "here")}
        again = {entry.peer: entry for entry in team.measure(JOB, "there")}
    assert [entry.peer for entry in found.values()] == [peer.name for peer in peers]
    for entries in (found, again):  # what died over one row has a new chance in the next
        assert {name: entry.status for name, entry in entries.items()} == {
            "right": "timed",
            "slow": "timed",
            "wrong": "disagrees",
            "shape": "disagrees",
            "nan": "disagrees",
            "lacks": "lacks",
            "fails": "failed",
            "dies": "failed",
            "absent": "not installed",
        }
    assert found["right"].summary is not None
    assert found["right"].summary.rounds == 3
    assert found["right"].error == 0.0
    assert found["wrong"].summary is None
    assert "is right" in found["wrong"].note
    assert found["shape"].note == "its output has shape (1, 2), not (6, 2)"
    assert found["absent"].note == "needs no_such_package"
    slow, right = found["slow"].seconds, found["right"].seconds
    assert slow is not None
    assert right is not None
    assert slow > right  # 10 ms of sleep against a microsecond


def test_the_rounds_begin_with_another_peer_each() -> None:
    order: list[str] = []

    class Told:
        def __init__(self, name: str) -> None:
            self.name = name

        def ask(self, command: str, *arguments: object) -> list[float]:
            order.append(self.name)
            return [1.0]

    team = Team([], 1, SETTINGS)
    turns = {name: measure._Turn(Told(name), 0.0, 1, 1, 3) for name in "abc"}  # type: ignore[arg-type]
    turns["c"].rounds = 2
    team._take_turns(turns, "x")
    assert "".join(order) == "abc" + "bca" + "ab"
    assert [len(turn.seconds) for turn in turns.values()] == [3, 3, 2]
