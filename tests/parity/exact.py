"""Ulps and errors in fractions: what `parity.ulp` and the judges are held against."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from parity.ulp import Format, format_of, fraction


def exact_ulp(true: Fraction, kind: Format) -> Fraction:
    """Return the spacing of the format's numbers in the binade of a true value."""
    exponent = kind.emin
    while exponent < kind.emax and abs(true) >= Fraction(2) ** (exponent + 1):
        exponent += 1
    return Fraction(2) ** (exponent - kind.precision + 1)


def exact_error(y: float, true: Any, dtype: str) -> float:
    """Return the signed error of a result against a true value: a float, a fraction or an mpmath number."""
    kind = format_of(dtype)
    top = Fraction(2) ** (kind.emax + 1)  # stands for all that lies beyond, infinities among it
    if not isinstance(true, (float, Fraction)):
        true = fraction(true)
    value, exact = (Fraction(max(-top, min(top, each))) for each in (y, true))
    return float((value - exact) / exact_ulp(exact, kind))
