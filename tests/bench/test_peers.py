from __future__ import annotations

import sys

import numpy as np
import pytest

from bench import activations, peers
from bench.jobs import LacksError, Ready, quickest
from bench.peers import PEERS, Peer
from bench.peers.with_refnet import build
from refnet.errors import ArgumentError


def test_the_sets_are_known_and_have_refnet() -> None:
    for names in (peers.DEFAULT, peers.FORWARD, peers.ACTIVATIONS):
        assert set(names) <= set(PEERS)
        assert "refnet" in names


def test_choosing_keeps_the_order_and_adds_refnet() -> None:
    assert [peer.name for peer in peers.choose(["numpy", "XLA"], ())] == ["refnet", "XLA", "NumPy"]
    assert [peer.name for peer in peers.choose(None, ("NumPy",))] == ["refnet", "NumPy"]
    with pytest.raises(ArgumentError, match="peer 'nunpy' is unknown; did you mean 'numpy'"):
        peers.choose(["nunpy"], ())


def test_installed_finds_the_interpreter_without_importing() -> None:
    assert peers.installed(PEERS["refnet"]) == sys.executable
    assert peers.installed(Peer("x", "", "", ("no_such_package",), ())) is None
    assert peers.installed(Peer("x", "", "", ("no_such_package",), ()), sys.executable) is None


def test_refnet_writes_an_activation_into_the_same_array() -> None:
    job = activations.job("relu", 64)
    made = build("call", job, 1)
    first = made.run()
    assert made.run() is first
    assert np.array_equal(first, np.maximum(job.x, 0))


def test_quickest_of_one_is_not_even_run() -> None:
    def never() -> None:
        raise LacksError("it was run")

    only = Ready(never)
    assert quickest(only) is only
