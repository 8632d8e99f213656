from __future__ import annotations

from refnet import activations
from refnet.engine import warmup


def test_every_compiled_activation_is_named_for_both_dtypes():
    ready = list(warmup())
    expected = {name for name in activations.names() if activations.get(name).kind != "array"}

    assert {"handover lead", "handover serve"} <= {*ready}
    for dtype in ("float32", "float64"):
        assert {f"walk {dtype}", f"columns {dtype}"} <= {*ready}
        assert expected <= {name.split()[0] for name in ready if name.endswith(dtype)}
