from __future__ import annotations

import math

import numpy as np
import pytest

from refnet.activations.parameters import as_written, bind, checked
from refnet.errors import ArgumentError


def test_arguments_go_by_position_then_by_name():
    assert bind("it", ["a", "b", "c"], (1, 2), {"c": 3}) == {"a": 1, "b": 2, "c": 3}
    assert bind("it", ["a", "b"], (), {"b": None}) == {"b": None}


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((1, 2, 3), {}, "it: 3 parameters given; it takes alpha, beta"),
        ((1,), {"alpha": 2}, "it: alpha given twice"),
        ((), {"alhpa": 2}, "it: parameter 'alhpa' unknown; it takes alpha, beta; did you mean 'alpha'?"),
    ],
)
def test_what_cannot_be_bound_is_refused(args, kwargs, message):
    with pytest.raises(ArgumentError) as caught:
        bind("it", ["alpha", "beta"], args, kwargs)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("value", "default", "expected"),
    [
        (2, 0.0, 2.0),
        (np.float32(0.5), 0.0, 0.5),
        (np.array(3), 0.0, 3.0),
        (None, math.inf, math.inf),
        (-math.inf, 0.0, -math.inf),
        (np.True_, False, True),
        (np.array(False), True, False),
    ],
)
def test_values_become_numbers_of_python(value, default, expected):
    found = checked("key", value, default, "it")
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "default", "message"),
    [
        (math.nan, 0.0, "must be a number, found nan"),
        ("1", 0.0, "must be a real number, found '1'"),
        (True, 0.0, "must be a real number, found True"),
        (None, 0.0, "must be a real number, found None"),
        (10**400, 0.0, "is an integer beyond float64"),
        (1, False, "must be True or False, found 1"),
        (None, False, "must be True or False, found None"),
    ],
)
def test_values_of_another_kind_are_refused(value, default, message):
    with pytest.raises(ArgumentError) as caught:
        checked("key", value, default, "it")
    assert str(caught.value) == f"it: key {message}"


def test_a_parameter_is_written_in_few_digits():
    assert [as_written("a", each) for each in (0.1, 6.0, 1e300, True)] == ["a=0.1", "a=6", "a=1e+300", "a=True"]
