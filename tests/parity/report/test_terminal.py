from __future__ import annotations

import dataclasses
import io

from rich.console import Console

from tests.parity.report.example import KNOWN, WRONG, report


def test_the_text_has_every_layer_twice_and_the_verdict_last():
    lines = str(report()).splitlines()
    assert lines[0].startswith("my_model, float32, input 2 x 10 (normal, seed 0): refnet against Keras 3.15.1")
    assert sum("isolated" in line for line in lines) == 2
    assert sum("cumulative" in line for line in lines) == 2
    assert any(line.startswith("output") and "model(x)" in line for line in lines)
    assert lines[-1] == report().sentence
    assert "note: Dense 'one': kernel holds 1 NaN value" in str(report())
    assert "Keras predict not judged: Keras' predict cannot take" in str(report())


def test_known_differences_are_named_with_their_issue():
    text = " ".join(str(report(isolated=KNOWN)).split())
    assert "known: gelu tail (3 elements): It cancels. [pytorch#187806]" in text


def test_it_fits_wide_and_narrow_terminals_with_whole_verdicts():
    for width in (80, 100, 140):
        stream = io.StringIO()
        Console(file=stream, width=width, color_system=None).print(report(isolated=KNOWN, cumulative=WRONG))
        lines = stream.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        assert any("explained by rounding" in line for line in lines[2:4])
        assert any("not explained" in line for line in lines)


def test_colours_follow_the_verdict(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = io.StringIO()
    Console(file=stream, width=120, force_terminal=True, color_system="standard").print(report(isolated=WRONG))
    assert "\x1b[1;31m" in stream.getvalue()


def test_long_names_of_layers_get_the_room_that_there_is():
    names = ("encoder_hidden_layer_1", "encoder_hidden_layer_2")
    long = dataclasses.replace(
        report(),
        layers=tuple(dataclasses.replace(one, name=name) for one, name in zip(report().layers, names, strict=True)),
    )
    for width in (80, 100, 120):
        stream = io.StringIO()
        Console(file=stream, width=width, color_system=None).print(long)
        lines = stream.getvalue().splitlines()
        assert max(map(len, lines)) <= width
        for name in names:
            assert any(line.startswith(name) and line.rstrip().endswith("explained by rounding") for line in lines)
