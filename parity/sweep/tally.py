"""What a sweep counts: a tally per chunk, and the sum of two tallies.

Adding is exact and does not depend on the order (integers, maxima, ties broken by the input's bits), so that a
sweep gives the same tally on one process, on many, and after any number of interruptions.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from parity.ulp import CLASSES

__all__ = ["EDGES", "KEPT", "Class", "Finding", "Tally", "add", "read", "write"]

#: Upper ends of the histogram's bins in ulp; a last bin takes what is larger, NaN included.
EDGES = (0.25, 0.5, 0.50001, 0.55, 0.6, 0.75, 1.0, 1.5, 2.0, 4.0, 8.0, 16.0, 256.0, 65536.0, 16777216.0)

#: Misrounded inputs that a tally lists, those with the lowest bit patterns.
KEPT = 512


@dataclasses.dataclass(frozen=True)
class Finding:
    """One result: the bit patterns of input, result and right result, and the signed error in ulp."""

    bits: int
    got: int
    right: int
    error: float

    @property
    def rank(self) -> tuple[float, int]:
        """Larger is worse; among equals the lowest pattern."""
        return abs(self.error), -self.bits


@dataclasses.dataclass(frozen=True)
class Class:
    """The counts of one class of results (see `parity.ulp.CLASSES`)."""

    count: int = 0
    misrounded: int = 0
    worst: Finding | None = None


@dataclasses.dataclass(frozen=True)
class Tally:
    """The counts of a set of inputs.

    Attributes
    ----------
    classes : tuple of Class
        In the order of `parity.ulp.CLASSES`.
    histogram : tuple of int
        Results by size of their error, in the bins of `EDGES`.
    out_of_range, out_of_order, wrong_zero : int
        Results outside the range of the right results; neighbouring results that fall where the true value
        rises, or the other way round; zeros of the wrong sign.
    examples : dict
        The first input found of each of these three.
    undecided : int
        Inputs that went to mpmath.
    misrounded : tuple of Finding
        Those with the lowest bit patterns, at most `KEPT`.
    """

    classes: tuple[Class, ...] = tuple(Class() for _ in CLASSES)
    histogram: tuple[int, ...] = (0,) * (len(EDGES) + 1)
    out_of_range: int = 0
    out_of_order: int = 0
    wrong_zero: int = 0
    examples: dict[str, Finding] = dataclasses.field(default_factory=dict)
    undecided: int = 0
    misrounded: tuple[Finding, ...] = ()

    @property
    def count(self) -> int:
        """Inputs judged."""
        return sum(each.count for each in self.classes)

    @property
    def misrounded_count(self) -> int:
        """Results that are not the correctly rounded value."""
        return sum(each.misrounded for each in self.classes)

    @property
    def worst(self) -> Finding | None:
        """The largest error of all classes."""
        found = [each.worst for each in self.classes if each.worst]
        return max(found, key=lambda each: each.rank, default=None)


def add(a: Tally, b: Tally) -> Tally:
    """Return the tally of the inputs of both.

    Examples
    --------
    >>> one = Tally(classes=(Class(3, 1), Class(), Class(), Class()))
    >>> add(one, one).misrounded_count
    2
    """
    return Tally(
        classes=tuple(
            Class(x.count + y.count, x.misrounded + y.misrounded, _worse(x.worst, y.worst))
            for x, y in zip(a.classes, b.classes, strict=True)
        ),
        histogram=tuple(x + y for x, y in zip(a.histogram, b.histogram, strict=True)),
        out_of_range=a.out_of_range + b.out_of_range,
        out_of_order=a.out_of_order + b.out_of_order,
        wrong_zero=a.wrong_zero + b.wrong_zero,
        examples={
            key: min((each.examples[key] for each in (a, b) if key in each.examples), key=lambda each: each.bits)
            for key in sorted({*a.examples, *b.examples})
        },
        undecided=a.undecided + b.undecided,
        misrounded=tuple(sorted(a.misrounded + b.misrounded, key=lambda each: each.bits)[:KEPT]),
    )


def _worse(a: Finding | None, b: Finding | None) -> Finding | None:
    return max((each for each in (a, b) if each), key=lambda each: each.rank, default=None)


def write(tally: Tally) -> dict[str, Any]:
    """Return the tally as plain JSON values (an infinite error as the text "inf")."""
    return {
        "classes": {
            name: {"count": each.count, "misrounded": each.misrounded, "worst": _write(each.worst)}
            for name, each in zip(CLASSES, tally.classes, strict=True)
        },
        "histogram": list(tally.histogram),
        "out_of_range": tally.out_of_range,
        "out_of_order": tally.out_of_order,
        "wrong_zero": tally.wrong_zero,
        "examples": {key: _write(each) for key, each in tally.examples.items()},
        "undecided": tally.undecided,
        "misrounded_inputs": [_write(each) for each in tally.misrounded],
    }


def read(plain: dict[str, Any]) -> Tally:
    """Return the tally that `write` wrote.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError, OverflowError
        If it is not one.
    """
    histogram = tuple(_count(each) for each in plain["histogram"])
    if len(histogram) != len(EDGES) + 1:
        raise ValueError(f"{len(histogram)} bins of a histogram that has {len(EDGES) + 1}")
    return Tally(
        classes=tuple(
            Class(_count(each["count"]), _count(each["misrounded"]), _read(each["worst"]))
            for each in (plain["classes"][name] for name in CLASSES)
        ),
        histogram=histogram,
        out_of_range=_count(plain["out_of_range"]),
        out_of_order=_count(plain["out_of_order"]),
        wrong_zero=_count(plain["wrong_zero"]),
        examples={key: found for key, each in plain["examples"].items() if (found := _read(each))},
        undecided=_count(plain["undecided"]),
        misrounded=tuple(found for each in plain["misrounded_inputs"] if (found := _read(each))),
    )


def _count(plain: Any) -> int:
    """Return a count as it is; true, 1.5 and "1" are none."""
    if type(plain) is not int or plain < 0:
        raise ValueError(f"{plain!r} is no count")
    return plain


def _write(finding: Finding | None) -> list[Any] | None:
    if finding is None:
        return None
    error = finding.error if abs(finding.error) != float("inf") else "inf"
    return [hex(finding.bits), hex(finding.got), hex(finding.right), error]


def _read(plain: list[Any] | None) -> Finding | None:
    if plain is None:
        return None
    bits, got, right, error = plain
    return Finding(int(bits, 16), int(got, 16), int(right, 16), float(error))
