from __future__ import annotations

import numpy as np
import pytest

from refnet.engine.machine import machine
from refnet.engine.pack import pack, panel_vectors, unit_columns


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [1, 7, 16, 17, 48, 49, 64, 65, 112, 130])
def test_every_weight_stands_in_its_panel(dtype, columns):
    inner = 5
    weight = np.arange(1, inner * columns + 1, dtype=dtype).reshape(inner, columns)
    lanes = machine().lanes(weight.itemsize)

    packed, start, unpacked, first = pack(weight), 0, [], 0
    while first < columns:
        width = lanes * panel_vectors(-(-(columns - first) // lanes), machine().tile[1])
        real = min(width, columns - first)
        block = packed[start : start + inner * width].reshape(inner, width)
        unpacked.append(block[:, :real])
        assert not block[:, real:].any()
        start += inner * width
        first += width

    assert start == packed.size
    assert (np.concatenate(unpacked, axis=1) == weight).all()


def test_no_panel_of_one_vector_follows_another():
    assert [panel_vectors(left, 3) for left in (1, 2, 3, 4, 5, 6, 7, 8)] == [1, 2, 3, 2, 3, 3, 3, 3]


@pytest.mark.parametrize("units", [1, 2, 3, 5])
@pytest.mark.parametrize("columns", [1, 16, 17, 48, 64, 65, 112, 113, 160, 500, 1000])
def test_units_start_where_panels_do(columns, units):
    lanes, panel, starts, first = 16, 48, set(), 0
    while first < columns:
        starts.add(first)
        first += lanes * panel_vectors(-(-(columns - first) // lanes), 3)
    width = unit_columns(columns, units, panel, lanes)
    own = [*range(0, max(1, columns - lanes), width)]

    assert starts.issuperset(own)
    assert len(own) <= units
    assert unit_columns(columns, len(own), panel, lanes) == width  # the walk finds it from the number of units


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
