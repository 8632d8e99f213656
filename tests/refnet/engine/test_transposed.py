"""Rows as lanes: blocks transposed and back, and what a row shares, in the bits that a row alone has."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from refnet import activations
from refnet.engine.lanes import lanes_at_once
from refnet.engine.machine import machine
from refnet.engine.rows import LANES, highest, total
from refnet.engine.rowwise import LIVE
from refnet.engine.transposed import highest_of_rows, rests_of_rows, transpose
from tests.refnet.engine.test_kernels import filled, same_bits

ROWWISE = [name for name in activations.names() if activations.get(name).kind == "rowwise"]
COLUMNS = range(1, LANES + 1)
ROWS = lanes_at_once(LIVE)


def of_three(intrinsic):
    return numba.njit(lambda x, columns, out: intrinsic(x, columns, out))


def of_four(intrinsic):
    return numba.njit(lambda x, columns, least, out: intrinsic(x, columns, least, out))


def of_five(intrinsic):
    return numba.njit(lambda x, x_step, columns, out, out_step: intrinsic(x, x_step, columns, out, out_step))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_square_is_transposed_and_back_and_no_other_column_is_touched(dtype):
    into, back = (of_five(transpose(dtype, of_rows)) for of_rows in (True, False))
    size = np.dtype(dtype).itemsize
    side = machine().lanes(size)
    x = np.random.default_rng(0).standard_normal((side, side + 3)).astype(dtype)
    for columns in range(1, side + 1):
        turned, y = np.zeros((side, side + 5), dtype), np.full_like(x, 7.0)
        into(x.ctypes.data, x.strides[0], columns, turned.ctypes.data, turned.strides[0])
        back(turned.ctypes.data, turned.strides[0], columns, y.ctypes.data, y.strides[0])

        assert turned[:columns, :side].tobytes() == x[:, :columns].T.tobytes()
        assert y[:, :columns].tobytes() == x[:, :columns].tobytes()
        assert (y[:, columns:] == 7.0).all()
        assert (turned[:, side:] == 0.0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_highest_entries_are_those_of_each_row(dtype):
    each, alone = of_three(highest_of_rows(dtype, ROWS)), of_three(highest(dtype))
    rng = np.random.default_rng(1)
    for columns in COLUMNS:
        x = rng.choice([*rng.standard_normal(20), np.nan, np.inf, -np.inf, 0.0, -0.0], (ROWS, columns)).astype(dtype)
        turned, found, expected = np.ascontiguousarray(x.T), np.empty(ROWS), np.empty((ROWS, columns))
        each(turned.ctypes.data, columns, found.ctypes.data)
        for r in range(ROWS):
            alone(x[r].ctypes.data, columns, expected[r].ctypes.data)
        np.testing.assert_array_equal(np.broadcast_to(found[:, None], x.shape), expected)


def test_the_sums_less_1_are_those_of_each_row_and_what_is_less_or_nan_is_counted():
    each, alone = of_four(rests_of_rows(ROWS)), numba.njit(lambda x, columns: total(x, columns))
    rng = np.random.default_rng(2)
    for columns in COLUMNS:
        x = rng.random((ROWS, columns)) * 10.0 ** rng.integers(-20, 3, (ROWS, columns))
        turned, found = np.ascontiguousarray(x.T), np.empty(ROWS)
        expected = np.array([alone(row.ctypes.data, columns) for row in x]) - 1.0
        for least in (0.0, expected[0], np.nextafter(expected[0], np.inf)):
            count = each(turned.ctypes.data, columns, least, found.ctypes.data)
            assert found.tobytes() == expected.tobytes()
            assert count == np.count_nonzero(expected < least)
        turned[0, ::3] = np.nan
        assert each(turned.ctypes.data, columns, -1.0, found.ctypes.data) == len(turned[0, ::3])


@pytest.mark.parametrize("name", ROWWISE)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_many_rows_have_the_bits_of_each_alone(name, dtype):
    activation = filled(name)
    rng = np.random.default_rng(3)
    for columns in (*COLUMNS, LANES + 1):
        x = rng.standard_normal((300, columns)) * 10.0 ** rng.integers(-2, 3, (300, 1))
        special = rng.choice([np.inf, -np.inf, np.nan, 6e4, -6e4, 0.0, -0.0], x.shape)
        x = np.where(rng.random(x.shape) < rng.choice([0.0, 0.02, 0.5], (300, 1)), special, x).astype(dtype)
        alone = np.concatenate([activation(row[None]) for row in x])
        for rows in (ROWS - 1, ROWS, ROWS + 1, 2 * ROWS - 1, 100, 300):
            assert same_bits(activation(x[:rows]), alone[:rows]), (columns, rows)


@pytest.mark.parametrize("name", ROWWISE)
def test_one_row_among_many_whose_rest_is_little_or_nan_gets_the_bits_that_it_has_alone(name):
    activation = filled(name)
    x = np.random.default_rng(4).standard_normal((ROWS, 10)).astype(np.float32)
    for r, rest in enumerate(np.resize([-40.0, np.nan, -np.inf], ROWS)):
        one = x.copy()
        one[r] = [rest] * 9 + [0.0]
        assert same_bits(activation(one), np.concatenate([activation(row[None]) for row in one]))
