from __future__ import annotations

import numpy as np
import pytest

from refnet.engine.machine import machine
from refnet.engine.pack import pack


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [1, 7, 16, 17, 48, 49, 130])
def test_every_weight_stands_in_its_panel(dtype, columns):
    inner = 5
    weight = np.arange(1, inner * columns + 1, dtype=dtype).reshape(inner, columns)
    lanes = machine().lanes(weight.itemsize)
    panel = machine().tile[1] * lanes

    packed, start, unpacked = pack(weight), 0, []
    for first in range(0, columns, panel):
        real = min(panel, columns - first)
        width = -(-real // lanes) * lanes
        block = packed[start : start + inner * width].reshape(inner, width)
        unpacked.append(block[:, :real])
        assert not block[:, real:].any()
        start += inner * width

    assert start == packed.size
    assert (np.concatenate(unpacked, axis=1) == weight).all()


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_nothing_to_pack(shape):
    assert pack(np.zeros(shape, np.float32)).size == 0


@pytest.mark.parametrize("columns", [1, 50, 1000])
def test_the_panels_start_with_a_cache_line(columns):
    for _ in range(5):
        assert pack(np.ones((7, columns), np.float32)).ctypes.data % 64 == 0


def test_big_weights_start_with_a_huge_page():
    """Two of them, since one may lie there by chance."""
    weight = np.ones((512, 1024), np.float32)
    assert {packed.ctypes.data % 2**21 for packed in (pack(weight), pack(weight[:, ::-1]))} == {0}
