from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from parity import cli
from parity.cli import main

pytestmark = pytest.mark.keras

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = "tests.parity.models_for_cli"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def run(capsys, *arguments):
    code = main(arguments)
    out = capsys.readouterr()
    return code, out.out, out.err


def test_a_model_is_checked_and_written_up(keras, capsys):
    code, out, err = run(capsys, "check", f"{HERE}:good", "--json", "r.json", "--html", "r.html", "--seed", "4")
    assert (code, err) == (0, "")
    assert out.rstrip().splitlines()[-1].startswith("agree: ")
    assert "normal, seed 4" in out
    assert json.loads(Path("r.json").read_text())["agree"] is True
    assert "<title>good: refnet and Keras agree</title>" in Path("r.html").read_text()
    assert sorted(path.name for path in Path().iterdir()) == ["r.html", "r.json"]


def test_a_keras_file_and_an_input_file_are_taken(keras, capsys):
    from tests.parity import models_for_cli

    models_for_cli.good().save("good.keras")
    np.save("x.npy", np.ones((3, 4)))
    code, out, _ = run(capsys, "check", "good.keras", "--input", "x.npy", "--through", "call")
    assert code == 0
    assert "input 3 x 4 (file x.npy)" in out


def test_another_dtype_and_other_runners_can_be_asked_for(keras, capsys):
    code, out, _ = run(
        capsys, "check", f"{HERE}:good", "--dtype", "float64", "--through", "call,tf-function", "--batch", "2"
    )
    assert code == 0
    assert "good, float64, input 2 x 4" in out
    assert "in tf.function" in out


def test_models_that_differ_give_1(keras, capsys, monkeypatch):
    from parity import bridge

    true_copy = bridge.copy_weights

    def careless(source, target):
        true_copy(source, target)
        kernel, bias = target.layers[1].get_weights()
        kernel[0, 0] += 0.5
        target.layers[1].set_weights([kernel, bias])

    monkeypatch.setattr(bridge, "copy_weights", careless)
    code, out, _ = run(capsys, "check", f"{HERE}:good", "--through", "call", "--json", "r.json")
    assert code == 1
    assert "differ: layer 'b' is the first that fails by itself" in " ".join(out.split())
    assert json.loads(Path("r.json").read_text())["cause"] == "b"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("chekc",), "invalid choice: 'chekc'"),
        (("check",), "the following arguments are required: MODEL"),
        (("check", "none.keras"), "model file 'none.keras' does not exist"),
        (("check", f"{HERE}:with_lambda"), "Lambda 'twice': a Lambda layer holds Python code"),
        (("check", f"{HERE}:convolution"), "Conv2D 'c': layer class 'Conv2D' has no counterpart"),
        (("check", f"{HERE}:good", "--input", "norml"), "did you mean 'normal'?"),
        (("check", f"{HERE}:good", "--input", "none.npy"), "input file 'none.npy' does not exist"),
        (("check", f"{HERE}:good", "--batch", "-1"), "batch -1 is negative"),
        (("check", f"{HERE}:good", "--batch", "0"), "the input has no rows"),
        (("check", f"{HERE}:good", "--batch", "many"), "invalid int value: 'many'"),
        (("check", f"{HERE}:good", "--seed", "-1"), "seed -1 is negative"),
        (("check", f"{HERE}:good", "--through", "cal"), "did you mean 'call'?"),
        (("check", f"{HERE}:good", "--through", ","), "--through names no runner"),
        (("check", f"{HERE}:good", "--html", "none/r.html"), "its folder does not exist"),
        (("check", f"{HERE}:good", "--json", "."), "cannot write '.': it is a folder; accepted: a file in a folder"),
        (("check", f"{HERE}:good", "--json", ""), "cannot write '': it is a folder"),
        (("check", f"{HERE}:good", "--html", "/dev/null"), "cannot write '/dev/null': it is not a file"),
        (("check", f"{HERE}:good", "--html", "x" * 250), "x': File name too long; accepted"),
        (("main", "--json", "none/r.json"), "its folder does not exist"),
    ],
)
def test_bad_use_is_one_sentence_and_2(keras, capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("parity")
    assert err.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_a_folder_without_permission_is_said_before_the_work(keras, capsys, monkeypatch):
    from parity import loading

    Path("r.json").write_text("before")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    monkeypatch.setattr(loading, "load", None)
    code, out, err = run(capsys, "check", f"{HERE}:good", "--json", "r.json")
    assert (code, out) == (2, "")
    assert err.startswith("parity: cannot write 'r.json': its folder cannot be written to; accepted: ")
    assert Path("r.json").read_text() == "before"


def test_an_input_of_another_shape_is_refused(keras, capsys):
    np.save("x.npy", np.ones((3, 5)))
    code, _, err = run(capsys, "check", f"{HERE}:good", "--input", "x.npy")
    assert code == 2
    assert "file 'x.npy': input of shape (3, 5) does not fit; accepted: (any number of rows, 4)" in err


def test_ctrl_c_ends_quietly(keras, capsys, monkeypatch):
    from parity import loading

    def interrupted(what):
        raise KeyboardInterrupt

    monkeypatch.setattr(loading, "load", interrupted)
    assert run(capsys, "check", "x.keras") == (130, "", "parity: interrupted\n")


@pytest.mark.parametrize(
    ("left_with", "code", "said"), [(None, 0, ""), (1, 1, ""), ("no more", 2, "parity: no more\n")]
)
def test_an_exit_in_between_has_a_code_that_is_a_number(capsys, monkeypatch, left_with, code, said):
    def leaves(options):
        raise SystemExit(left_with)

    monkeypatch.setattr(cli, "_check", leaves)
    assert run(capsys, "check", "x.keras") == (code, "", said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sweep", "relu"], "this needs rich, which is not installed; accepted: pip install rich"),
        (["check", f"{HERE}:good"], "the report needs rich, which is not installed: pip install 'refnet[keras]'"),
    ],
)
def test_a_missing_package_is_one_sentence(words, said):
    code = "import sys; sys.modules['rich'] = None; from parity.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"parity: {said}\n")


def test_too_little_memory_is_one_sentence(keras, capsys, monkeypatch):
    from parity import loading

    def grows(what):
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr(loading, "load", grows)
    said = "parity: there is not enough memory (Unable to allocate 9 TiB); accepted: a smaller input\n"
    assert run(capsys, "check", "x.keras") == (2, "", said)


@pytest.mark.parametrize("code", [0, 1])
def test_a_reader_that_leaves_early_does_not_change_the_verdict(code, tmp_path):
    """Rich ends the program with 1 when nobody reads any more; here 1 would say that the models differ."""
    (tmp_path / "early.py").write_text(
        "import argparse, sys\n"
        "from parity import cli\n"
        "class Report:\n"
        f"    exit_code = {code}\n"
        "    def __rich__(self): return 'a line\\n' * 100_000\n"
        "sys.exit(cli._show(Report(), argparse.Namespace(json=None, html=None)))\n"
    )
    ran = subprocess.run(
        ["bash", "-c", f"{sys.executable} {tmp_path / 'early.py'} | head -1; exit ${{PIPESTATUS[0]}}"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (code, "a line\n", "")


@pytest.mark.parametrize(
    ("package", "words", "who"),
    [
        ("mpmath", ["sweep", "relu"], "parity sweep"),
        ("jinja2", ["check", "nothing.keras", "--html", "page.html"], "--html"),
        ("jinja2", ["main", "--html", "page.html"], "--html"),
    ],
)
def test_a_package_that_is_missing_is_named_before_anything_is_computed(capsys, monkeypatch, package, words, who):
    monkeypatch.setitem(sys.modules, package, None)
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert err == f"parity: {who} needs {package}, which is not installed: pip install 'refnet[keras]'\n"


def test_help_is_help(capsys):
    code, out, _ = run(capsys, "check", "--help")
    assert code == 0
    assert "MODEL" in out


@pytest.mark.slow
def test_the_main_job_runs_as_a_module_without_noise(keras):
    """A process of its own: what TensorFlow says on the way in must not reach the user."""
    ran = subprocess.run(
        [sys.executable, "-m", "parity", "main"], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert ran.stdout.startswith("my_model, float32, input 3 x 5")
    assert ran.stdout.rstrip().splitlines()[-1].startswith("agree: ")


def test_an_output_in_ascii_is_written_without_what_it_lacks():
    done = subprocess.run(
        [sys.executable, "-m", "parity", "sweep", "softmax", "--samples", "10"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.isascii()) == (0, True), done.stderr
