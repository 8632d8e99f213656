from __future__ import annotations

from tests.bench.peers.asking import working, wrong_activations, wrong_cases


def test_refnet_is_right() -> None:
    with working("refnet") as worker:
        assert wrong_cases(worker, 2) == {}
        assert wrong_activations(worker) == ({}, set())
