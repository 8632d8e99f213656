"""Reports made by hand, so that their forms can be tested without Keras."""

from __future__ import annotations

import dataclasses

from parity.report.records import Comparison, Element, Finding, LayerResult, OutputResult, Report

CLEAN = Comparison(
    verdict="explained by rounding",
    elements=20,
    max_abs=1.5e-8,
    max_rel=2.5e-7,
    max_ulp=2,
    equal=0.75,
    bound=3e-7,
    ratio=0.125,
    own_ulps=0.5,
    peer_ulps=1.75,
    own_closer=4,
    peer_closer=1,
    unexplained=0,
    outside=(),
    findings=(),
    histogram=(15, 4, 1, 0, 0, 0, 0, 0, 0, 0),
    worst=Element((0, 3), 0.5, 0.50000006, 0.50000001, 3e-7),
)
KNOWN = dataclasses.replace(
    CLEAN,
    verdict="known difference",
    ratio=40.0,
    findings=(Finding("gelu tail", "It cancels.", "pytorch#187806", 3),),
    max_ulp=3_000_000,
)
WRONG = dataclasses.replace(
    CLEAN,
    verdict="not explained",
    ratio=float("inf"),
    max_abs=float("inf"),
    unexplained=2,
    outside=("peer",),
    worst=Element((1, 2), 1.0, float("nan"), 1.0, 0.0),
)
ENVIRONMENT = {
    "versions": {"python": "3.11", "refnet": "0.1", "keras": "3.15.1", "tensorflow": "2.21.0"},
    "system": "Linux x86_64",
    "cpu": "A CPU <of> some kind",
    "cpu_flags": ["avx2", "fma"],
    "threads": 2,
    "backend": "tensorflow",
    "settings": {},
}


def report(isolated: Comparison = CLEAN, cumulative: Comparison = CLEAN, output: Comparison | None = CLEAN) -> Report:
    """Return a report of two layers, the second one as given."""
    return Report(
        model="my_model",
        dtype="float32",
        input_text="normal, seed 0",
        input_shape=(2, 10),
        layers=(
            LayerResult("one", "Dense", "relu", (2, 10), CLEAN, CLEAN),
            LayerResult("two", "Dense", "gelu", (2, 10), isolated, cumulative, "weights <differ>"),
        ),
        outputs=(
            OutputResult("call", "Keras model(x)", output),
            OutputResult("predict", "Keras predict", None, "Keras' predict cannot take a batch of 0 rows"),
        ),
        notes=("Dense 'one': kernel holds 1 NaN value",),
        environment=ENVIRONMENT,
    )
