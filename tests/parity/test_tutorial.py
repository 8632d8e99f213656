from __future__ import annotations

import numpy as np
import pytest

from parity import tutorial

pytestmark = pytest.mark.keras


def test_the_model_is_the_tutorials_on_both_sides(keras):
    model, peer, x = tutorial.models()
    assert model.name == peer.name == "my_model"
    assert [layer.units for layer in model.layers] == [10, 10, 10]
    assert [layer.activation_text for layer in model.layers] == ["relu", "relu", "softmax"]
    assert x.shape == (3, 5)
    assert x.dtype == np.float32
    for ours, theirs in zip(model.get_weights(), peer.get_weights(), strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_the_same_seed_gives_the_same_model(keras):
    first, _, x = tutorial.models(seed=5, batch=2)
    again, _, y = tutorial.models(seed=5, batch=2)
    assert x.tobytes() == y.tobytes()
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first.get_weights(), again.get_weights(), strict=True))


def test_the_two_agree(keras):
    report = tutorial.report()
    assert report.verdict == "explained by rounding"
    assert report.exit_code == 0
    assert report.sentence.startswith("agree: ")
