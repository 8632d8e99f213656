"""The parameters of activations: given by position or name, checked, and written."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from refnet.errors import ArgumentError, did_you_mean

__all__ = ["Parameter", "as_written", "bind", "checked"]

Parameter = float | bool


def bind(who: str, names: list[str], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return what was given for which parameter, matched as Python would.

    Raises
    ------
    ArgumentError
        If there are too many, or one is unknown or given twice.
    """
    accepted = f"it takes {', '.join(names) or 'none'}"
    if len(args) > len(names):
        raise ArgumentError(f"{who}: {len(args)} parameters given; {accepted}")
    given = dict(zip(names, args, strict=False))
    for key, value in kwargs.items():
        if key not in names:
            hint = did_you_mean(key, names)
            raise ArgumentError(f"{who}: parameter {key!r} unknown; {accepted}{hint}")
        if key in given:
            raise ArgumentError(f"{who}: {key} given twice")
        given[key] = value
    return given


def checked(key: str, value: Any, default: Parameter, who: str) -> Parameter:
    """Return a parameter's value as a number of Python: a flag where the default is one, else a real number.

    Raises
    ------
    ArgumentError
        If it is anything else.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(default, bool):
        if not isinstance(value, (bool, np.bool_)):
            raise ArgumentError(f"{who}: {key} must be True or False, found {value!r}")
        return bool(value)
    if value is None and math.isinf(default):
        return default
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ArgumentError(f"{who}: {key} must be a real number, found {value!r}")
    try:
        number = float(value)
    except OverflowError:
        raise ArgumentError(f"{who}: {key} is an integer beyond float64") from None
    if math.isnan(number):
        raise ArgumentError(f"{who}: {key} must be a number, found nan")
    return number


def as_written(key: str, value: Parameter) -> str:
    """Return a parameter as a user would write it, in as few digits as give the same number back.

    Examples
    --------
    >>> as_written("alpha", 0.1234567), as_written("max_value", 6.0), as_written("approximate", True)
    ('alpha=0.1234567', 'max_value=6', 'approximate=True')
    """
    return f"{key}={str(value).removesuffix('.0')}"
