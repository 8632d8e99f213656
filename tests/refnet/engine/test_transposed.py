"""Rows as lanes: blocks transposed and back, and what a row shares, in the bits that a row alone has."""

from __future__ import annotations

import itertools

import numba
import numpy as np
import pytest

from refnet import activations
from refnet.engine.lanes import lanes_at_once
from refnet.engine.rows import LANES, highest, total
from refnet.engine.rowwise import LIVE, LONG
from refnet.engine.transposed import highest_of_rows, sums_of_rows, turned
from tests.refnet.engine.test_kernels import filled, same_bits

ROWWISE = [name for name in activations.names() if activations.get(name).kind == "rowwise"]
COLUMNS = range(1, LANES + 1)
ROWS = lanes_at_once(LIVE)


def of_four(intrinsic):
    return numba.njit(lambda x, apart, columns, out: intrinsic(x, apart, columns, out))


def of_five(intrinsic):
    return numba.njit(lambda x, apart, columns, least, out: intrinsic(x, apart, columns, least, out))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_become_columns_and_rows_again_and_nothing_else_is_touched(dtype):
    to_columns, to_rows = turned(dtype, of_rows=True), turned(dtype, of_rows=False)
    for columns in range(1, LONG):
        x = np.random.default_rng(columns).standard_normal((ROWS, columns)).astype(dtype)
        lines, y = np.full((LONG + LANES, ROWS), 7.0, dtype), np.full((ROWS + LANES, columns), 7.0, dtype)
        to_columns(x.ctypes.data, ROWS, columns, lines.ctypes.data)
        to_rows(y.ctypes.data, ROWS, columns, lines.ctypes.data)

        assert lines[:columns].tobytes() == x.T.tobytes()
        assert y[:ROWS].tobytes() == x.tobytes()
        assert (y[ROWS:] == 7.0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_highest_entries_are_those_of_each_row(dtype):
    find, each = highest(dtype), of_four(highest_of_rows(dtype, ROWS))
    alone = numba.njit(lambda x, columns, out: find(x, columns, out))
    rng = np.random.default_rng(1)
    for columns in COLUMNS:
        x = rng.choice([*rng.standard_normal(20), np.nan, np.inf, -np.inf, 0.0, -0.0], (ROWS, columns)).astype(dtype)
        lines, found, expected = np.ascontiguousarray(x.T), np.empty(ROWS), np.empty((ROWS, columns))
        each(lines.ctypes.data, lines.strides[0], columns, found.ctypes.data)
        for r in range(ROWS):
            alone(x[r].ctypes.data, columns, expected[r].ctypes.data)
        np.testing.assert_array_equal(np.broadcast_to(found[:, None], x.shape), expected)


def test_the_sums_less_1_are_those_of_each_row_and_what_is_less_or_nan_is_counted():
    each, alone = of_five(sums_of_rows(ROWS, 1.0)), numba.njit(lambda x, columns: total(x, columns))
    rng = np.random.default_rng(2)
    for columns in COLUMNS:
        x = rng.random((ROWS, columns)) * 10.0 ** rng.integers(-20, 3, (ROWS, columns))
        lines, found = np.ascontiguousarray(x.T), np.empty(ROWS)
        expected = np.array([alone(row.ctypes.data, columns) for row in x]) - 1.0
        for least in (0.0, expected[0], np.nextafter(expected[0], np.inf)):
            count = each(lines.ctypes.data, lines.strides[0], columns, least, found.ctypes.data)
            assert found.tobytes() == expected.tobytes()
            assert count == np.count_nonzero(expected < least)
        lines[0, ::3] = np.nan
        assert each(lines.ctypes.data, lines.strides[0], columns, -1.0, found.ctypes.data) == len(lines[0, ::3])


@pytest.mark.parametrize("name", ROWWISE)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_many_rows_have_the_bits_of_each_alone(name, dtype):
    activation = filled(name)
    rng = np.random.default_rng(3)
    for columns in (*COLUMNS, LANES + 1, 2 * LANES - 1, 2 * LANES, 2 * LANES + 1, 3 * LANES + 5, LONG - 1):
        x = rng.standard_normal((300, columns)) * 10.0 ** rng.integers(-2, 3, (300, 1))
        special = rng.choice([np.inf, -np.inf, np.nan, 6e4, -6e4, 0.0, -0.0], x.shape)
        x = np.where(rng.random(x.shape) < rng.choice([0.0, 0.02, 0.5], (300, 1)), special, x).astype(dtype)
        alone = np.concatenate([activation(row[None]) for row in x])
        for rows in (ROWS - 1, ROWS, ROWS + 1, 2 * ROWS - 1, 100, 300):
            assert same_bits(activation(x[:rows]), alone[:rows]), (columns, rows)


@pytest.mark.parametrize("name", ROWWISE)
def test_one_row_among_many_whose_rest_is_little_or_nan_gets_the_bits_that_it_has_alone(name):
    activation = filled(name)
    rests = np.resize([-40.0, np.nan, -np.inf], 2 * ROWS)
    for columns, (r, rest) in itertools.product((10, 29, LONG - 1), enumerate(rests)):
        one = np.random.default_rng(4).standard_normal((2 * ROWS, columns)).astype(np.float32)
        one[r] = [rest] * (columns - 1) + [0.0]
        assert same_bits(activation(one), np.concatenate([activation(row[None]) for row in one]))
