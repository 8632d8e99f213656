"""The command ``refnet``: every command does its work, and says in one sentence why it cannot."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import refnet
from refnet import activations
from refnet.cli import COMMANDS, main

MODELS = """
import refnet
from refnet import layers


def build():
    model = refnet.Sequential(name="my_model")
    model.add(layers.Dense(units=10, activation="relu", input_shape=(5,), kernel_initializer="ones"))
    model.add(layers.Dense(units=10, activation="softmax"))
    return model


def unbuilt():
    return refnet.Sequential([layers.Dense(3)])


def fails():
    raise RuntimeError("no such data")


def leaves():
    raise SystemExit(0)


class Sequential:
    __module__ = "keras.src.models"


ready = build()
keras_like = Sequential
number = 3
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stand in a folder with a module of models, which is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "some_models.py").write_text(MODELS)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32))
    yield tmp_path
    sys.modules.pop("some_models", None)


def refused(capsys, *arguments: str) -> str:
    """Run a command that must fail with code 2, one sentence on stderr and nothing on stdout."""
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("refnet: ")
    return said.err[len("refnet: ") : -1]


class TestExplain:
    @pytest.mark.parametrize("name", activations.names())
    def test_every_activation(self, name, capsys, monkeypatch):
        monkeypatch.setenv("COLUMNS", "200")
        assert main(["explain", name]) == 0
        page = capsys.readouterr().out
        entry = activations.get(name)
        assert page.startswith(f"{name}(x) = {entry.text}\n")
        for part in ("derivative  ", f"source      {entry.source}", "code        refnet/activations/", f"def {name}("):
            assert part in page

    def test_edge_values(self, capsys):
        assert main(["explain", "softsign"]) == 0
        page = capsys.readouterr().out
        assert "│ -inf │ -1    │ 0     │" in page
        assert "│ -0   │ -0    │ 1     │" in page
        assert "│ nan  │ nan   │ nan   │" in page

    def test_alias_and_unknown(self, capsys):
        assert main(["explain", "swish"]) == 0
        assert capsys.readouterr().out.startswith("silu(x) = ")
        assert refused(capsys, "explain", "swihs") == "activation 'swihs' unknown; did you mean 'swish'?"

    def test_parameters(self, capsys):
        assert main(["explain", "leaky_relu", "negative_slope=0.5"]) == 0
        assert "│ -1   │ -0.5  │ 0.5   │" in capsys.readouterr().out
        assert main(["explain", "gelu", "approximate=true"]) == 0
        assert "-0.158808" in capsys.readouterr().out
        assert "'slope'" in refused(capsys, "explain", "leaky_relu", "slope=0.5")
        assert refused(capsys, "explain", "leaky_relu", "0.5") == (
            "'0.5' is not accepted; accepted: KEY=VALUE, where VALUE is a number, true, false or none"
        )

    def test_all(self, capsys):
        assert main(["explain"]) == 0
        listed = capsys.readouterr().out
        assert all(f"│ {name} " in listed for name in activations.names())

    def test_png(self, folder, capsys):
        assert main(["explain", "tanh", "--png", "tanh.png"]) == 0
        assert capsys.readouterr().out == "wrote tanh.png\n"
        assert (folder / "tanh.png").read_bytes().startswith(b"\x89PNG")
        assert sorted(path.name for path in folder.iterdir()) == ["some_models.py", "tanh.png", "x.npy"]

    def test_png_where_none_can_be_written(self, folder, capsys):
        assert refused(capsys, "explain", "tanh", "--png", "missing/tanh.png") == (
            "missing/tanh.png: cannot be written (No such file or directory); accepted: a path in a folder that exists"
        )


class TestModels:
    def test_summary(self, folder, capsys):
        assert main(["summary", "some_models:build"]) == 0
        printed = capsys.readouterr().out
        assert 'Model: "my_model"' in printed
        assert "softmax" in printed

    def test_variable(self, folder, capsys):
        assert main(["summary", "some_models:ready"]) == 0
        assert "Total params: 170" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("some_models", "MODEL 'some_models' is not accepted; accepted: module:function or module:variable"),
            ("some_models:biuld", "module 'some_models' has no 'biuld'; did you mean 'build'?"),
            ("missing_module:build", "cannot be loaded: ModuleNotFoundError: No module named 'missing_module'"),
            ("some_models:fails", "cannot be loaded: RuntimeError: no such data"),
            ("some_models:leaves", "cannot be loaded: SystemExit: 0"),
            (
                "some_models:number",
                "MODEL 'some_models:number' gives an object of type int; accepted: a refnet.Sequential",
            ),
            (
                "some_models:keras_like",
                "gives an object of type Keras Sequential; accepted: a refnet.Sequential; `parity check",
            ),
            ("m.keras", "is a Keras file, which refnet does not read yet; accepted: module:function; `parity check"),
            ("m.h5", "`parity check m.h5` reads it through Keras"),
            (":build", "accepted: module:function"),
            ("", "accepted: module:function"),
        ],
    )
    def test_no_model(self, folder, capsys, name, sentence):
        assert sentence in refused(capsys, "summary", name)


class TestPredict:
    def test_writes_what_the_model_computes(self, folder, capsys):
        assert main(["predict", "some_models:ready", "--input", "x.npy", "--output", "y.npy"]) == 0
        assert capsys.readouterr().out == "wrote y.npy: (3, 10) float32\n"
        model = sys.modules["some_models"].ready
        assert np.load(folder / "y.npy").tobytes() == model(np.load(folder / "x.npy")).tobytes()

    def test_others_may_read_the_result_as_usual(self, folder, capsys):
        before = os.umask(0o022)
        try:
            assert main(["predict", "some_models:ready", "--input", "x.npy", "--output", "y.npy"]) == 0
        finally:
            os.umask(before)
        assert stat.S_IMODE((folder / "y.npy").stat().st_mode) == 0o644

    def test_a_failure_leaves_the_old_file(self, folder, capsys):
        (folder / "y.npy").write_bytes(b"old")
        np.save("wrong.npy", np.zeros((3, 4)))
        sentence = refused(capsys, "predict", "some_models:ready", "--input", "wrong.npy", "--output", "y.npy")
        assert "4" in sentence
        assert (folder / "y.npy").read_bytes() == b"old"
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (None, "bad.npy: cannot be read (No such file or directory); accepted: a .npy file"),
            (b"", "bad.npy: not a whole .npy file of numbers"),
            (b"not numpy at all", "bad.npy: not a whole .npy file of numbers"),
            (b"cut", "bad.npy: not a whole .npy file of numbers"),
            (b"objects", "bad.npy: not a whole .npy file of numbers"),
        ],
        ids=["missing", "empty", "text", "cut", "objects"],
    )
    def test_bad_input(self, folder, capsys, content, sentence):
        bad = Path("bad.npy")
        if content == b"cut":
            bad.write_bytes(Path("x.npy").read_bytes()[:-7])
        elif content == b"objects":
            np.save(bad, np.array([{}, "x"], dtype=object))
        elif content is not None:
            bad.write_bytes(content)
        said = refused(capsys, "predict", "some_models:ready", "--input", "bad.npy", "--output", "y.npy")
        assert said.startswith(sentence)
        assert not Path("y.npy").exists()

    def test_input_is_a_folder(self, folder, capsys):
        said = refused(capsys, "predict", "some_models:ready", "--input", ".", "--output", "y.npy")
        assert "cannot be read" in said

    def test_an_output_that_cannot_be_written_is_refused_before_the_work(self, folder, capsys):
        said = refused(capsys, "predict", "some_models:fails", "--input", "x.npy", "--output", "no/y.npy")
        assert said.startswith("cannot write 'no/y.npy': its folder does not exist; accepted: ")

    def test_a_full_disk_is_said(self, folder):
        Path("y.npy").write_bytes(b"old")
        words = f"{sys.executable} -m refnet predict some_models:ready --input x.npy --output y.npy"
        np.save("x.npy", np.zeros((10_000, 5), np.float32))
        command = ["bash", "-c", f"ulimit -f 100; PYTHONDONTWRITEBYTECODE=1 {words}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        sentence = "refnet: y.npy: cannot be written (File too large); accepted: a path in a folder that exists\n"
        assert (done.returncode, done.stderr) == (2, sentence)
        assert Path("y.npy").read_bytes() == b"old"

    @pytest.mark.parametrize("rows", [0, 1, 1000])
    def test_the_file_is_what_numpy_would_write(self, folder, capsys, rows):
        np.save("x.npy", np.ones((rows, 5), np.float32))
        assert main(["predict", "some_models:ready", "--input", "x.npy", "--output", "y.npy"]) == 0
        np.save("expected.npy", sys.modules["some_models"].ready(np.load("x.npy")))
        assert Path("y.npy").read_bytes() == Path("expected.npy").read_bytes()


class TestTrace:
    def test_random_rows(self, folder, capsys):
        assert main(["trace", "some_models:ready", "--rows", "2"]) == 0
        printed = capsys.readouterr().out
        assert "my_model: 2 rows" in printed
        assert "z = x W + b" in printed

    def test_file(self, folder, capsys):
        assert main(["trace", "some_models:ready", "--input", "x.npy"]) == 0
        assert "my_model: 3 rows" in capsys.readouterr().out

    def test_unbuilt_and_bad_rows(self, folder, capsys):
        assert "has no input shape" in refused(capsys, "trace", "some_models:unbuilt")
        assert refused(capsys, "trace", "some_models:ready", "--rows", "-1") == (
            "--rows -1 is not accepted; accepted: 0 or more"
        )


def test_warmup_compiles_into_the_cache(tmp_path):
    done = run("warmup", REFNET_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*.o"))


@pytest.mark.parametrize("why", ["a file where the folder should be", "no multiply-add"])
def test_a_warmup_that_keeps_nothing_fails(tmp_path, why):
    blocked = tmp_path / "file"
    blocked.write_text("")
    environment, sentence = {
        "a file where the folder should be": ({}, f"{blocked}/"),
        "no multiply-add": ({"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, "without fused multiply-add "),
    }[why]

    done = run("warmup", REFNET_CACHE_DIR=str(blocked if not environment else tmp_path / "cache"), **environment)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"refnet: warmup: what is compiled cannot be kept: {sentence}")
    assert "; accepted: " in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [("warmup",), ("explain", "relu")])
def test_without_numba_what_must_be_compiled_is_one_sentence(words, tmp_path):
    code = "import sys; sys.modules['numba'] = None; from refnet.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {**os.environ, "REFNET_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("refnet: kernels are compiled by numba, which cannot be imported (")
    assert done.stderr.endswith("); accepted: pip install numba\n")


@pytest.mark.parametrize("words", [("explain",), ("explain", "relu"), ("warmup",)])
def test_without_rich_what_prints_by_it_is_one_sentence(words, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    for name in [name for name in sys.modules if name.startswith("rich.")]:
        monkeypatch.delitem(sys.modules, name)
    assert refused(capsys, *words) == "this needs rich, which is not installed; accepted: pip install rich"


def test_version_and_no_command(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"refnet {refnet.__version__}\n"
    assert refused(capsys).startswith("no command given; accepted: explain, predict, ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["explian", "relu"], "command 'explian' unknown; did you mean 'explain'?; accepted: explain, predict, "),
        (["predict"], "the following arguments are required: MODEL, --input, --output (`refnet predict --help` lists"),
        (["trace", "m:f", "--rows", "many"], "argument --rows: invalid int value: 'many'"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_bad_use(capsys, words, sentence):
    assert sentence in refused(capsys, *words)


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert all(f"    {command} " in said for command in COMMANDS)


def test_a_reader_that_leaves_early_is_no_error():
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m refnet explain relu | head -1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "relu(x) = max(x, 0)\n"
    assert (done.returncode, done.stderr) == (0, "")


STOPPED = """
import argparse, importlib, sys, threading, time

def stop(*words):
    threading.Thread(target=time.sleep, args=(60,)).start()  # as a compiler, which Python waits for at its end
    raise KeyboardInterrupt

argparse.ArgumentParser.parse_args = stop
name = sys.argv.pop()
sys.exit(importlib.import_module(f"{name}.cli").main())
"""


@pytest.mark.parametrize("name", ["refnet", "parity", "bench"])
def test_a_second_ctrl_c_ends_the_process_at_once(name):
    with subprocess.Popen([sys.executable, "-c", STOPPED, name], stderr=subprocess.PIPE, text=True) as process:
        try:
            said = process.stderr.readline()
            process.send_signal(signal.SIGINT)
            _, rest = process.communicate(timeout=20)
        finally:
            process.kill()
    assert said.startswith(f"{name}: ")
    assert (process.returncode, rest) == (-signal.SIGINT, "")


def test_too_little_memory_is_one_sentence(folder, capsys, monkeypatch):
    def grows(*arguments):
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr("refnet.cli.load_model", grows)
    assert main(["summary", "a:b"]) == 2
    said = capsys.readouterr().err
    assert said == "refnet: there is not enough memory (Unable to allocate 9 TiB); accepted: a smaller input\n"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "refnet", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux'")
@pytest.mark.parametrize("words", [["explain", "relu"], ["--version"]])
def test_an_output_that_is_full_is_said_in_one_sentence(words):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "refnet", *words]
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (found.returncode, found.stderr) == (2, "refnet: no more can be written (No space left on device)\n")


@pytest.mark.parametrize("words", [["explain", "relu"], ["--version"], ["trace", "some_models:build"]])
def test_without_an_output_nothing_is_said(folder, words):
    command = ["bash", "-c", f"{sys.executable} -m refnet {' '.join(words)} >&-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "words", [["explain", "softsign"], ["trace", "some_models:build"], ["summary", "some_models:build"]]
)
def test_an_output_in_ascii_is_written_without_what_it_lacks(folder, words):
    done = run(*words, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert ("needs an output in UTF-8" in done.stdout) == (words[0] == "explain")
    assert run(*words, PYTHONIOENCODING="ascii:namereplace").returncode == 0  # the user's own choice stays
