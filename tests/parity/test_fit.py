"""The coefficients in the engine's sources are those that parity.fit computes."""

from __future__ import annotations

import ast
import importlib
import inspect

import pytest

from parity.fit import FITS, coefficients, error_bits, main

IDS = [fit.place.rpartition(".")[2] for fit in FITS]


def horner_in(function) -> list[tuple[float, ...]]:
    """Return the coefficients of ``q = c; q = fma(q, x, c); ...``, the highest power first."""
    found: list[tuple[float, ...]] = []
    tree = ast.parse(inspect.getsource(function.py_func))
    for node in ast.walk(tree.body[0]):
        value = node.value if isinstance(node, ast.Assign) else None
        if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "fma":
            value = value.args[2] if getattr(value.args[0], "id", "") == node.targets[0].id else None
        try:
            number = ast.literal_eval(value)
        except (TypeError, ValueError):
            continue
        found.append((number,))
    return found


def in_the_engine(place: str) -> list[tuple[float, ...]]:
    module, _, name = place.partition(":")
    content = importlib.import_module(module)
    if not name.isupper():
        return horner_in(getattr(content, name))
    leading = getattr(content, f"{name}_LEADING", ())
    return [*((value,) for value in getattr(content, name)), *leading]


@pytest.mark.parametrize("fit", FITS, ids=IDS)
def test_the_engine_has_these_coefficients(fit):
    assert in_the_engine(fit.place) == coefficients(fit)


@pytest.mark.parametrize("fit", FITS, ids=IDS)
def test_the_polynomial_is_as_good_as_its_use_needs(fit):
    assert error_bits(fit, points=200) < (-59.5 if ".pair_words:" in fit.place else -54.0)


def test_every_table_of_the_engine_is_fitted():
    from refnet.engine import pair_words

    tables = {name for name, value in vars(pair_words).items() if isinstance(value, tuple) and len(value) > 4}
    fitted = {fit.place.partition(":")[2] for fit in FITS}
    assert {name.removesuffix("_LEADING") for name in tables} <= fitted


def test_it_prints_every_polynomial(capsys):
    main()
    printed = capsys.readouterr().out
    assert all(f"{fit.place}: degree {fit.degree}, error 2^-" in printed for fit in FITS)
