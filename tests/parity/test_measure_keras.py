from __future__ import annotations

import numpy as np
import pytest

from parity import measure_keras
from refnet import activations

F32 = np.dtype("float32")


def test_inputs_are_finite_and_reach_far():
    x = measure_keras.inputs(F32, count=1 << 10)
    assert x.dtype == F32
    assert np.isfinite(x).all()
    assert np.abs(x).max() > 1e30
    assert ((x != 0) & (np.abs(x) < 1e-30)).any()


@pytest.mark.keras
def test_a_measurement_finds_tensorflows_softplus(keras):
    """Below its threshold TensorFlow's softplus is 7 ulp off; the room takes that, and little more."""
    x = np.linspace(-25, -1, 100_001).astype(np.float32)
    ulps, _, used = measure_keras.measure(activations.get("softplus"), F32, "call", x)
    assert 2 < ulps < 6
    assert 0.01 < used <= 1.0


@pytest.mark.keras
def test_the_table_is_written_whole(keras, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(measure_keras, "FILE", tmp_path / "errors.json")
    monkeypatch.setattr(measure_keras, "blocks", lambda: [activations.get("relu")])
    monkeypatch.setattr(measure_keras, "inputs", lambda dtype: np.linspace(-2, 2, 99).astype(dtype))
    assert measure_keras.main([]) == 0
    assert not (tmp_path / "errors.json").exists()
    assert measure_keras.main(["--write"]) == 0
    assert '"relu": 0.0' in (tmp_path / "errors.json").read_text()
    assert "relu" in capsys.readouterr().out
