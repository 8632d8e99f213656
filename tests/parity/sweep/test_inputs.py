from __future__ import annotations

import itertools

import numpy as np
import pytest

from parity.sweep.inputs import NEIGHBOURS, chunks, neighbourhoods, patterns
from parity.ulp import FORMATS, to_bits
from refnet import activations


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
def test_chunks_cover_every_pattern_once(kind):
    found = chunks(kind, 3 << (kind.bits - 4))
    assert found[0][0] == 0
    assert found[-1][1] == 1 << kind.bits
    assert all(a[1] == b[0] for a, b in itertools.pairwise(found))


def test_step_one_takes_every_pattern():
    assert patterns(5, 9, 1).tolist() == [5, 6, 7, 8]


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_samples_take_one_of_each_stratum_and_the_places(name):
    kind = FORMATS[name]
    start, step = 3 << (kind.bits - 3), 1 << (kind.bits - 12)
    stop = start + (1 << (kind.bits - 3))
    places = [start + 7, stop - 1, stop, 0]
    found = patterns(start, stop, step, places, seed=3)
    assert np.all(found[1:] > found[:-1])
    assert set((found // np.uint64(step)).tolist()) == set(range(start // step, stop // step))
    assert {start + 7, stop - 1} <= set(found.tolist())
    assert stop not in found
    assert np.array_equal(found, patterns(start, stop, step, places, seed=3))
    assert not np.array_equal(found, patterns(start, stop, step, places, seed=4))


@pytest.mark.parametrize("name", ["relu6", "softplus"])
def test_neighbourhoods_hold_zeros_kinks_infinities_and_known_places(name):
    entry, kind = activations.REGISTRY[name], FORMATS["float32"]
    found = set(neighbourhoods(entry, kind, known=[0x12345678]))
    ends = np.float32([0.0, -0.0, np.inf, -np.inf, np.finfo(np.float32).max, *entry.kinks])
    assert {int(each) for each in to_bits(ends)} <= found
    assert {0x12345678 - NEIGHBOURS, 0x12345678 + NEIGHBOURS} <= found
    assert min(found) == 0
    assert max(found) < 1 << 32
