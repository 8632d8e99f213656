from __future__ import annotations

from tests.bench.peers.asking import working, wrong_activations, wrong_cases


def test_torch_is_right() -> None:
    with working("torch") as worker:
        assert wrong_cases(worker, 2) == {}
        found, lacks = wrong_activations(worker)
    assert found == {}
    assert "relu" not in lacks


def test_compiled_torch_is_right() -> None:
    with working("torch.compile") as worker:
        assert wrong_cases(worker, 2) == {}
