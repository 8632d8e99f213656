from __future__ import annotations

from collections.abc import Iterator

import mpmath
import numpy as np
import pytest

from refnet import activations
from tests.refnet.activations.judge import error_in_ulp

NAMES = ["softmax", "log_softmax"]


def rows() -> Iterator[np.ndarray]:
    rng = np.random.default_rng(5)
    yield from (rng.normal(size=n) * s for n in (1, 2, 7, 8, 9, 100, 1000) for s in (1e-9, 1e-3, 0.3, 1, 5, 100))
    yield from (rng.uniform(-3, 3, 2) for _ in range(100))
    yield from (rng.uniform(-0.1, 0.1, rng.integers(2, 6)) for _ in range(50))
    yield from (np.append(rng.uniform(-745, -700, 5), 0.0) for _ in range(20))  # subnormal terms and their sum
    yield from (np.append(rng.uniform(-746, -600, n), rng.uniform(-3, 0, 3)) for n in (20, 200, 2000))
    yield from (rng.normal(size=10_000) * s for s in (0.01, 1, 30))
    yield np.array([800.0, 0.0, 1.0, 2.0])
    yield np.array([0.0, -36.8, -37.2, -38.0])
    yield np.array([0.0, -1e-300, -1e-17, 1e-17])
    yield np.array([1.7e308, 1.7e308, 0.0, -1e308])
    yield np.array([1e16, 1e16 - 2.0, 1.0])


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_is_right_to_an_ulp(name):
    block = activations.get(name)
    for row in rows():
        with mpmath.workprec(200):
            exact = block.exact(mpmath, [mpmath.mpf(float(x)) for x in row])
            errors = [error_in_ulp(float(y), mpmath.mpf(t), np.float64) for y, t in zip(block(row), exact, strict=True)]
        bound = 0.77 if min(map(abs, map(float, exact))) < 1e-290 else 0.505  # subnormal results are rounded twice
        assert max(errors) <= bound, (row[:5], int(np.argmax(errors)))


@pytest.mark.parametrize("name", NAMES)
def test_entries_of_minus_infinity_change_nothing(name):
    block = activations.get(name)
    row = np.random.default_rng(0).normal(size=50)
    got = block(np.insert(row, [0, 20, 50], -np.inf))
    kept = np.delete(got, [0, 21, 52])

    assert got[[0, 21, 52]].tolist() == ([0.0] * 3 if name == "softmax" else [-np.inf] * 3)
    np.testing.assert_array_max_ulp(kept, block(row), maxulp=1)


@pytest.mark.parametrize("columns", [1, 3, 64, 1024, 1025, 10_000])
@pytest.mark.parametrize("name", NAMES)
def test_a_row_does_not_depend_on_the_rows_around_it(name, columns):
    block = activations.get(name)
    x = np.random.default_rng(1).normal(size=(7, columns)) * 10

    assert block(x).tobytes() == np.concatenate([block(row) for row in x]).tobytes()


def test_special_rows_are_the_numpy_readings():
    x = np.array(
        [[1, np.inf, 2], [np.inf, np.inf, 2], [-np.inf] * 3, [1, -np.inf, 1], [np.nan, 1, 2], [np.inf, np.nan, 2]]
    )
    for name in NAMES:
        got, expected = activations.get(name)(x), activations.get(name).numpy(x)
        np.testing.assert_array_max_ulp(got, expected, maxulp=2)
        assert (np.signbit(got) == np.signbit(expected))[~np.isnan(got)].all()
