from __future__ import annotations

import math

import pytest

from parity.report.wording import exact, number, share


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.0, "0"), (7, "7"), (2_000_000, "2.0e+06"), (0.25, "0.25"), (1e-9, "1.0e-09"), (math.inf, "inf")],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0%"), (1.0, "100%"), (0.99999, "100%"), (0.5, "50%"), (1e-6, "<0.1%"), (3.0, "3x"), (math.inf, "inf")],
)
def test_shares_are_percents_up_to_the_whole(value, text):
    assert share(value) == text


def test_an_exact_number_has_all_its_digits():
    assert exact(0.1) == "0.1 (0x1.999999999999ap-4)"
    assert exact(math.nan) == "nan"
