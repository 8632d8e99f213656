"""A formula's words, replaced: what the kernels compile instead of its NumPy reading."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any

from refnet.engine.pair_words import IN_PAIRS
from refnet.engine.pairs import Pair, rounded
from refnet.engine.trace import Number, compiled, trace

__all__ = ["in_pairs", "with_words"]


def _one_by_one(word: Callable[..., Pair]) -> Any:
    """Return a word's reading in pairs as an intrinsic of float64 numbers, its result rounded."""
    return compiled(lambda *numbers: (rounded(word(*map(Pair, numbers))),))


#: The words for a formula that `in_pairs` refuses: each is rounded, and then what is computed with it.
ROUNDED = {word: _one_by_one(reading) for word, reading in IN_PAIRS.items()}


def with_words(formula: Callable[..., Any], readings: Mapping[Callable[..., Any], Any]) -> Callable[..., Any]:
    """Return the formula with every word of `refnet.elementary` replaced by its reading."""
    words = {
        name: readings[value]
        for name, value in formula.__globals__.items()
        if callable(value) and getattr(value, "__hash__", None) and value in readings
    }
    return types.FunctionType(
        formula.__code__, {**formula.__globals__, **words}, formula.__name__, None, formula.__closure__
    )


def in_pairs(formula: Callable[..., Any], lows: tuple[bool, ...]) -> Any | None:
    """Return the formula in pairs, for numba code to call, or None if it uses more than words, + - * / and comparisons.

    The arguments are the formula's, each a float64; where ``lows`` is True the argument's low part follows it.
    """
    twin = with_words(formula, IN_PAIRS)

    def run(*numbers: Number) -> tuple[Number]:
        rest = iter(numbers)
        arguments = [Pair(next(rest), next(rest) if low else None) for low in lows]
        return (rounded(arguments[0].lift(twin(*arguments))),)

    try:
        trace(run, len(lows) + sum(lows))
    except TypeError:  # a user's own formula that branches, or calls NumPy
        return None
    return compiled(run)
