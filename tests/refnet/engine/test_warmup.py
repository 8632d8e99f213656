from __future__ import annotations

from refnet import activations
from refnet.engine import warmup


def test_every_activation_is_named_for_both_dtypes():
    ready = list(warmup())
    expected = set(activations.names())

    assert {"handover lead", "handover serve"} <= {*ready}
    for dtype in ("float32", "float64"):
        assert {f"walk {dtype}", f"columns {dtype}"} <= {*ready}
        assert expected <= {name.split()[0] for name in ready if name.endswith(dtype)}
