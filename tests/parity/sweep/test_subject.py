from __future__ import annotations

import inspect

import pytest

from parity.sweep import elementwise, rowwise, subject
from refnet import activations

SAID = [name for name in vars(subject.Subject) if not name.startswith("_")]


@pytest.mark.parametrize("name", activations.names())
def test_every_activation_is_a_subject(name):
    expected = elementwise if activations.REGISTRY[name].kind == "elementwise" else rowwise
    assert subject.of(name) is expected


@pytest.mark.parametrize("module", [elementwise, rowwise], ids=["elementwise", "rowwise"])
@pytest.mark.parametrize("name", SAID)
def test_a_subject_has_all_that_is_asked_of_one(module, name):
    found, said = getattr(module, name), vars(subject.Subject)[name]
    if callable(said):
        assert list(inspect.signature(found).parameters) == list(inspect.signature(said).parameters)[1:]
    assert name in module.__all__
