from __future__ import annotations

import pytest

from bench import activations
from bench.jobs import LacksError
from tests.bench.peers.asking import working, wrong_cases


@pytest.mark.parametrize("name", ["ONNX Runtime", "OpenVINO"])
def test_the_onnx_runtimes_are_right(name: str) -> None:
    with working(name) as worker:
        assert wrong_cases(worker, 2) == {}
        with pytest.raises(LacksError, match="only forward passes"):
            worker.ask("prepare", activations.job("relu", 8))
