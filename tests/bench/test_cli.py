from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import cli, forward
from bench.environment import cores
from bench.results import Record, load, save
from tests.bench.test_results import RECORD


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["forwrd"], "command 'forwrd' unknown; did you mean 'forward'"),
        (["--cases", "mnits"], "case 'mnits' is unknown; did you mean 'mnist'"),
        (["--cases", "mnist:none"], "is not a positive whole number"),
        (
            ["--cases", "deep"],
            "no cell of the everyday run is in deep; accepted: case:rows, or python -m bench forward --cases deep",
        ),
        (["--cases", ","], "names nothing"),
        (["forward", "--peers", "kears call"], "peer 'kears call' is unknown; did you mean 'keras call'"),
        (["forward", "--threads", "0"], "'0' is not a positive whole number"),
        (["forward", "--threads", "4096"], "4096 threads, but this process may use"),
        (["forward", "--rounds", "x"], "'x' is not a positive whole number"),
        (["forward", "--python", "/no/such/python", "--peers", "numpy"], "is not a Python interpreter that runs"),
        (["activations", "--names", "rleu"], "activation 'rleu' is not measured; did you mean 'relu'"),
        (["activations", "--sizes", "1.5"], "'1.5' is not a positive whole number"),
        (["startup", "--json", "/dev/null/r.json"], "cannot write '/dev/null/r.json': its folder is a file"),
        (["forward", "--plot", "/"], "cannot write '/': it is a folder"),
        (["show", "r.json", "--plot", "x.foo"], "--plot 'x.foo' is not accepted; accepted: a file that ends in .png"),
        (["main", "--out", "/dev/null"], "cannot write '/dev/null/parity.html': its folder is a file"),
        (["startup", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["show"], "the following arguments are required: FILE"),
        (["show", "no-such-file.json"], "cannot be read (No such file or directory)"),
    ],
)
def test_bad_use_is_one_sentence_and_code_two(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert cli.main(arguments) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert told.err.startswith("bench: ")
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_without_rich_it_is_one_sentence() -> None:
    code = "import runpy, sys; sys.modules['rich'] = None; runpy.run_module('bench', None, '__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    said = "bench: this needs rich, which is not installed; accepted: pip install rich\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    told = capsys.readouterr().out
    assert all(name in told for name in cli.COMMANDS)


def test_the_default_threads_fit_the_machine() -> None:
    parse = cli.parser().parse_args
    assert parse(["forward"]).threads == sorted({1, min(2, len(cores()))})
    assert parse(["default"]).threads == [len(cores())]


def test_a_run_is_printed_kept_and_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    asked: dict[str, Any] = {}

    def run(cells: Any, peers: Any, threads: Any, settings: Any, command: str, python: Any, say: Any) -> Record:
        asked.update(cells=[cell.name for cell in cells], peers=[peer.name for peer in peers], rounds=settings.rounds)
        return dataclasses.replace(RECORD, command=command)

    monkeypatch.setattr(forward, "run", run)
    kept, drawn = tmp_path / "run.json", tmp_path / "run.png"
    arguments = ["forward", "--cases", "mnist:32", "--peers", "numpy,xla", "--rounds", "2"]
    assert cli.main([*arguments, "--json", str(kept), "--plot", str(drawn)]) == 0
    assert asked == {"cells": ["mnist:32"], "peers": ["refnet", "XLA", "NumPy"], "rounds": 2}
    told = capsys.readouterr().out
    assert "refnet against the best peer" in told
    assert "2.00×" in told
    assert json.loads(kept.read_text())["command"].startswith("python -m bench forward --cases mnist:32")
    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_a_record_is_shown_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    save(RECORD, tmp_path / "run.json")
    assert load(tmp_path / "run.json") == RECORD
    assert cli.main(["show", str(tmp_path / "run.json")]) == 0
    told = capsys.readouterr().out
    assert "NumPy: disagrees: found 1 where 0 ± 1e-07 is right" in told
    assert "JAX: not installed: needs jax" in told


def test_an_interruption_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: Any) -> Record:
        raise KeyboardInterrupt

    monkeypatch.setattr(forward, "run", run)
    assert cli.main([]) == 1
    assert capsys.readouterr().err == "bench: interrupted\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux'")
def test_an_output_that_is_full_is_said_in_one_sentence(tmp_path):
    save(RECORD, tmp_path / "r.json")
    command = [sys.executable, "-m", "bench", "show", str(tmp_path / "r.json")]
    with Path("/dev/full").open("w") as full:
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (found.returncode, found.stderr) == (2, "bench: no more can be written (No space left on device)\n")


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path):
    save(RECORD, tmp_path / "r.json")
    command = [sys.executable, "-m", "bench", "show", str(tmp_path / "r.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        running.stdout.close()
        said = running.stderr.read()
    assert (running.returncode, said) == (0, "")


def test_an_output_in_ascii_is_written_without_what_it_lacks(tmp_path):
    save(RECORD, tmp_path / "record.json")
    done = subprocess.run(
        [sys.executable, "-m", "bench", "show", str(tmp_path / "record.json")],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.isascii()) == (0, True), done.stderr
