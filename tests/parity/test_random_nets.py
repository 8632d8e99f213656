"""Parity with real Keras on random networks: no difference may stay unexplained."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from parity import check
from parity.report.records import Report
from tests.parity.nets import nets

pytestmark = [pytest.mark.keras, pytest.mark.slow]


def unexplained(report: Report) -> list[str]:
    found = []
    for layer in report.layers:
        for kind in ("isolated", "cumulative"):
            comparison = getattr(layer, kind)
            if comparison.verdict == "not explained":
                found.append(f"{layer.name} {layer.activation} {kind}: {comparison.worst}")
    for out in report.outputs:
        if out.comparison is not None and out.comparison.verdict == "not explained":
            found.append(f"{out.title}: {out.comparison.worst}")
    return found


@settings(max_examples=220, suppress_health_check=list(HealthCheck))
@given(nets())
def test_every_difference_is_explained(keras, drawn):
    model, batch, seed = drawn
    kind = ("normal", "uniform", "special")[seed % 3]
    # A graph takes a third of a second to compile, so predict is asked for one net in four.
    through = ("call", "predict") if seed % 4 == 0 else ("call",)
    report = check(model, kind, batch=batch, seed=seed, through=through)
    assert unexplained(report) == [], f"{kind}, seed {seed}\n{report}"
    assert report.exit_code == 0
    assert len(report.layers) == len(model.layers)
    assert all(
        c.elements == 0 or c.worst is not None for layer in report.layers for c in (layer.isolated, layer.cumulative)
    )
    keras.utils.clear_session(free_memory=False)


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(nets())
def test_every_bit_survives_the_way_there_and_back(keras, drawn):
    from parity import from_keras, to_keras

    model, _, _ = drawn
    back = from_keras(to_keras(model))
    assert [type(layer) for layer in back.layers] == [type(layer) for layer in model.layers]
    assert [layer.name for layer in back.layers] == [layer.name for layer in model.layers]
    for ours, theirs in zip(model.get_weights(), back.get_weights(), strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.tobytes() == theirs.tobytes()
    keras.utils.clear_session(free_memory=False)
