"""The errors are one family, and each is what a Keras user would catch."""

from __future__ import annotations

import pytest

from refnet import errors


@pytest.mark.parametrize(
    ("error", "built_in"),
    [
        (errors.ArgumentError, ValueError),
        (errors.DTypeError, TypeError),
        (errors.FileError, OSError),
        (errors.NotBuiltError, ValueError),
        (errors.ShapeError, ValueError),
        (errors.UnsupportedError, ValueError),
    ],
)
def test_family(error, built_in):
    assert issubclass(error, errors.RefnetError)
    assert issubclass(error, built_in)
    assert str(error("Dense 'a': units is 0; accepted: 1 or more")) == "Dense 'a': units is 0; accepted: 1 or more"


def test_every_error_is_listed():
    found = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert found <= set(errors.__all__) | {"Iterable"}


@pytest.mark.parametrize(
    ("found", "accepted", "hint"),
    [
        ("swihs", ["relu", "swish"], "; did you mean 'swish'?"),
        ("RELU", ["relu", "swish"], "; did you mean 'relu'?"),
        ("nothing like it", ["relu", "swish"], ""),
        ("relu", [], ""),
    ],
)
def test_did_you_mean(found, accepted, hint):
    assert errors.did_you_mean(found, accepted) == hint


@pytest.mark.parametrize("name", ["refnet.no_such", "parity", None])
def test_a_module_of_ours_that_is_missing_is_no_package_to_install(name):
    error = ModuleNotFoundError(name=name)
    with pytest.raises(ModuleNotFoundError) as caught:
        errors.missing(error)
    assert caught.value is error
