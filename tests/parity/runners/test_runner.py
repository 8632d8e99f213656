from __future__ import annotations

import pytest

from parity import runners
from refnet.errors import ArgumentError, UnsupportedError


@pytest.mark.parametrize("name", runners.NAMES)
def test_every_runner_loads_by_its_name_without_loading_keras(name):
    runner = runners.get(name)
    assert runner.name == name
    assert runner.title
    assert runner.takes in ("keras", "refnet")
    assert runner.errors in ("call", "predict", "xla")


def test_an_unknown_runner_names_the_nearest():
    with pytest.raises(ArgumentError, match=r"runner 'predct' unknown; accepted: .*; did you mean 'predict'"):
        runners.get("predct")


@pytest.mark.keras
def test_graphs_need_tensorflow(keras, monkeypatch):
    from parity.runners.runner import tensorflow_only

    assert tensorflow_only("xla").__name__ == "tensorflow"
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(UnsupportedError, match="runner 'xla' needs Keras on TensorFlow; this Keras runs on jax"):
        tensorflow_only("xla")
