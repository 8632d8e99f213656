"""A report as one HTML page that needs nothing else: styles and pictures are inside."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any

from parity.report.records import HISTOGRAM_EDGES, Comparison, Report
from parity.report.wording import exact, number, share

__all__ = ["as_page"]

_TEMPLATE = Path(__file__).with_name("report.html.j2")

#: The bars of observed / bound run over these powers of ten, the bound at 1.
_DECADES = (-4, 2)


def as_page(report: Report) -> str:
    """Return the page."""
    return str(
        _template().render(
            report=report,
            rows=_rows(report),
            environment=report.environment,
            bins=_bins(),
            ticks=[(_place(0.01), "1%"), (_place(1.0), "bound")],
            at_bound=_place(1.0),
        )
    )


@functools.cache
def _template() -> Any:
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters.update(number=number, share=share, exact=exact, place=_place, bars=_bars)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))


def _rows(report: Report) -> list[dict[str, Any]]:
    """Return the rows of the main table: two for each layer, one for each output."""
    rows = []
    for layer in report.layers:
        for kind in ("isolated", "cumulative"):
            comparison = getattr(layer, kind)
            rows.append({"first": kind == "isolated", "layer": layer, "judged": kind, "comparison": comparison})
    for out in report.outputs:
        if out.comparison is not None:
            rows.append({"first": True, "layer": None, "judged": out.title, "comparison": out.comparison})
    return rows


def _place(ratio: float) -> float:
    """Return where on the bar a ratio stands, from 0 to 100, on a logarithmic scale."""
    low, high = _DECADES
    if not ratio > 0:
        return 0.0
    power = math.log10(ratio) if math.isfinite(ratio) else high
    return round(100 * (min(max(power, low), high) - low) / (high - low), 2)


def _bins() -> list[str]:
    labels = []
    for low, after in zip(HISTOGRAM_EDGES, (*HISTOGRAM_EDGES[1:], None), strict=True):
        if after is None:
            labels.append("more")
        elif after - low == 1:
            labels.append(str(low))
        else:
            high = after - 1
            labels.append("–2²⁰" if high == 2**20 else f"{low}–1k" if high == 1024 else f"{low}–{high}")
    return labels


def _bars(comparison: Comparison) -> list[dict[str, float]]:
    """Return the histogram's bars: share of the elements, and a height that keeps small shares visible."""
    total = max(comparison.elements, 1)
    shares = [count / total for count in comparison.histogram]
    return [{"share": part, "height": round(100 * math.sqrt(part), 1)} for part in shares]
