from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from parity.sweep.pieces import holds, lowest_place, wide_type, width
from parity.ulp import FORMATS

TINY, ONE, TOP = Fraction(1, 2**149), Fraction(1), Fraction(2**24 - 1) * 2**104  # of float32, whose wide type has 53


def test_formats_up_to_float32_are_judged_in_float64():
    assert [wide_type(kind) for kind in FORMATS.values()] == [np.float64] * 3 + [np.longdouble]
    assert [width(kind) for kind in FORMATS.values()] == [53] * 3 + [np.finfo(np.longdouble).nmant + 1]


@pytest.mark.parametrize(
    ("a", "b", "x", "lowest", "exact"),
    [
        (0, 0, [ONE], 0, True),
        (3, 0, [ONE], 0, True),
        (0, 1, [ONE], -23, True),
        (0, 1, [TINY, ONE], -149, False),  # as if one number could hold both ends of a piece
        (0, 1, [TINY], -149, True),  # a subnormal number has no places below the format's last
        (0, 1, [ONE, -TOP], -23, False),
        (1, Fraction(1, 2**28), [ONE], -51, True),
        (1, Fraction(1, 2**29), [ONE], -52, False),  # one place is left for the sum to grow into
        (Fraction(1, 2**60), Fraction(1, 2**52), [ONE], -75, True),
        (1 + Fraction(1, 2**51), 0, [ONE], -51, True),
        (Fraction(1, 2**999), 0, [ONE], -999, True),
        (Fraction(1, 2**1000), 0, [ONE], -1000, False),  # where float64 is near its underflow
    ],
)
def test_a_line_is_exact_where_the_wide_type_has_all_its_places(a, b, x, lowest, exact):
    line, kind = (Fraction(a), Fraction(b)), FORMATS["float32"]
    assert lowest_place(*line, x, kind) == lowest
    assert holds(*line, x, kind) is exact
