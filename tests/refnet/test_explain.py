"""The facts about an activation, as they are shown."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from refnet import activations, elementary, explain

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=activations.names())
def entry(request):
    """Return each activation of the book; what must be given to it is 0.5."""
    found = activations.get(request.param)
    return found.with_parameters(**dict.fromkeys(found.required, 0.5))


def test_the_page_has_its_parts(entry):
    assert explain.prose(entry)
    assert not re.search(r":math:|``|\.\. math::|>>>", explain.prose(entry))
    assert explain.tex(entry)
    assert entry.source


def test_code_is_the_block_without_its_docstring(entry):
    tree = ast.parse(explain.code(entry))
    assert len(tree.body) == 1
    assert tree.body[0].name == entry.name
    assert ast.get_docstring(tree.body[0]) is None


def test_location_is_where_the_block_is(entry):
    file, line = explain.location(entry).split(":")
    assert (ROOT / file).read_text().splitlines()[int(line) - 1].startswith("@activation")


def test_edge_values(entry):
    rows = explain.edge_values(entry)
    assert [row[0].split()[0] for row in rows] == ["-inf", "-1", "-0", "0", "1", "inf", "nan"]
    if entry.kind == "elementwise":
        assert [row[1] for row in rows] == [f"{value:.6g}" for value in entry(np.array(explain.EDGES, np.float32))]


def test_the_derivative_shown_is_the_derivative(entry):
    """Read the text of the derivative as a formula, in long double as slopes of float64 are computed.

    In float64 the text loses digits where a slope passes through 0 (300 ulp for gelu's at -0.75).
    """
    text = explain.derivative_text(entry)
    if entry.kind != "elementwise":
        assert text.startswith("a matrix: slope(x)[i, j]")
        return
    x = np.array([-2.5, -0.75, 0.5, 3.25], np.longdouble)
    formula, _, words = text.partition(" where ")
    page = vars(__import__(entry.formula.__module__, fromlist=["_"]))
    names = {**page, **vars(elementary), **entry.parameters, "x": x}
    names["abs"] = abs
    if words:
        for word in re.split(r", (?=\w+ = )", words):
            exec(word, names)
    shown = np.broadcast_to(eval(formula, names), x.shape)
    np.testing.assert_array_max_ulp(shown.astype(np.float64), entry.slope(x.astype(np.float64)), maxulp=2)


def test_a_derivative_that_is_not_given():
    bare = dataclasses.replace(activations.tanh, derivative=None)
    assert explain.derivative_text(bare) == "not given by the block"
    assert {row[2] for row in explain.edge_values(bare)} == {""}


def test_plot_draws_a_line_from_corner_to_corner():
    x = np.linspace(-1, 1, 101)
    drawn = explain.plot(x, x, columns=8, lines=4).splitlines()
    assert len(drawn) == 5
    assert drawn[0].startswith("   1 ┤")
    assert drawn[3].startswith("  -1 ┤")
    assert drawn[-1].split() == ["-1", "0", "1"]
    cells = [line.partition("┤")[2] for line in drawn[:4]]
    assert cells[3][0] != "⠀"
    assert cells[0][-1] != "⠀"
    assert cells[0][0] == "⠀"
    assert cells[3][-1] == "⠀"


def test_plot_leaves_out_what_is_not_finite():
    x = np.linspace(-1, 1, 5)
    assert explain.plot(x, np.full(5, np.nan)) == "(nothing finite to draw)"
    assert "┤" in explain.plot(x, np.array([np.inf, 0.0, 1.0, np.nan, 2.0]))


def test_parameters_choose_what_is_shown():
    approximate = activations.gelu.with_parameters(approximate=True)
    assert explain.code(approximate) != explain.code(activations.gelu)
    assert explain.derivative_text(approximate) != explain.derivative_text(activations.gelu)


def test_what_must_be_given_is_said():
    required = [name for name in activations.names() if activations.get(name).required]
    assert all(explain.prose(activations.get(name)) and explain.code(activations.get(name)) for name in required)
