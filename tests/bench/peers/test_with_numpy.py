from __future__ import annotations

import numpy as np

from bench.peers.with_numpy import reading, softmax
from tests.bench.peers.asking import working, wrong_activations, wrong_cases


def test_numpy_is_right() -> None:
    with working("NumPy") as worker:
        assert wrong_cases(worker, 2) == {}
        assert wrong_activations(worker) == ({}, set())


def test_parameters_are_used() -> None:
    assert reading("leaky_relu", {"negative_slope": 0.5})(np.float32([-2, 2])).tolist() == [-1, 2]


def test_a_row_of_softmax_adds_up_to_one() -> None:
    assert softmax(np.zeros((1, 4), np.float32)).tolist() == [[0.25] * 4]
