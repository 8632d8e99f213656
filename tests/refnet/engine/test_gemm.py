"""The matrix kernel against guard pages, at every size around the edges of its blocks."""

from __future__ import annotations

import ctypes
import itertools
import mmap
from fractions import Fraction

import numpy as np
import pytest

from refnet import activations
from refnet.engine.gemm import BLOCK_K, CHUNK_K
from refnet.engine.plan import Chain
from refnet.layers.operations import Activate, Matmul

PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)


def guarded(array: np.ndarray) -> np.ndarray:
    """Return a copy whose last byte is the last before a page that may not be touched."""
    pages = -(-max(1, array.nbytes) // PAGE)
    memory = mmap.mmap(-1, (pages + 1) * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert libc.mprotect(ctypes.c_void_p(address + pages * PAGE), PAGE, 0) == 0
    copy = np.frombuffer(memory, array.dtype, array.size, pages * PAGE - array.nbytes).reshape(array.shape)
    copy[...] = array
    return copy


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["linear", "softmax", "tanh"])
def test_nothing_outside_the_arrays_is_touched(dtype, name):
    rng = np.random.default_rng(0)
    activation = activations.get(name)
    for columns in (1, 7, 8, 9, 15, 16, 17, 31, 33, 47, 48, 49, 97):
        inner = int(rng.integers(1, 40))
        weight = rng.standard_normal((inner, columns)).astype(dtype)
        bias = guarded(rng.standard_normal(columns).astype(dtype))
        chain = Chain([Matmul(weight, bias), Activate(activation)], inner, np.dtype(dtype))
        chain.arrays[:] = [guarded(array) for array in chain.arrays]
        chain.table[1, 5:7] = [array.ctypes.data for array in chain.arrays[:2]]
        for rows in (1, 2, 3, 4, 5, 7, 8, 9, 11, 15, 17):
            x = guarded(rng.standard_normal((rows, inner)).astype(dtype))
            y = guarded(np.zeros((rows, columns), dtype))
            scratch = np.zeros(chain.scratch_bytes + 64, np.uint8)

            chain.walk(chain.address, x, y, 0, rows, -(-scratch.ctypes.data // 64) * 64)

            assert y.tobytes() == chain(np.array(x)).tobytes()


INNER = (1, 2, BLOCK_K - 1, BLOCK_K, BLOCK_K + 1, 2 * BLOCK_K + 3, CHUNK_K, CHUNK_K + 1, 2 * CHUNK_K + BLOCK_K + 5)


@pytest.mark.parametrize("inner", INNER)
def test_the_sum_is_taken_in_the_order_of_the_contract(inner):
    rng = np.random.default_rng(inner)
    x = rng.standard_normal(inner).astype(np.float32)
    weight = rng.standard_normal(inner).astype(np.float32)
    bias = np.float32(rng.standard_normal())

    total = None
    for start in range(0, inner, BLOCK_K):
        partial = np.float32(0)
        for k in range(start, min(inner, start + BLOCK_K)):
            exact = Fraction(float(x[k])) * Fraction(float(weight[k])) + Fraction(float(partial))
            partial = rounded(exact)
        total = partial if total is None else np.float32(total + partial)
    expected = np.float32(total + bias)

    for rows, columns in itertools.product((1, 3, 8, 27), (1, 2, 20, 48, 50)):
        operation = Matmul(np.tile(weight[:, None], columns), np.repeat(bias, columns))
        actual = Chain([operation], inner, np.dtype("float32"))(np.tile(x, (rows, 1)))
        assert set(actual.view(np.uint32).flat) == {expected.view(np.uint32)}, (rows, columns)


def rounded(value: Fraction) -> np.float32:
    """Round a rational to float32 once: the nearest of the candidates around its float64."""
    near = np.float32(float(value))
    around = [np.nextafter(near, np.float32(-np.inf)), near, np.nextafter(near, np.float32(np.inf))]

    def distance(y: np.float32) -> tuple[Fraction, int]:
        return abs(Fraction(float(y)) - value), int(y.view(np.uint32)) & 1

    return min(around, key=distance)
