"""The coefficients in the engine's sources are those that parity.fit computes."""

from __future__ import annotations

import importlib

import pytest

from parity.fit import FITS, coefficients, error_bits, main

IDS = [fit.place.rpartition(".")[2] for fit in FITS]


def in_the_engine(place: str) -> list[tuple[float, ...]]:
    module, _, name = place.partition(":")
    content = importlib.import_module(module)
    table = getattr(content, name)
    if isinstance(table[0], tuple):  # numerator and denominator
        return list(table)
    return [*((value,) for value in table), *getattr(content, f"{name}_LEADING", ())]


@pytest.mark.parametrize("fit", FITS, ids=IDS)
def test_the_engine_has_these_coefficients(fit):
    assert in_the_engine(fit.place) == coefficients(fit)


@pytest.mark.parametrize("fit", FITS, ids=IDS)
def test_the_polynomial_is_as_good_as_its_use_needs(fit):
    tested = {
        "TAIL_COARSE": -39.0,
        "TANH_GAP": -39.0,
        "EXP_45": -45.0,
        "EXP_36": -36.0,
        "EXP_NEAR": -26.5,
        "LOG_UNIT_36": -36.0,
    }  # or no more than 1 ulp is asked for
    usual = -59.5 if ".pair_words:" in fit.place else -54.0
    assert error_bits(fit, points=200) < tested.get(fit.place.partition(":")[2], usual)


def test_every_table_of_the_engine_is_fitted():
    from refnet.engine import coefficients, pair_words

    for module in (coefficients, pair_words):
        tables = {
            name
            for name, value in vars(module).items()
            if isinstance(value, tuple)
            and (len(value) > 2 or isinstance(value[0], tuple) or name == "COTH")
            and "ROOTS" not in name
        }
        fitted = {fit.place.partition(":")[2] for fit in FITS if fit.place.startswith(f"{module.__name__}:")}
        assert {name.removesuffix("_LEADING") for name in tables} == fitted


def test_it_prints_every_polynomial(capsys):
    main()
    printed = capsys.readouterr().out
    for fit in FITS:
        degree = f"{fit.degree} over {fit.below}" if fit.below else fit.degree
        assert f"{fit.place}: degree {degree}, error 2^-" in printed
