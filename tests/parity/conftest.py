from __future__ import annotations

import importlib.util

import pytest


@pytest.fixture(scope="session")
def keras():
    """Keras, loaded quietly; tests that take it are skipped where it is not installed."""
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("tensorflow") is None:
        pytest.skip("Keras and TensorFlow are not installed: pip install 'refnet[keras]'")
    from parity.runners import keras_setup

    return keras_setup.load()
