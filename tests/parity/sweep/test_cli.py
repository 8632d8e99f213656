from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from parity.cli import main
from parity.runners import activations as runners
from parity.sweep import cli, job, pool, results, run
from refnet import activations
from refnet.errors import ArgumentError
from tests.parity.sweep.common import ELEMENTWISE, PLANTED, ROOT, ROWS, half_task
from tests.parity.sweep.planted import PLACES


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")


def sweep(capsys, *arguments):
    code = main(["sweep", *arguments])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_a_function_that_is_right_gives_0(capsys):
    code, out, err = sweep(capsys, "relu6", "tanh", "--dtype", "float16", "--json", "r.json")
    assert (code, err) == (0, "")
    assert out.rstrip().splitlines()[-1] == "2 of 2 correctly rounded throughout"
    entries = json.loads(Path("r.json").read_text())["results"]
    assert [(each["activation"], each["inputs"], each["misrounded"]) for each in entries] == [
        ("relu6", 1 << 16, 0),
        ("tanh", 1 << 16, 0),
    ]


def test_a_function_that_is_wrong_gives_1_and_is_named(capsys):
    code, out, _ = sweep(capsys, "relu6", "--dtype", "float16", "--runner", f"{PLANTED}:off_by_one")
    assert code == 1
    assert f"65,536  {len(PLACES):>10}" in out or str(len(PLACES)) in out
    assert "0x3c37" in out
    assert out.rstrip().splitlines()[-1] == "0 of 1 correctly rounded throughout; not: relu6"


def test_samples_of_float32_take_seconds_not_hours(capsys):
    code, out, _ = sweep(capsys, "relu", "--samples", "12", "--jobs", "2")
    assert code == 0
    assert "1 of 1" in out


def test_float64_may_be_off_by_one_ulp(capsys):
    code, out, _ = sweep(capsys, "softsign", "--samples", "10", "--dtype", "float64")
    assert code == 0
    assert out.rstrip().endswith("1 of 1 within 1 ulp throughout")


def test_all_are_those_of_the_book():
    assert [each.name for each in cli._chosen([], True)] == list(activations.names())


def test_rows_are_swept_and_named(capsys):
    code, out, err = sweep(capsys, "softmax", "glu", "--samples", "10", "--seed", "3", "--json", "r.json")
    assert (code, err) == (0, "")
    assert out.rstrip().splitlines()[-1] == "2 of 2 within 1 ulp throughout"
    for each in results.read("r.json"):
        assert (each["exhaustive"], each["seed"], each["samples"]) == (False, 3, 1024)
        assert set(each["classes"]["normal"]["worst_row"]) == {"family", "length", "row", "entry"}


def test_rows_that_are_wrong_give_1_and_are_shown(capsys):
    code, out, _ = sweep(capsys, "softmax", "--samples", "10", "--runner", f"{PLANTED}:step_in_rows")
    assert code == 1
    assert re.search(r"[a-zA-Z0-9. -]+, length 17, row 0, entry 5", out)
    assert out.rstrip().splitlines()[-1] == "0 of 1 within 1 ulp throughout; not: softmax"
    code, out, _ = sweep(capsys, "softmax", "--samples", "10", "--runner", f"{PLANTED}:step_in_rows", "--max-ulp", "3")
    assert code == 0
    assert out.rstrip().splitlines()[-1] == "1 of 1 within 3 ulp throughout"


def test_rows_run_in_processes(capsys):
    code, out, _ = sweep(capsys, "softmax", "--samples", "10", "--jobs", "2", "--dtype", "float16")
    assert code == 0
    assert "1 of 1 within 1 ulp throughout" in out


def test_bounds_differ_by_what_is_promised(capsys):
    code, out, _ = sweep(capsys, "relu", "softmax", "--samples", "10")
    assert code == 0
    assert out.rstrip().splitlines()[-2:] == ["1 of 1 correctly rounded throughout", "1 of 1 within 1 ulp throughout"]


def test_of_all_the_rows_are_swept_as_rows_where_the_others_are_exhausted():
    options = argparse.Namespace(exhaustive=True, all=True)
    for name in activations.names():
        assert cli._exhaustive(options, activations.REGISTRY[name]) == (name in ELEMENTWISE)
    options.all = False
    assert cli._exhaustive(options, activations.REGISTRY[ROWS[0]])


def lacking(monkeypatch, there):
    """Have the runner numpy lack all activations but those named."""

    def call(activation, x):
        if activation.name not in there:
            raise runners.LacksError(f"activation {activation.name!r}: not there")
        return activation.numpy(x)

    monkeypatch.setitem(runners.NAMES, "numpy", dataclasses.replace(runners.NAMES["numpy"], call=call))
    job._runner.cache_clear()


@pytest.fixture
def few(monkeypatch):
    lacking(monkeypatch, ("relu", "tanh"))
    yield
    job._runner.cache_clear()


@pytest.mark.usefixtures("few")
def test_all_skips_what_the_runner_lacks_and_says_so(capsys):
    code, out, err = sweep(capsys, "--all", "--dtype", "float16", "--runner", "numpy")
    assert (code, err) == (0, "")
    *_, skipped, last = out.rstrip().splitlines()
    names = ", ".join(name for name in activations.names() if name not in ("relu", "tanh"))
    assert skipped == f"skipped, as numpy does not have them: {names}"
    assert last == "2 of 2 correctly rounded throughout"


def test_a_dtype_that_the_runner_refuses_is_said_before_the_sweep(capsys, monkeypatch):
    refusing = dataclasses.replace(runners.NAMES["numpy"], refuses=("float64",))
    monkeypatch.setitem(runners.NAMES, "numpy", refusing)
    monkeypatch.setattr(cli, "task_for", None)
    code, out, err = sweep(capsys, "tanh", "--dtype", "float64", "--runner", "numpy")
    assert (code, out) == (2, "")
    assert err.startswith("parity: runner 'numpy': Keras computes float64 in float32 there; accepted: ")


@pytest.mark.usefixtures("few")
def test_a_function_that_is_asked_for_is_not_skipped(capsys):
    code, _, err = sweep(capsys, "relu", "relu6", "--dtype", "float16", "--runner", "numpy")
    assert (code, err) == (2, "parity: activation 'relu6': not there\n")


@pytest.mark.usefixtures("few")
def test_a_runner_that_lacks_all_is_an_error(capsys, monkeypatch):
    lacking(monkeypatch, ())
    code, out, err = sweep(capsys, "--all", "--dtype", "float16", "--runner", "numpy")
    assert (code, out) == (2, "")
    assert err == "parity: runner 'numpy' has none of the activations; accepted: one that has some\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "sweep needs the name of an activation, or --all"),
        (["tahn"], "activation 'tahn' unknown; did you mean 'tanh'?"),
        (["tanh", "--all"], "--all and 'tanh' exclude each other"),
        (
            ["softmax", "--exhaustive"],
            "activation 'softmax' works on rows, and there is no end of them; sweep it without",
        ),
        (["relu", "glu", "--exhaustive"], "activation 'glu' works on rows, and there is no end of them"),
        (["softmax", "--runner", "numpy-plain"], "activation 'softmax': numpy-plain takes single numbers"),
        (
            ["softmax", "--samples", "10", "--runner", f"{PLANTED}:transposed"],
            "accepted: the same shape",
        ),
        (["tanh", "--runner", "kers"], "runner 'kers' unknown"),
        (["tanh", "--runner", "no.such:f"], "module 'no.such' cannot be imported"),
        (["tanh", "--exhaustive", "--dtype", "float64"], "float64 has 2**64 inputs"),
        (["tanh", "--jobs", "0"], "--jobs 0 is not accepted; accepted: 1 or more"),
        (["tanh", "--jobs", "2", "--scheduler", "tcp://h:1"], "--jobs and --scheduler exclude each other"),
        (["tanh", "--scheduler", ""], "--scheduler '' is not accepted; accepted: an address, as tcp://host:8786"),
        (["tanh", "--json", ""], "it is a folder; accepted: a file in a folder that can be written to"),
        (["tanh", "--samples", "40"], "--samples 40 is not accepted"),
        (["tanh", "--seed", "-1"], "--seed -1 is not accepted"),
        (["tanh", "--max-ulp", "-1"], "--max-ulp -1.0 is not accepted"),
        (["tanh", "--max-ulp", "nan"], "--max-ulp nan is not accepted"),
        (["leaky_relu(slope"], "activation 'leaky_relu(slope' cannot be read"),
        (["leaky_relu(slope=1)"], "slope"),
        (["elu(1)(2)"], "activation 'elu(1)(2)' cannot be read; accepted: name(parameter=value, ...)"),
        (["elu(1).relu(2)"], "activation 'elu(1).relu(2)' cannot be read"),
        (["elu(alpha=1, alpha=2)"], "activation 'elu(alpha=1, alpha=2)' cannot be read"),
        (['elu(**{"alpha": 1})'], "cannot be read; accepted: name(parameter=value, ...)"),
        (["elu(" + "-" * 5000 + "1)"], "cannot be read"),
    ],
)
def test_bad_use_gives_2_and_one_sentence(capsys, arguments, words):
    code, out, err = sweep(capsys, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.rstrip().splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--dtype", "int8", "tanh"], ["--frobnicate"]])
def test_what_argparse_refuses_gives_2(capsys, arguments):
    code, out, err = sweep(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("parity sweep: ")
    assert len(err.rstrip().splitlines()) == 1


def test_another_file_is_not_overwritten(capsys):
    Path("mine.json").write_text("{}")
    code, _, err = sweep(capsys, "relu", "--json", "mine.json")
    assert code == 2
    assert "are not those of `parity sweep`" in err
    assert Path("mine.json").read_text() == "{}"


def test_checkpoints_that_cannot_be_written_are_said_before_the_sweep(capsys, monkeypatch):
    monkeypatch.setattr(cli, "task_for", None)
    Path("there").write_text("before")
    code, out, err = sweep(capsys, "relu", "--exhaustive", "--checkpoints", "there")
    assert (code, out) == (2, "")
    assert err.startswith("parity: cannot write 'there/checkpoint': its folder is a file; accepted: ")
    assert Path("there").read_text() == "before"


@pytest.mark.parametrize(
    ("path", "why"), [("no/r.json", "its folder does not exist"), (".", "it is a folder"), ("r" * 250, "name too long")]
)
def test_results_that_cannot_be_written_are_said_before_the_sweep(capsys, monkeypatch, path, why):
    monkeypatch.setattr(cli, "task_for", None)
    code, out, err = sweep(capsys, "relu", "--dtype", "float16", "--json", path)
    assert (code, out) == (2, "")
    assert err.startswith("parity: cannot write ")
    assert why in err
    assert len(err.splitlines()) == 1
    assert list(Path().iterdir()) == []


def test_parameters_can_be_given():
    assert cli.parse_name("elu(alpha=0.5)").parameters == {"alpha": 0.5}
    assert cli.parse_name("elu(0.5)").parameters == {"alpha": 0.5}
    assert cli.parse_name("swish") is activations.REGISTRY["swish"]
    with pytest.raises(ArgumentError, match="unknown"):
        cli.parse_name("__import__('os')")


def test_a_scheduler_that_is_not_there_gives_2_and_one_sentence(tmp_path):
    pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install 'refnet[dask]'")
    command = "import sys; from parity.cli import main; from parity.sweep import pool; pool._PATIENCE = 2; "
    command += "sys.exit(main(['sweep', 'relu', '--dtype', 'float16', '--scheduler', 'tcp://127.0.0.1:9']))"
    found = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert found.returncode == 2
    assert found.stderr.startswith("parity: scheduler 'tcp://127.0.0.1:9' cannot be reached")
    assert len(found.stderr.splitlines()) == 1


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_function_that_fails_gives_2_and_one_sentence(jobs):
    Path("mine.py").write_text("def broken(x):\n    raise RuntimeError('two\\nlines')\n")
    command = [sys.executable, "-m", "parity", "sweep", "relu", "--dtype", "float16", "--runner", "mine:broken"]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run([*command, "--jobs", jobs], env=path, capture_output=True, text=True, timeout=120)
    assert found.returncode == 2
    assert found.stderr.count("\n") == 1
    assert found.stderr.startswith("parity: runner 'mine:broken': activation 'relu' over ")
    assert "failed (RuntimeError: two lines); accepted: a function of one array" in found.stderr


@pytest.mark.parametrize(("runner", "code"), [("refnet", 0), (f"{PLANTED}:off_by_one", 1)])
def test_a_reader_that_leaves_early_does_not_change_the_verdict(runner, code):
    command = (
        f"{sys.executable} -m parity sweep relu6 --dtype float16 --runner {runner} | true; exit ${{PIPESTATUS[0]}}"
    )
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    found = subprocess.run(["bash", "-c", command], env=path, capture_output=True, text=True, timeout=120, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (code, "", "")


def test_an_exhaustive_sweep_keeps_what_it_has_done_until_all_is_done(capsys, monkeypatch):
    """With a task of float16 in the place of that of float32, which would take minutes."""
    monkeypatch.setattr(cli, "task_for", lambda *arguments, **others: half_task())
    folder, tried = Path(".parity-sweep"), []
    real = pool.here

    def stops(task, chunks):
        for each in real(task, chunks):
            if len(tried) == 5:
                raise pool.WorkerError("a worker process died")
            tried.append(each["start"])
            yield each

    monkeypatch.setattr(run.pool, "here", stops)
    code, _, err = sweep(capsys, "relu6", "--exhaustive")
    assert (code, err) == (2, "parity: a worker process died\n")
    (kept,) = folder.iterdir()
    assert json.loads(kept.read_text())["done"] == tried
    monkeypatch.setattr(run.pool, "here", real)
    code, _, err = sweep(capsys, "relu6", "--exhaustive")
    assert code == 2
    assert "has 5 of 16 chunks of relu6; go on with --resume" in err
    code, out, _ = sweep(capsys, "relu6", "--exhaustive", "--resume")
    assert code == 1
    assert "65,536" in out
    assert not folder.exists()


def test_the_help_says_what_there_is(capsys):
    code, out, _ = sweep(capsys, "--help")
    assert code == 0
    assert "--scheduler ADDRESS" in out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux'")
def test_an_output_that_is_full_is_said_in_one_sentence():
    command = [sys.executable, "-m", "parity", "sweep", "relu6", "--dtype", "float16", "--json", "r.json"]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    with Path("/dev/full").open("w") as full:
        found = subprocess.run(command, env=path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (found.returncode, found.stderr) == (2, "parity: no more can be written (No space left on device)\n")
    assert results.read("r.json")[0]["misrounded"] == 0
