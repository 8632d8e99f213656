"""A formula's words, replaced: what the kernels compile instead of its NumPy reading."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any, cast

import numba

from refnet.activations.reading import itself
from refnet.elementary import elu_shortcut, split, where
from refnet.engine.elementary import FEWER_DIGITS, TO_FLOAT32
from refnet.engine.pair_words import IN_PAIRS
from refnet.engine.pairs import Pair, rounded
from refnet.engine.split import Parts
from refnet.engine.trace import Condition, Number, compiled, trace
from refnet.engine.whole_range import WHOLE_RANGE

__all__ = ["in_numbers", "in_pairs", "in_two_parts", "with_words", "word_by_word"]

#: A formula as the kernels use it: Numbers in, a Number out.
Reading = Callable[..., Number]


def with_words(formula: Callable[..., Any], readings: Mapping[Callable[..., Any], Any]) -> Callable[..., Any]:
    """Return the formula with every word of `refnet.elementary` replaced by its reading; or the reading of a word."""
    if formula in readings:
        return cast(Callable[..., Any], readings[formula])

    def replaced(value: Any) -> Any:
        return readings.get(value, value) if callable(value) and getattr(value, "__hash__", None) else value

    words = {name: replaced(value) for name, value in formula.__globals__.items()}
    closure = tuple(types.CellType(replaced(cell.cell_contents)) for cell in formula.__closure__ or ())
    return types.FunctionType(formula.__code__, words, formula.__name__, None, closure)


def _short_words(formula: Callable[..., Any], dtype: str) -> Mapping[Callable[..., Any], Callable[..., Number]]:
    """Return the words for results of fewer digits; the book's formulas do with some that stop early."""
    words = FEWER_DIGITS if formula.__module__.startswith("refnet.") else WHOLE_RANGE
    return words | TO_FLOAT32 if dtype == "float32" else words


def in_numbers(formula: Callable[..., Any], count: int, dtype: str) -> Reading | None:
    """Return the formula in float64, for results of fewer digits, or None if it uses more than words and operators.

    Its arguments are the formula's ``count`` arguments.
    """
    twin = with_words(formula, _short_words(formula, dtype))

    def run(*numbers: Number) -> Number:
        return numbers[0].lift(twin(*numbers))

    return run if _traceable(run, count) else None


def in_two_parts(formula: Callable[..., Any], count: int) -> Parts | None:
    """Return the parts of a formula for float32 whose last word is `split`, or None if it is another."""
    words = {**_short_words(formula, "float32"), elu_shortcut: FEWER_DIGITS[elu_shortcut]}
    short = with_words(formula, {**words, split: lambda condition, value, other: (condition, value)})
    other = with_words(formula, {**words, split: lambda condition, value, other: other()})

    def first(*numbers: Number) -> tuple[Condition, Number]:
        condition, value = short(*numbers)
        return condition, numbers[0].lift(value)

    def second(*numbers: Number) -> Number:
        return numbers[0].lift(other(*numbers))

    return Parts(first, second) if _traceable(lambda *numbers: first(*numbers)[1], count) else None


def in_pairs(
    formula: Callable[..., Any],
    lows: tuple[bool, ...],
    of_last: Callable[[Any], Any] = itself,
) -> Reading | None:
    """Return the formula in pairs, or None if it uses more than words, + - * / and comparisons.

    The arguments are the formula's, each a Number; where ``lows`` is True the argument's low part follows it. The
    formula gets what ``of_last`` makes of the last one.
    """
    twin = with_words(formula, IN_PAIRS)
    last = with_words(of_last, IN_PAIRS)

    def run(*numbers: Number) -> Number:
        rest = iter(numbers)
        arguments = [Pair(next(rest), next(rest) if low else None) for low in lows]
        arguments[-1] = last(arguments[-1])
        return rounded(arguments[0].lift(twin(*arguments)))

    return run if _traceable(run, len(lows) + sum(lows)) else None


def _traceable(run: Reading, count: int) -> bool:
    try:
        trace(lambda *numbers: (run(*numbers),), count)
    except (TypeError, AttributeError):  # a user's own formula that branches, or calls NumPy
        return False
    return True


def word_by_word(formula: Callable[..., Any], dtype: str) -> Callable[..., Any]:
    """Return a formula that branches, for numba to compile for one number: its words are calls, each rounded."""
    readings = IN_PAIRS if dtype == "float64" else _short_words(formula, dtype)
    return with_words(formula, {word: _call(reading, dtype) for word, reading in readings.items()} | {where: _where})


def _call(word: Callable[..., Any], dtype: str) -> Any:
    if dtype == "float64":
        return compiled(lambda *numbers: (rounded(word(*map(Pair, numbers))),))
    return compiled(lambda *numbers: (word(*numbers),))


@numba.njit(error_model="numpy")
def _where(condition: bool, a: float, b: float) -> float:
    return a if condition else b
