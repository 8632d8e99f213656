"""Peers in turns: prepare, compare, and only then time, a short slice each per round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.jobs import Job, LacksError
from bench.peers import Peer, installed
from bench.process import Worker, WorkerError
from bench.results import Measurement
from bench.statistics import calls_for, summarize
from bench.tolerance import Truth, truth

__all__ = ["QUICK", "Settings", "Team"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How long is measured.

    Attributes
    ----------
    rounds : int
        How often each peer has its turn; the median of the rounds is the result.
    slice_seconds : float
        How long a turn takes, if a call is not longer.
    most_seconds : float
        A peer whose calls are so long that its rounds would take more has fewer, but `least_rounds`.
    least_rounds : int
        As said.
    """

    rounds: int = 9
    slice_seconds: float = 0.06
    most_seconds: float = 4.0
    least_rounds: int = 3

    def rounds_for(self, seconds_per_call: float) -> int:
        """Return how many rounds a peer has whose call takes so long.

        Examples
        --------
        >>> [Settings().rounds_for(seconds) for seconds in (1e-6, 1.0, 60.0)]
        [9, 4, 3]
        """
        affordable = int(self.most_seconds / max(seconds_per_call, self.slice_seconds))
        return min(self.rounds, max(self.least_rounds, affordable))


QUICK = Settings(rounds=5, slice_seconds=0.02, most_seconds=0.6, least_rounds=3)


@dataclass
class _Turn:
    """One peer's part in one row: how many calls a slice has, and what the rounds gave so far."""

    worker: Worker
    error: float
    blocks: int
    calls: int
    rounds: int
    seconds: list[float] = field(default_factory=list)
    failure: str = ""


class Team:
    """The workers of some peers on one number of threads; only one of them runs at a time.

    Parameters
    ----------
    peers : sequence of Peer
        Those not installed are listed as such.
    threads : int
        What every peer is held to.
    settings : Settings
        How long is measured.
    other_python : str, optional
        A second interpreter for peers that this one lacks.
    say : callable, optional
        Is told what is being done.
    """

    def __init__(
        self,
        peers: Sequence[Peer],
        threads: int,
        settings: Settings,
        other_python: str | None = None,
        say: Say | None = None,
    ) -> None:
        self.peers, self.threads, self.settings = tuple(peers), threads, settings
        self.say: Say = say or (lambda text: None)
        self._pythons = {peer.name: installed(peer, other_python) for peer in peers}
        self._workers: dict[str, Worker] = {}
        self._broken: dict[str, str] = {}
        for peer in self.peers:  # they import side by side; nothing is timed yet
            self._start(peer)

    def _start(self, peer: Peer) -> None:
        python = self._pythons[peer.name]
        if python is not None:
            self._workers[peer.name] = Worker(peer.name, peer.entry, peer.variant, self.threads, python)

    def close(self) -> None:
        """End all workers."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()

    def wait_until_ready(self) -> None:
        """Wait until every worker has imported what it needs; one that cannot is listed as failed from then on."""
        for name, worker in list(self._workers.items()):
            self.say(f"starting {name}")
            try:
                worker.wait_until_ready()
            except WorkerError as error:
                self._broken[name] = str(error)
                worker.close()
                del self._workers[name]

    def versions(self) -> dict[str, str]:
        """Return the versions of what the workers have, of all peers together."""
        self.wait_until_ready()
        found: dict[str, str] = {}
        for peer in self.peers:
            if peer.name in self._workers and self._workers[peer.name].alive:
                found |= self._workers[peer.name].ask("versions", peer.distributions)
        return found

    def measure(self, job: Job, label: str) -> tuple[Measurement, ...]:
        """Return one measurement per peer, in the order of the peers."""
        self.wait_until_ready()
        right = truth(job)
        found: dict[str, Measurement] = {}
        turns: dict[str, _Turn] = {}
        for peer in self.peers:
            self.say(f"{label}: comparing {peer.name}")
            entry = self._prepare(peer, job, right)
            if isinstance(entry, _Turn):
                turns[peer.name] = entry
            else:
                found[peer.name] = entry
        self._take_turns(turns, label)
        for name, turn in turns.items():
            found[name] = _finish(name, turn)
        return tuple(found[peer.name] for peer in self.peers)

    def _prepare(self, peer: Peer, job: Job, right: Truth) -> _Turn | Measurement:
        """Build the job in the peer's process and compare its output; return its turn, or why it has none."""
        if peer.name in self._broken:
            return Measurement(peer.name, "failed", self._broken[peer.name])
        if self._pythons[peer.name] is None:
            return Measurement(peer.name, "not installed", f"needs {' and '.join(peer.needs)}")
        if not self._workers[peer.name].alive:  # it died over the row before: it has a new chance
            self._workers[peer.name].close()
            self._start(peer)
        worker = self._workers[peer.name]
        try:
            worker.ask("prepare", job)
            shape, _, rows = worker.ask("run", right.rows)
            share, wrong = right.judge(shape, rows)
            if wrong:
                finite = share if share < float("inf") else None
                return Measurement(peer.name, "disagrees", wrong, error=finite)
            seconds = worker.ask("calibrate", self.settings.slice_seconds)
        except LacksError as lack:
            return Measurement(peer.name, "lacks", str(lack))
        except WorkerError as error:
            return Measurement(peer.name, "failed", str(error))
        blocks, calls = calls_for(seconds, self.settings.slice_seconds)
        return _Turn(worker, share, blocks, calls, self.settings.rounds_for(seconds))

    def _take_turns(self, turns: dict[str, _Turn], label: str) -> None:
        """Let every peer measure one slice per round, each round beginning with another peer."""
        names = list(turns)
        for number in range(self.settings.rounds):
            self.say(f"{label}: round {number + 1} of {self.settings.rounds}")
            first = number % max(len(names), 1)
            for name in names[first:] + names[:first]:
                turn = turns[name]
                if number >= turn.rounds or turn.failure:
                    continue
                try:
                    turn.seconds.append(median(turn.worker.ask("time", turn.blocks, turn.calls)))
                except WorkerError as error:
                    turn.failure = str(error)


def _finish(name: str, turn: _Turn) -> Measurement:
    """Return what the turns of one peer gave."""
    rss = None
    if not turn.failure:
        try:
            rss = turn.worker.ask("rss")
        except WorkerError as error:
            turn.failure = str(error)
    if turn.failure:
        return Measurement(name, "failed", turn.failure, error=turn.error)
    return Measurement(name, "timed", "", summarize(turn.seconds), turn.error, rss)
