"""What there is to say about an activation: the facts that `refnet explain` and the reference pages show."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.activations import Activation

__all__ = ["EDGES", "code", "curves", "derivative_text", "edge_values", "location", "plot", "prose", "tex"]

#: Where a formula may do something of its own.
EDGES = (-np.inf, -1.0, -0.0, 0.0, 1.0, np.inf, np.nan)


def prose(activation: Activation) -> str:
    """Return the help page's paragraphs, without the formula in TeX and without sections.

    Examples
    --------
    >>> from refnet import activations
    >>> prose(activations.relu).splitlines()[0]
    'Keep what is positive, cut the rest to zero.'
    """
    body = re.split(r"\n\n\w[\w ]*\n-+\n", activation.help)[0]
    told: list[str] = []
    after_formula = False
    for part in body.split("\n\n"):
        if part.startswith((".. math::", " ")):
            after_formula = True
            told[-1:] = [re.sub(":$", ".", told[-1])] if told else []  # a colon led to the formula
            continue
        part = re.sub(r":math:`\\?(.+?)`", r"\1", " ".join(part.split())).replace("``", "`")
        told.append(re.sub(r"^[a-z](?=[a-z])", lambda first: first[0].upper(), part) if after_formula else part)
        after_formula = False
    return "\n\n".join(told)


def tex(activation: Activation) -> str:
    """Return the formula in TeX, or an empty string if the help page has none."""
    found = re.search(r"\.\. math::[ \n]*(.+?)(?:\n\n(?!\s)|\Z)", activation.help, re.DOTALL)
    return textwrap.dedent(found[1]).strip() if found else ""


def code(activation: Activation) -> str:
    """Return the block's code without its docstring, as it stands in the book."""
    lines = textwrap.dedent(inspect.getsource(activation.formula)).splitlines()
    function = _function(activation)
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        del lines[first.lineno - 1 : first.end_lineno]
    return "\n".join(lines)


def location(activation: Activation) -> str:
    """Return the file and line where the block begins, from the package's folder on."""
    file, (_, line) = Path(inspect.getsourcefile(activation.formula) or "?"), inspect.getsourcelines(activation.formula)
    package = activation.formula.__module__.count(".") + 1
    return f"{'/'.join(file.parts[-package:])}:{line}"


def derivative_text(activation: Activation) -> str:
    """Return the derivative in one line, as the book has it; of a row, what its matrix means.

    Examples
    --------
    >>> from refnet import activations
    >>> derivative_text(activations.tanh)
    '1 / cosh(x) ** 2'
    """
    if activation.kind != "elementwise":
        return "a matrix: slope(x)[i, j] is that of result i along entry j of the row"
    if activation.derivative is None:
        return "not given by the block"
    given = [
        keyword.value
        for decorator in _function(activation).decorator_list
        if isinstance(decorator, ast.Call)
        for keyword in decorator.keywords
        if keyword.arg == "derivative"
    ]
    body: ast.expr | None = given[0].body if given and isinstance(given[0], ast.Lambda) else None
    if body is None:
        return _returned(activation.derivative)
    return ast.unparse(_WithoutModule().visit(body))


def edge_values(activation: Activation) -> list[tuple[str, str, str]]:
    """Return rows ``(x, value, slope)`` as text for `EDGES`; for rowwise ones, x is the first entry of a row of four.

    The values are what the engine computes in float32.
    """
    if activation.kind != "elementwise":
        return [_row_text(activation, edge) for edge in EDGES]
    x = np.array(EDGES, dtype=np.float32)
    y = activation(x)
    slope = map(_number, activation.slope(x)) if activation.derivative else [""] * len(x)
    return [(_number(a), _number(b), c) for a, b, c in zip(x, y, slope, strict=True)]


def curves(
    activation: Activation, span: float = 6.0, points: int = 241
) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
    """Return ``x`` (points,) from -span to span, and what to draw over it by label, each (points,), in float64."""
    x = np.linspace(-span, span, points)
    if activation.kind == "elementwise":
        drawn = {activation.name: activation.numpy(x)}
        return x, {**drawn, "its slope": activation.slope(x)} if activation.derivative else drawn
    rows = np.stack([x, np.zeros_like(x)], axis=-1)
    return x, {f"{activation.name} of (x, 0), first entry": activation.numpy(rows)[:, 0]}


def plot(x: NDArray[Any], y: NDArray[Any], columns: int = 31, lines: int = 8) -> str:
    """Draw ``y`` over ``x`` with braille dots, two by four to a character; the axes are at the rounded extremes.

    Parameters
    ----------
    x, y : ndarray
        Shape (points,); points that are not finite are left out.
    columns, lines : int
        The size in characters, without the labels.
    """
    seen = np.isfinite(y)
    if not seen.any():
        return "(nothing finite to draw)"
    low, high = float(np.floor(y[seen].min())), float(np.ceil(y[seen].max()))
    high = high if high > low else low + 1.0
    across = np.linspace(x[0], x[-1], columns * 2)
    heights = np.interp(across, x[seen], y[seen])
    down = np.rint((high - heights) / (high - low) * (lines * 4 - 1)).astype(int)
    dots = np.zeros((lines * 4, columns * 2), dtype=bool)
    for column, row in enumerate(down):
        before = down[max(column - 1, 0)]
        dots[min(row, before + 1) : max(row, before - 1) + 1, column] = True  # a steep curve stays in one piece
    # Unicode numbers the dots of a braille cell 0, 1, 2, 6 down its left side and 3, 4, 5, 7 down its right.
    bit = np.array([[1, 8], [2, 16], [4, 32], [64, 128]])
    cells = (dots.reshape(lines, 4, columns, 2) * bit[:, None, :]).sum(axis=(1, 3))
    label = {0: f"{high:g}", lines - 1: f"{low:g}"}
    drawn = [f"{label.get(i, ''):>4} ┤" + "".join(chr(0x2800 + cell) for cell in row) for i, row in enumerate(cells)]
    feet = f"{x[0]:<{columns // 2 - 1}g}0{x[-1]:>{columns - columns // 2}g}"
    return "\n".join([*drawn, "      " + feet])


class _WithoutModule(ast.NodeTransformer):
    """Writes ``m.exp(x)`` as ``exp(x)``."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        return ast.Name(node.attr) if isinstance(node.value, ast.Name) and node.value.id == "m" else node


def _returned(function: Any) -> str:
    """Return what a named function returns, in one line, and what its words stand for."""
    tree = _WithoutModule().visit(ast.parse(textwrap.dedent(inspect.getsource(function))))
    results = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return) and node.value is not None]
    words = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    return ast.unparse(results[-1]) + (f" where {', '.join(words)}" if words else "")


def _function(activation: Activation) -> ast.FunctionDef:
    tree = ast.parse(textwrap.dedent(inspect.getsource(activation.formula)))
    return next(node for node in tree.body if isinstance(node, ast.FunctionDef))


def _row_text(activation: Activation, edge: float) -> tuple[str, str, str]:
    row = np.array([[edge, 0.0, 1.0, 2.0]], dtype=np.float32)
    joined = (" ".join(_number(value) for value in values[0]) for values in (row, activation(row)))
    return (*joined, "")  # type: ignore[return-value]


def _number(value: Any) -> str:
    return f"{value:.6g}"
