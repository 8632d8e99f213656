from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from parity.runners import activations as runners
from parity.sweep import job, row_truth, rows, rowwise, tally
from parity.sweep.run import sweep, task_for
from parity.ulp import FORMATS, from_bits
from refnet import activations
from refnet.errors import ArgumentError
from tests.parity.sweep.common import ROWS, row_task
from tests.parity.sweep.planted import step_in_rows


@pytest.fixture(scope="module")
def planted():
    return sweep(row_task())


def test_planted_errors_are_found_and_no_others(planted):
    task, found = planted.task, planted.tally
    assert 5 <= found.misrounded_count <= len(rows.FAMILIES)
    for each in found.misrounded:
        where = rows.where(activations.REGISTRY["softmax"], task.samples, each.bits)
        assert (where["length"], where["row"], where["entry"]) == (17, 0, 5)


def test_the_worst_row_can_be_made_again_from_the_results(planted):
    plain = json.loads(json.dumps(planted.plain()))
    worst = plain["classes"]["normal"]
    where, dtype = worst["worst_row"], plain["dtype"]
    x = rows.row(plain["activation"], dtype, where["family"], where["length"], where["row"], plain["seed"])[None]
    got = from_bits([int(worst["worst"][1], 16)], dtype)[0]
    assert step_in_rows(x)[0, where["entry"]] == got
    truth = row_truth.of_rows(activations.REGISTRY["softmax"], x, FORMATS[dtype])
    right = from_bits([int(worst["worst"][2], 16)], dtype)[0]
    assert truth.right[0, where["entry"]] == right
    assert [np.float32(each) for each in worst["worst_decimal"]] == [got, right]
    assert tally.read(plain) == planted.tally
    assert (plain["exhaustive"], plain["samples"], plain["parameters"]) == (False, 1024, {})


def test_a_sweep_is_that_of_its_seed(planted):
    assert sweep(row_task()).tally == planted.tally
    other = sweep(dataclasses.replace(row_task(), seed=1)).tally
    assert other.count == planted.tally.count
    assert other.histogram != planted.tally.histogram


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", ROWS)
def test_the_engine_is_within_what_is_promised(name, dtype):
    pytest.importorskip("ml_dtypes", reason="bfloat16 is a dtype of the package ml_dtypes")
    found = sweep(task_for(activations.REGISTRY[name], dtype, "refnet", samples=10)).tally
    assert abs(found.worst.error) <= rowwise.promise(dtype)
    assert (found.out_of_range, found.wrong_zero) == (0, 0)


def test_the_chunks_have_every_block_once():
    task = row_task(size=5)
    chunks = job.chunks(task)
    blocks = rows.blocks(activations.REGISTRY["softmax"], task.samples)
    assert [place for start, stop in chunks for place in range(start, stop)] == list(range(len(blocks)))


def test_rows_are_not_exhausted():
    words = "activation 'glu' works on rows, and there is no end of them; sweep it without --exhaustive"
    with pytest.raises(ArgumentError, match=words):
        task_for(activations.REGISTRY["glu"], "float32", "refnet", exhaustive=True)


def test_rows_of_an_activation_that_nobody_judges_are_refused():
    own = dataclasses.replace(activations.REGISTRY["softmax"], name="hardmax")
    with pytest.raises(ArgumentError, match=r"'hardmax' works on rows and has no true values in .*; accepted: softmax"):
        rowwise.require(own, "float32", False)


def test_a_place_is_said_in_words(planted):
    first = planted.tally.misrounded[0]
    assert rowwise.place(planted.task, first.bits) == ("normal 0.1, length 17, row 0, entry 5", "")


@pytest.mark.parametrize("dtype", FORMATS)
def test_a_function_has_rows_of_its_own_that_it_may_write_into(dtype):
    """Lengths 3, 10 and 16 of all families; in float64 the rows of equal entries came as one number with stride 0."""
    pytest.importorskip("ml_dtypes", reason="bfloat16 is a dtype of the package ml_dtypes")
    softmax, plain = activations.REGISTRY["softmax"], []

    def in_place(activation, x):
        plain.append(x.flags.carray)
        x[...] = softmax(x)
        return x

    def of_zeros(activation, x):
        x[...] = 0.0
        return softmax(x)

    task = task_for(softmax, dtype, "refnet", samples=10)
    for start in range(2, len(rows.FAMILIES) * len(rows.LENGTHS), len(rows.LENGTHS)):
        wanted, got, zeros = (
            rowwise.judged(task, runners.ActivationRunner("mine", {}, call), start, start + 3)[0]
            for call in (lambda activation, x: softmax(x), in_place, of_zeros)
        )
        assert got == wanted
        assert zeros.misrounded_count > 0 or rows.blocks(softmax, 10)[start].family in ("equal", "tiny")
    assert all(plain)
