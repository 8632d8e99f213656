"""Numbers as reports write them."""

from __future__ import annotations

import math

__all__ = ["exact", "number", "share"]


def number(value: float) -> str:
    """Return a number short enough for a table.

    Examples
    --------
    >>> number(0), number(3), number(1.23456e-7), number(float("nan"))
    ('0', '3', '1.2e-07', 'nan')
    """
    if isinstance(value, int):
        return f"{value:.1e}" if abs(value) >= 100_000 else str(value)
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return str(value)
    return f"{value:.2g}" if 1e-3 <= abs(value) < 1e3 else f"{value:.1e}"


def share(value: float) -> str:
    """Return a share in percent.

    Examples
    --------
    >>> share(1.0), share(0.4666), share(0.0004), share(25.0), share(1e7)
    ('100%', '46.7%', '<0.1%', '25x', '1e+07x')
    """
    if not math.isfinite(value):
        return str(value)
    if value > 1:
        return f"{value:.0f}x" if value < 1e4 else f"{value:.0e}x"
    if 0 < value < 0.001:
        return "<0.1%"
    text = f"{min(value, 0.9999 if value < 1 else 1.0):.1%}"
    return text.replace(".0%", "%")


def exact(value: float) -> str:
    """Return a number with all its digits, and in hexadecimal.

    Examples
    --------
    >>> exact(0.5)
    '0.5 (0x1.0000000000000p-1)'
    """
    return f"{value!r} ({value.hex()})" if math.isfinite(value) else str(value)
