from __future__ import annotations

import numpy as np
import pytest

from parity.sweep import row_truth, rows
from parity.ulp import FORMATS
from refnet import activations
from refnet.errors import ArgumentError
from tests.parity.sweep.common import ROWS

SOFTMAX, GLU = activations.REGISTRY["softmax"], activations.REGISTRY["glu"]
SOME = rows.Block("normal 1", 10, 0, 5)


def bits(x):
    return x.view(f"u{x.itemsize}").tolist()


@pytest.mark.parametrize("name", ROWS)
def test_every_family_has_every_length(name):
    activation = activations.REGISTRY[name]
    found = rows.blocks(activation, 10)
    cases = {(family, length) for family in rows.FAMILIES for length in rows.lengths(activation)}
    assert {(each.family, each.length) for each in found} == cases
    assert len(cases) == len(rows.FAMILIES) * len(rows.lengths(activation))
    if activation.kind == "gated":
        assert not any(length % 2 for length in rows.lengths(activation))


@pytest.mark.parametrize("samples", [10, 16, 22])
def test_there_are_about_as_many_entries_as_asked_for(samples):
    found = rows.blocks(SOFTMAX, samples)
    least = sum(rows.LENGTHS) * len(rows.FAMILIES)
    entries = sum(each.rows * each.length for each in found)
    assert 1 << samples <= entries <= (1 << samples) + least
    assert all(each.rows * each.length <= rows.ENTRIES for each in found)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("family", rows.FAMILIES)
def test_rows_are_those_of_their_seed(family, dtype):
    kind, block = FORMATS[dtype], rows.Block(family, 10, 0, 5)
    x = rows.make(SOFTMAX, kind, block, 1)
    assert (x.shape, x.dtype) == ((5, 10), kind.dtype)
    assert bits(x) == bits(rows.make(SOFTMAX, kind, block, 1))
    assert bits(x) != bits(rows.make(SOFTMAX, kind, block, 2))
    assert bits(x[:2]) == bits(rows.make(SOFTMAX, kind, block._replace(rows=2), 1))


def test_blocks_of_a_case_differ():
    step = rows.ENTRIES // 10
    second = rows.make(SOFTMAX, FORMATS["float32"], SOME._replace(first=step), 0)
    assert bits(second) != bits(rows.make(SOFTMAX, FORMATS["float32"], SOME, 0))


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_made_again_from_what_a_place_says(name):
    activation, rng = activations.REGISTRY[name], np.random.default_rng(3)
    found = rows.blocks(activation, 18)
    for number in rng.integers(len(found), size=20).tolist():
        block = found[number]
        x = rows.make(activation, FORMATS["float32"], block, 7)
        results = rows.entries(activation, block.length)
        row, entry = int(rng.integers(block.rows)), int(rng.integers(results))
        said = rows.where(activation, 18, rows.place(number, row * results + entry))
        assert said == {"family": block.family, "length": block.length, "row": block.first + row, "entry": entry}
        again = rows.row(name, "float32", said["family"], said["length"], said["row"], 7)
        assert bits(again) == bits(x[row])


def family(name, activation=SOFTMAX, dtype="float32", length=10):
    return rows.make(activation, FORMATS[dtype], rows.Block(name, length, 0, rows.ENTRIES // length), 0)


@pytest.mark.parametrize("dtype", FORMATS)
def test_families_are_what_they_are_called(dtype):
    kind = FORMATS[dtype]
    assert np.abs(family("near overflow", dtype=dtype)).astype(float).min() >= 2.0 ** (kind.emax - 1)
    assert np.isfinite(family("near overflow", dtype=dtype).astype(float)).all()
    assert np.isfinite(family("any number", dtype=dtype).astype(float)).all()
    tiny = np.abs(family("tiny", dtype=dtype).astype(float))
    assert tiny.max() < 2.0 ** (kind.emin + 3)
    assert (tiny < 2.0**kind.emin).any()
    apart = family("one apart", dtype=dtype).astype(float)
    assert ((apart == 1).any(axis=1) & (np.abs(apart) < 2.0**-kind.precision).any(axis=1)).any()
    equal = family("equal", dtype=dtype)
    assert (equal == equal[:, :1]).all()
    gone = np.isneginf(family("with -inf", dtype=dtype).astype(float))
    assert 0.2 < gone.mean() < 0.3
    special = family("infinities and NaN", dtype=dtype).astype(float)
    for found in (np.isnan(special), np.isposinf(special), np.isneginf(special)):
        assert found.all(axis=1).any()  # rows of nothing else
        assert (found.any(axis=1) & ~found.all(axis=1)).any()
    several = np.isposinf(special).sum(axis=1)
    assert {1, 2} <= set(several.tolist())


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", ROWS)
def test_some_results_are_subnormal(name, dtype):
    kind, activation = FORMATS[dtype], activations.REGISTRY[name]
    x = family("subnormal results", activation, dtype, length=2)
    right = np.abs(row_truth.of_rows(activation, x, kind).right.astype(float))
    assert np.count_nonzero((right > 0) & (right < 2.0**kind.emin)) > 100


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (("sofmax", "float32", "equal", 3, 0), "activation 'sofmax' unknown; accepted: .*did you mean 'softmax'"),
        (("softmax", "float32", "equals", 3, 0), "family of rows 'equals' unknown; accepted: .*did you mean 'equal'"),
        (("softmax", "float32", "equal", 0, 0), "length 0 is not accepted; accepted: 1 to 16384"),
        (("softmax", "float32", "equal", 3, -1), "row -1 is not accepted; accepted: 0 or more"),
        (("glu", "float32", "equal", 3, 0), "length 3 is not accepted; accepted: an even one"),
    ],
)
def test_a_row_that_is_none_is_refused(given, words):
    with pytest.raises(ArgumentError, match=words):
        rows.row(*given)
