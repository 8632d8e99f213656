"""``import refnet`` costs what NumPy costs; the rest loads when it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "bench",
    "dask",
    "h5py",
    "jinja2",
    "keras",
    "llvmlite",
    "matplotlib",
    "mpmath",
    "numba",
    "parity",
    "rich",
    "scipy",
    "tensorflow",
}


def loaded_by(statements: str) -> set[str]:
    """Return the top-level modules of a new process that has run the statements."""
    code = f"{statements}\nimport sys; print('MODULES', *{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("MODULES")[2].split())


@pytest.mark.parametrize(
    "statements",
    [
        "import refnet",
        "from refnet import *",
        "import refnet; refnet.layers; refnet.activations.relu; refnet.errors",
        "import refnet; refnet.Sequential([refnet.Input((5,)), refnet.layers.Dense(3, 'softmax')])",
        "from refnet.cli import main; main(['--version'])",
    ],
    ids=["import", "star", "names", "model", "version"],
)
def test_nothing_heavy_is_loaded(statements):
    assert not loaded_by(statements) & HEAVY


def test_import_alone_loads_no_numpy_either():
    assert "numpy" not in loaded_by("import refnet")


def test_a_prediction_loads_no_compiler_once_the_kernels_are_on_disk():
    once = (
        "import refnet; model = refnet.Sequential([refnet.Input((5,)), refnet.layers.Dense(3, 'softmax')]); "
        "assert model([[1, 2, 3, 4, 5]]).shape == (1, 3)"
    )
    loaded_by(once)
    assert not loaded_by(once) & HEAVY


def test_parity_loads_keras_only_when_it_is_used():
    assert not loaded_by("import parity") & {"keras", "tensorflow", "numba"}
