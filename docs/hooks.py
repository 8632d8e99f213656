"""Make the reference from the book: one page per activation, with its formula, edge values, plot and code."""

from __future__ import annotations

import io
from typing import Any

from latex2mathml.converter import convert
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from refnet import activations, explain
from refnet.activations import Activation

FOLDER = "reference/activations"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of the book into the navigation, in the book's order."""
    pages = [f"{FOLDER}/{name}.md" for name in activations.names()]
    book = {"Activations": [f"{FOLDER}/index.md", *pages]}
    measured = [{name.capitalize(): f"reference/{name}.md"} for name in ("accuracy", "speed", "reproducibility")]
    assert config.nav is not None
    config.nav.insert(3, {"Reference": [book, *measured]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and their plots."""
    book = [activations.get(name) for name in activations.names()]
    files.append(File.generated(config, f"{FOLDER}/index.md", content=index(book)))
    for entry in book:
        files.append(File.generated(config, f"{FOLDER}/{entry.name}.md", content=page(entry)))
        if not entry.required:
            files.append(File.generated(config, f"{FOLDER}/{entry.name}.svg", content=plot(entry)))
    return files


def index(book: list[Activation]) -> str:
    rows = [
        f"| [{entry.name}]({entry.name}.md) | `{cell(entry.text)}` | {', '.join(entry.aliases)} | {entry.kind} |"
        for entry in book
    ]
    return "\n".join(
        [
            "# The book of activations",
            "",
            "Every activation, in the order of the book: the simplest first. This page and those it leads to are made",
            "from the registry, so they say what the code does.",
            "",
            "| name | formula | also called | kind |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def page(entry: Activation) -> str:
    idea, _, rest = explain.prose(entry).partition("\n\n")
    parts = [
        f"# {entry.name}",
        idea,
        f'<div style="overflow: auto hidden; padding: 0.5em 0">{convert(explain.tex(entry), display="block")}</div>',
        f"In plain text: `{entry.text}`",
        rest,
        parameters(entry),
    ]
    if not entry.required:
        parts += [f"![{entry.name} over x]({entry.name}.svg)", "## Edge values", "In float32:", edges(entry)]
    parts += [
        "## Derivative",
        f"`{explain.derivative_text(entry)}`"
        if entry.kind == "elementwise"
        else explain.derivative_text(entry).capitalize() + ".",
        "## Source",
        f"{entry.source[:1].upper()}{entry.source[1:]}.",
        f"The block, in `{explain.location(entry)}`:",
        f"```python\n{explain.code(entry)}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def parameters(entry: Activation) -> str:
    if not entry.parameters:
        return ""
    shown = (
        f"`{key}` ({'to be given' if value != value else f'{value:g}'})" for key, value in entry.parameters.items()
    )
    return f"Parameters, with their defaults: {', '.join(shown)}."


def edges(entry: Activation) -> str:
    elementwise = entry.kind == "elementwise"
    head = "| x | value | slope |\n| --- | --- | --- |" if elementwise else "| row | result |\n| --- | --- |"
    width = 3 if elementwise else 2
    return "\n".join([head, *("| " + " | ".join(row[:width]) + " |" for row in explain.edge_values(entry))])


def plot(entry: Activation) -> str:
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    FigureCanvasSVG(figure)
    axes: Any = figure.add_subplot(xlabel="x")
    x, drawn = explain.curves(entry)
    for (label, y), line in zip(drawn.items(), ("-", "--"), strict=False):
        axes.plot(x, y, line, label=label)
    axes.grid(alpha=0.3)
    axes.legend()
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue()


def cell(text: str) -> str:
    """Keep a formula's bars from ending the table's cell."""
    return text.replace("|", "\\|")
