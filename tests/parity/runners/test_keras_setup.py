from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

from parity.runners import keras_setup
from refnet.errors import UnsupportedError


def test_a_missing_keras_is_said_in_one_sentence(monkeypatch):
    monkeypatch.setattr(keras_setup.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnsupportedError, match=r"Keras is not installed; .*'refnet\[keras\]'"):
        keras_setup.load.__wrapped__()


@pytest.mark.parametrize(("backend", "ends"), [("numpy", "asks for"), ("tensorflow", "'refnet[keras]'")])
def test_a_backend_that_lacks_something_is_named(monkeypatch, backend, ends):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    monkeypatch.setattr(keras_setup.importlib.util, "find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(UnsupportedError, match=f"its backend '{backend}' cannot be imported") as caught:
        keras_setup.load.__wrapped__()
    assert str(caught.value).endswith(ends)


@pytest.mark.keras
def test_keras_loads_once(keras):
    assert keras_setup.load() is keras


def test_quiet_swallows_warnings_and_nothing_else():
    with keras_setup.quiet():
        warnings.warn("softmax over one unit", UserWarning, stacklevel=1)
    with pytest.raises(ZeroDivisionError), keras_setup.quiet():
        _ = 1 / 0


def test_what_was_held_back_is_shown_when_something_fails():
    code = (
        "import os\nfrom parity.runners import keras_setup\n"
        "with keras_setup._stderr_held_back(): os.write(2, b'noise')\n"
        "try:\n    with keras_setup._stderr_held_back():\n        os.write(2, b'reason'); raise ValueError\n"
        "except ValueError: pass\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stderr == "reason"


def test_what_was_held_back_is_not_shown_after_ctrl_c():
    code = (
        "import os\nfrom parity.runners import keras_setup\n"
        "try:\n    with keras_setup._stderr_held_back():\n        os.write(2, b'noise'); raise KeyboardInterrupt\n"
        "except KeyboardInterrupt: os.write(2, b'stopped')\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stderr == "stopped"
