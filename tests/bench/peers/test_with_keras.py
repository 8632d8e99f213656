from __future__ import annotations

import pytest

from tests.bench.peers.asking import working, wrong_activations, wrong_cases

#: Keras 3.15.1 gets it wrong (keras#23425), so it is not timed.
KNOWN = {"sparsemax"}


@pytest.mark.keras
@pytest.mark.parametrize("name", ["keras call", "XLA"])
def test_cases_and_activations_are_right(name: str) -> None:
    with working(name) as worker:
        assert wrong_cases(worker, 2) == {}
        found, lacks = wrong_activations(worker)
    assert set(found) <= KNOWN, found
    assert lacks == set()


@pytest.mark.keras
@pytest.mark.parametrize("name", ["keras predict_on_batch", "tf.function", "keras predict"])
def test_cases_are_right(name: str) -> None:
    with working(name) as worker:
        assert wrong_cases(worker, 2) == {}
