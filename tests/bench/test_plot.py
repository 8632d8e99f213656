from __future__ import annotations

import builtins
import dataclasses
from typing import Any

import pytest

from bench import plot
from bench.peers import PEERS
from bench.results import Measurement, Row
from bench.statistics import summarize
from refnet.errors import UnsupportedError
from tests.bench.test_report import activation
from tests.bench.test_results import RECORD, ROW


def test_forward_activations_and_starts_are_drawn() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    many = [dataclasses.replace(ROW, size=size, name=name) for name in "abcd" for size in (1, 10)]
    start = (Measurement("refnet", "timed", "", summarize([0.2]), None, 5 * 10**7),)
    records = [
        dataclasses.replace(RECORD, rows=tuple(many)),
        dataclasses.replace(RECORD, kind="activations", rows=(activation("relu", 2, 1e-3), activation("elu", 2, 2e-3))),
        dataclasses.replace(RECORD, kind="startup", rows=(Row("first", 0, 0, "first", 0, 0, 0, None, "", start),)),
    ]
    for record in records:
        assert plot.draw(record).startswith(b"\x89PNG")


def test_a_record_without_any_time_is_drawn_too() -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    nothing = dataclasses.replace(ROW, measurements=ROW.measurements[3:])
    assert plot.draw(dataclasses.replace(RECORD, rows=(nothing,))).startswith(b"\x89PNG")


def test_no_two_peers_look_alike() -> None:
    styles = [plot.style_of(name) for name in PEERS]
    assert len({(style["color"], style["marker"]) for style in styles}) == len(PEERS)


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_matplotlib(name: str, *arguments: Any, **more: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", no_matplotlib)
    with pytest.raises(UnsupportedError, match="--plot needs matplotlib"):
        plot.draw(RECORD)
