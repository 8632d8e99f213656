from __future__ import annotations

import pytest

import refnet
from bench import profile
from bench.cases import CASES, Cell
from bench.cli import main
from bench.results import Limits

LIMITS = Limits(1, 100e9, "a kernel", 1e9, ())
CELL = Cell(CASES["tutorial"], 1000)


def test_what_follows_from_the_times():
    found = profile.Profile(CELL, 1, 30e-6, 10e-6, LIMITS)
    assert found.of_peak == pytest.approx(CELL.case.flops(1000) / 10e-6 / 100e9)
    assert found.elements_per_second == pytest.approx(30 * 1000 / 20e-6)
    assert profile.Profile(CELL, 1, 10e-6, 10e-6, LIMITS).elements_per_second is None


def test_a_network_takes_longer_than_its_products(monkeypatch):
    monkeypatch.setattr(profile, "measure_apart", lambda threads: LIMITS)
    monkeypatch.setattr(profile, "SECONDS", 0.05)
    before, said = refnet.get_num_threads(), []
    (found,) = profile.run([Cell(CASES["odd"], 10_000)], [1], said.append)
    assert found.whole > found.products > 0
    assert (found.cell.batch, found.threads) == (10_000, 1)
    assert len(said) == 2
    assert refnet.get_num_threads() == before


def test_the_command(monkeypatch, capsys):
    monkeypatch.setattr(profile, "measure_apart", lambda threads: LIMITS)
    monkeypatch.setattr(profile, "SECONDS", 0.0)
    assert main(["profile", "--cases", "tutorial:32", "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    assert "where refnet's time goes" in printed
    assert "tutorial" in printed


def test_a_case_that_is_not_there(capsys):
    assert main(["profile", "--cases", "tutrial"]) == 2
    assert "tutorial" in capsys.readouterr().err
