"""A report as JSON: every number in full, and infinities and NaN as strings, since JSON has none."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from parity.report.records import HISTOGRAM_EDGES, Report

__all__ = ["FORMAT", "as_dict", "as_text"]

#: Raised when a reader of older files would have to change.
FORMAT = 1


def as_dict(report: Report) -> dict[str, Any]:
    """Return the report as dictionaries, lists, strings and finite numbers."""
    plain = _plain(dataclasses.asdict(report))
    assert isinstance(plain, dict)
    for layer, record in zip(report.layers, plain["layers"], strict=True):
        record["verdict"] = layer.verdict
        for kind in ("isolated", "cumulative"):
            record[kind]["closer"] = getattr(layer, kind).closer
    for out, record in zip(report.outputs, plain["outputs"], strict=True):
        if out.comparison is not None:
            record["comparison"]["closer"] = out.comparison.closer
    return {
        "format": FORMAT,
        "verdict": report.verdict,
        "agree": report.agree,
        "exit_code": report.exit_code,
        "sentence": report.sentence,
        "cause": report.cause.name if report.cause else None,
        "findings": _plain([dataclasses.asdict(finding) for finding in report.findings]),
        "histogram_edges": list(HISTOGRAM_EDGES),
        **plain,
    }


def as_text(report: Report) -> str:
    """Return the report as JSON text."""
    return json.dumps(as_dict(report), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
