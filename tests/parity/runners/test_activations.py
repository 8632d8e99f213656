from __future__ import annotations

import dataclasses
import importlib.util
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from parity.runners import activations as runners
from refnet import activations
from refnet.errors import ArgumentError, DTypeError, ShapeError, UnsupportedError

ROOT = Path(__file__).resolve().parents[3]
X = np.float32([-3.5, -1.0, 0.25, 2.0, 7.0])
TANH = activations.REGISTRY["tanh"]


def own(name, function, monkeypatch):
    module = types.ModuleType("ported")
    setattr(module, name, function)
    monkeypatch.setitem(sys.modules, "ported", module)
    return runners.get(f"ported:{name}")


@pytest.mark.parametrize("name", ["refnet", "numpy", "numpy-plain"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_runners_without_keras_compute_in_the_dtype_they_are_given(name, dtype):
    runner = runners.get(name)
    x = X[:4].astype(dtype)  # exp(2 * 7) would be more than float16 has
    y = runner(TANH, x)
    assert y.dtype == dtype
    assert np.abs(y - np.tanh(x.astype(np.float64))).max() < 4 * np.finfo(dtype).eps
    assert runner.name == name
    assert {"refnet", "numpy"} <= set(runner.versions)


@pytest.mark.parametrize("name", ["refnet", "numpy"])
def test_parameters_reach_the_runner(name):
    slope = activations.REGISTRY["leaky_relu"].with_parameters(negative_slope=0.5)
    assert runners.get(name)(slope, X).tolist() == [-1.75, -0.5, 0.25, 2.0, 7.0]


def test_the_plain_reading_rounds_at_every_step():
    silu, x = activations.REGISTRY["silu"], np.linspace(-9, 9, 999, dtype=np.float32)
    assert not np.array_equal(runners.get("numpy-plain")(silu, x), runners.get("numpy")(silu, x))


def test_a_function_of_ones_own_takes_an_array(monkeypatch):
    assert own("double", lambda x: x + x, monkeypatch)(TANH, X).tolist() == (2 * X).tolist()


def test_a_module_in_the_working_directory_is_found(tmp_path, monkeypatch):
    (tmp_path / "port_of_mine.py").write_text("def same(x):\n    return x\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    try:
        assert runners.get("port_of_mine:same")(TANH, X) is X
    finally:
        sys.modules.pop("port_of_mine", None)


@pytest.mark.parametrize("name", [name for name in activations.names() if activations.get(name).kind != "elementwise"])
def test_rows_lie_along_the_last_axis(name):
    activation, x = activations.REGISTRY[name], np.array([[0.5, -1.0], [3.0, 0.25]], np.float32)
    for runner in ("refnet", "numpy"):
        np.testing.assert_array_equal(runners.get(runner)(activation, x), activation.numpy(x))
    for runner in ("numpy-plain",):
        with pytest.raises(runners.LacksError, match=f"activation '{name}': numpy-plain takes single numbers"):
            runners.get(runner)(activation, x)


def test_results_of_gates_are_half_as_long(monkeypatch):
    glu, x = activations.REGISTRY["glu"], np.ones((3, 4), np.float32)
    with pytest.raises(ShapeError, match=r"shape \(3, 4\) came back for \(3, 4\); accepted: \(3, 2\)"):
        own("f", lambda x: x, monkeypatch)(glu, x)


def test_a_peer_that_would_guess_is_told_the_axis():
    def softmax(x, dim=None):
        return dim

    peer = types.SimpleNamespace(softmax=softmax)
    assert runners._peer(peer, activations.REGISTRY["softmax"], "there")(X) == -1


def test_another_shape_or_dtype_is_refused(monkeypatch):
    with pytest.raises(ShapeError, match=r"runner 'ported:f': shape \(4,\) came back for \(5,\)"):
        own("f", lambda x: x[1:], monkeypatch)(TANH, X)
    with pytest.raises(DTypeError, match="runner 'ported:g': dtype float64 came back for float32"):
        own("g", lambda x: x.astype(np.float64), monkeypatch)(TANH, X)


def test_a_function_that_fails_is_named(monkeypatch):
    def broken(x):
        raise KeyError("two\nlines")

    said = r"^runner 'ported:broken': activation 'tanh' over 5 float32 inputs failed \(KeyError: .*\); accepted: "
    with pytest.raises(runners.RunnerError, match=said):
        own("broken", broken, monkeypatch)(TANH, X)


def test_a_function_that_leaves_gives_no_verdict(monkeypatch):
    with pytest.raises(runners.RunnerError, match=r"failed \(SystemExit: 0\); accepted: "):
        own("leaves", lambda x: sys.exit(0), monkeypatch)(TANH, X)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("port_that_leaves", "import sys\nsys.exit(0)\n", "SystemExit: 0"),
        ("port_that_fails", "1 / 0\n", "ZeroDivisionError: "),
    ],
)
def test_a_module_that_cannot_be_imported_is_named(name, text, reason, tmp_path, monkeypatch):
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(ArgumentError, match=rf"'{name}' cannot be imported \({reason}"):
        runners.get(f"{name}:f")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("kera", "runner 'kera' unknown; accepted: refnet, .*did you mean 'keras'"),
        ("no.such.module:f", r"module 'no\.such\.module' cannot be imported"),
        ("math:frobnicate", "'math' has no function 'frobnicate'"),
        ("math:pi", "'math' has no function 'pi'"),
    ],
)
def test_what_is_not_there_is_named(name, words):
    with pytest.raises(ArgumentError, match=words):
        runners.get(name)


def test_a_package_that_is_missing_is_named(monkeypatch):
    missing = dataclasses.replace(runners.NAMES["torch"], packages=("no_such_package",))
    monkeypatch.setitem(runners.NAMES, "torch", missing)
    with pytest.raises(UnsupportedError, match="runner 'torch': no_such_package is not installed"):
        runners.get("torch")


def test_a_peer_without_the_function_is_no_comparison():
    nothing = types.SimpleNamespace()
    with pytest.raises(runners.LacksError, match=r"activation 'tanh': there has none of that name"):
        runners._peer(nothing, TANH, "there")
    peer = types.SimpleNamespace(tanh=np.tanh)
    assert runners._peer(peer, TANH, "there") is np.tanh
    slope = activations.REGISTRY["leaky_relu"].with_parameters(negative_slope=0.5)
    with pytest.raises(runners.LacksError, match=r"'leaky_relu' with \{'negative_slope': 0\.5\}: there does not take"):
        runners._peer(types.SimpleNamespace(leaky_relu=np.abs), slope, "there")


def test_a_peer_has_other_spellings():
    peer = types.SimpleNamespace(hardswish=np.abs)
    assert runners._peer(peer, activations.REGISTRY["hard_silu"], "there") is np.abs


def test_a_peer_is_given_the_books_parameters():
    def gelu(x, approximate=True):
        return "rough" if approximate else "exact"

    def leaky_relu(x, negative_slope=0.01):
        return negative_slope * x

    peer, leaky = types.SimpleNamespace(gelu=gelu, leaky_relu=leaky_relu), activations.REGISTRY["leaky_relu"]
    assert runners._peer(peer, activations.REGISTRY["gelu"], "there")(1) == "exact"
    assert runners._peer(peer, leaky, "there")(-1) == -0.2
    assert runners._peer(peer, leaky.with_parameters(negative_slope=0.5), "there")(-1) == -0.5


def test_linear_of_torch_is_the_matrix_product(monkeypatch):
    torch = types.ModuleType("torch")
    torch.nn = types.SimpleNamespace(functional=types.SimpleNamespace(linear=np.matmul))
    monkeypatch.setitem(sys.modules, "torch", torch)
    runner = runners.ActivationRunner("torch", {}, runners.NAMES["torch"].call)
    with pytest.raises(runners.LacksError, match="is the matrix product, not the identity"):
        runner(activations.REGISTRY["linear"], X)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_leaky_relu_of_a_peer_has_the_books_slope(name):
    pytest.importorskip(name, reason=f"{name} is not installed; it is no part of the project's set-up")
    y = runners.get(name)(activations.REGISTRY["leaky_relu"], X)
    np.testing.assert_array_max_ulp(y, np.float32([-0.7, -0.2, 0.25, 2.0, 7.0]), maxulp=1)


@pytest.mark.parametrize("name", ["keras-numpy", "keras-jax"])
def test_what_keras_would_make_float32_is_refused(name):
    runner = runners.ActivationRunner(name, {}, lambda activation, x: x, runners.NAMES[name].refuses)
    said = f"^runner '{name}': Keras computes float64 in float32 there; accepted: another runner, or float16, "
    with pytest.raises(DTypeError, match=said):
        runner(TANH, X.astype(np.float64))
    assert runner(TANH, X) is X


@pytest.mark.keras
def test_keras_on_numpy_computes_in_a_process_of_its_own():
    packages = runners.NAMES["keras-numpy"].packages
    assert {"jax", "scipy"} <= set(packages)  # what that backend imports
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed; Keras' numpy backend needs it")
    code = (
        "import numpy as np\n"
        "from parity.runners import activations as runners\n"
        "from refnet import activations\n"
        "runner, x = runners.get('keras-numpy'), np.float32([-1.0, 0.25, 2.0])\n"
        "for name in ('gelu', 'tanh'):\n"
        "    y = activations.REGISTRY[name].numpy(x)\n"
        "    np.testing.assert_array_max_ulp(runner(activations.REGISTRY[name], x), y, maxulp=2)\n"
        "print(*sorted(runner.versions))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    assert found.stdout.split() == sorted({"refnet", "numpy", *packages})


@pytest.mark.keras
@pytest.mark.parametrize("name", ["keras", "keras-xla", "keras-predict"])
def test_keras_computes_what_its_activations_do(keras, name):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras runs on another backend in this process")
    runner = runners.get(name)
    y = runner(TANH, np.float32([-np.inf, *X, np.inf]))
    assert np.abs(y[1:-1] - np.tanh(X)).max() < 2.0**-20
    assert y[[0, -1]].tolist() == [-1.0, 1.0]
    assert {"keras", "tensorflow"} <= set(runner.versions)


@pytest.mark.keras
def test_one_process_has_one_backend(keras):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed")
    if keras.backend.backend() == "jax":
        pytest.skip("Keras runs on JAX in this process")
    with pytest.raises(UnsupportedError, match="Keras runs on tensorflow in this process already"):
        runners.get("keras-jax")
