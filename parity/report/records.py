"""What a check finds, as values: a Report of layers and outputs, each with its comparisons."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from refnet.files.whole import write

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = [
    "HISTOGRAM_EDGES",
    "VERDICTS",
    "Comparison",
    "Element",
    "Finding",
    "LayerResult",
    "OutputResult",
    "Report",
    "Verdict",
    "worst",
]

Verdict = Literal["explained by rounding", "known difference", "not explained"]

#: From best to worst.
VERDICTS: tuple[Verdict, ...] = ("explained by rounding", "known difference", "not explained")

#: Lower edges of the histogram of ulp distances: 0, 1, 2, 3-4, 5-8, ..., and above.
HISTOGRAM_EDGES = (0, 1, 2, 3, 5, 9, 17, 65, 1025, 2**20 + 1)


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the worst of some verdicts; without any, the best.

    Examples
    --------
    >>> worst(["explained by rounding", "known difference"])
    'known difference'
    """
    return max(verdicts, key=VERDICTS.index, default=VERDICTS[0])


@dataclass(frozen=True)
class Element:
    """One element of a result, as both sides have it.

    Attributes
    ----------
    index : tuple of int
        Where it stands; the row comes first.
    own, peer : float
        What refnet and the peer gave.
    truth : float
        The true value, rounded to float64.
    bound : float
        How far apart the two may be by rounding.
    """

    index: tuple[int, ...]
    own: float
    peer: float
    truth: float
    bound: float


@dataclass(frozen=True)
class Finding:
    """A known difference that was detected, and on how many elements."""

    name: str
    what: str
    issue: str
    elements: int


@dataclass(frozen=True)
class Comparison:
    """Two results held against each other and against the truth.

    Attributes
    ----------
    verdict : str
        One of `VERDICTS`.
    elements : int
        How many were compared.
    max_abs, max_rel : float
        The largest difference, and the largest one relative to the larger of the two numbers.
    max_ulp : int
        The largest distance in steps of the format.
    equal : float
        The share of elements with equal bits (1.0 without elements).
    bound : float
        How far apart the two may be by rounding, where the observed share of it is largest.
    ratio : float
        Observed / bound: the largest share that any element uses of the bound between the two; where a side leaves
        its own bound against the truth, how many times over. Above 1, rounding alone cannot be the reason.
    own_ulps, peer_ulps : float
        The largest error of refnet and of the peer against the truth, in ulps of the true value.
    own_closer, peer_closer : int
        On how many elements refnet, or the peer, is the closer one to the truth.
    unexplained : int
        On how many elements neither rounding nor a known difference is the reason.
    outside : tuple of str
        Which sides leave their bound against the truth: of ``"refnet"`` and ``"peer"``.
    findings : tuple of Finding
        The known differences detected.
    histogram : tuple of int
        Elements by ulp distance, between `HISTOGRAM_EDGES`.
    worst : Element, optional
        The element with the largest ratio.
    """

    verdict: Verdict
    elements: int
    max_abs: float
    max_rel: float
    max_ulp: int
    equal: float
    bound: float
    ratio: float
    own_ulps: float
    peer_ulps: float
    own_closer: int
    peer_closer: int
    unexplained: int
    outside: tuple[str, ...]
    findings: tuple[Finding, ...]
    histogram: tuple[int, ...]
    worst: Element | None

    @property
    def closer(self) -> str:
        """Who is closer to the truth on more elements: ``refnet``, the peer (``Keras``), or ``equal``."""
        if self.own_closer == self.peer_closer:
            return "equal"
        return "refnet" if self.own_closer > self.peer_closer else "Keras"


@dataclass(frozen=True)
class LayerResult:
    """One layer, judged twice.

    Attributes
    ----------
    name, kind : str
        The layer's name and class.
    activation : str
        Its activation, or an empty string.
    output_shape : tuple
        The shape of its output in this check.
    isolated : Comparison
        Both sides given the same input: what this layer does by itself.
    cumulative : Comparison
        Each side given its own output of the layer before: what has added up.
    blame : str
        If it fails by itself: which part does, and what is different about it.
    """

    name: str
    kind: str
    activation: str
    output_shape: tuple[int, ...]
    isolated: Comparison
    cumulative: Comparison
    blame: str = ""

    @property
    def verdict(self) -> Verdict:
        """The worse of the two verdicts."""
        return worst([self.isolated.verdict, self.cumulative.verdict])


@dataclass(frozen=True)
class OutputResult:
    """The whole model's output, as one way of running Keras gives it."""

    runner: str
    title: str
    comparison: Comparison | None
    note: str = ""


@dataclass(frozen=True)
class Report:
    """What `parity.check` found. It prints itself with rich, and goes to JSON and HTML.

    Attributes
    ----------
    model : str
        The model's name.
    dtype : str
        What it computes in.
    input_text : str
        What it was run on.
    input_shape : tuple of int
        The batch.
    layers : tuple of LayerResult
        One for each layer, in order.
    outputs : tuple of OutputResult
        One for each way of running Keras.
    notes : tuple of str
        What else a reader must know: NaN weights, differing weights, a runner that cannot take this batch.
    nan_weights : int
        How many of refnet's weights are NaN; they make both results NaN, which then agree.
    unlike : tuple of str
        The layers that are not the same on both sides, in weights or activation; the notes say in what. On another
        batch they may differ by more than rounding.
    environment : mapping
        Versions, CPU, threads.
    """

    model: str
    dtype: str
    input_text: str
    input_shape: tuple[int, ...]
    layers: tuple[LayerResult, ...]
    outputs: tuple[OutputResult, ...]
    notes: tuple[str, ...] = ()
    nan_weights: int = 0
    unlike: tuple[str, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all layers and outputs."""
        outputs: list[Verdict] = [out.comparison.verdict for out in self.outputs if out.comparison is not None]
        return worst([layer.verdict for layer in self.layers] + outputs)

    @property
    def agree(self) -> bool:
        """Whether rounding and known differences explain everything."""
        return self.verdict != "not explained"

    @property
    def cause(self) -> LayerResult | None:
        """The first layer that fails by itself."""
        return next((layer for layer in self.layers if layer.isolated.verdict == "not explained"), None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All known differences that were detected, each once, with the largest count."""
        comparisons = [c for layer in self.layers for c in (layer.isolated, layer.cumulative)]
        comparisons += [out.comparison for out in self.outputs if out.comparison is not None]
        found: dict[str, Finding] = {}
        for finding in (f for comparison in comparisons for f in comparison.findings):
            if finding.name not in found or finding.elements > found[finding.name].elements:
                found[finding.name] = finding
        return tuple(found.values())

    @property
    def exit_code(self) -> int:
        """0 if the two agree, 1 if they differ (2, bad use or bad input, never gets as far as a report)."""
        return 0 if self.agree else 1

    @property
    def sentence(self) -> str:
        """The verdict in one line."""
        if not self.agree:
            return f"differ: {self._reason()}"
        shares = [layer.isolated.ratio for layer in self.layers] + [
            out.comparison.ratio for out in self.outputs if out.comparison is not None
        ]
        plural = "weights are" if self.nan_weights > 1 else "weight is"
        but = f"; {self.nan_weights} {plural} NaN" if self.nan_weights else ""
        if self.unlike:
            but += f"; but layer {', '.join(map(repr, self.unlike))} is not the same on both sides"
        if self.findings:
            names = ", ".join(finding.name for finding in self.findings)
            return f"agree: every difference is explained by rounding or is known ({names}){but}"
        most = max(shares, default=0.0)
        return f"agree: every difference is explained by rounding; at most {most:.0%} of the bound{but}"

    def _reason(self) -> str:
        if self.cause is not None:
            blame = f" ({self.cause.blame})" if self.cause.blame else ""
            return f"layer {self.cause.name!r} is the first that fails by itself{blame}"
        later = next((layer for layer in self.layers if layer.verdict == "not explained"), None)
        if later is not None:
            return f"no layer fails by itself, but what has added up by layer {later.name!r} is more than rounding"
        names = [
            out.title
            for out in self.outputs
            if out.comparison is not None and out.comparison.verdict == "not explained"
        ]
        return f"every layer agrees, but not the output of {' and '.join(names)}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from parity.report.terminal import render

        yield from render(self, options.max_width)

    def __str__(self) -> str:
        from parity.report.terminal import plain

        return plain(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain dictionaries, lists, numbers and strings."""
        from parity.report.json import as_dict

        return as_dict(self)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the report as JSON text, and write it to ``path`` if one is given.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        from parity.report.json import as_text

        return _kept(as_text(self), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return the report as one self-contained HTML page, and write it to ``path`` if one is given.

        Raises
        ------
        FileError
            If the file cannot be written.
        """
        from parity.report.html import as_page

        return _kept(as_page(self), path)


def _kept(text: str, path: str | Path | None) -> str:
    """Return the text, and write it to ``path`` if one is given."""
    if path is not None:
        write(path, text)
    return text
