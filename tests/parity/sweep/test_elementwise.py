from __future__ import annotations

import json

import pytest

from parity.sweep import elementwise, job
from parity.sweep.elementwise import known_places
from parity.sweep.run import sweep, task_for
from refnet import activations
from refnet.errors import ArgumentError
from tests.parity.sweep.common import half_task
from tests.parity.sweep.planted import PLACES


def test_all_of_float64_is_refused():
    with pytest.raises(ArgumentError, match=r"float64 has 2\*\*64 inputs"):
        task_for(activations.REGISTRY["tanh"], "float64", "refnet", exhaustive=True)


def test_an_exhaustive_float32_sweep_has_every_pattern_in_chunks():
    task = task_for(activations.REGISTRY["relu"], "float32", "refnet", exhaustive=True)
    found = job.chunks(task)
    assert (task.step, len(found)) == (1, 256)
    assert sum(stop - start for start, stop in found) == 1 << 32


def test_known_worst_places_come_from_the_results(tmp_path):
    entry = sweep(half_task()).plain()
    file = tmp_path / "accuracy.json"
    file.write_text(json.dumps({"results": [entry]}))
    assert set(PLACES) <= set(known_places("relu6", "float16", file))
    assert known_places("relu6", "float32", file) == []
    assert known_places("relu6", "float16", tmp_path / "none.json") == []


def test_the_model_of_a_task_is_made_once():
    assert elementwise.model_of(half_task()) is elementwise.model_of(half_task())


def test_a_place_is_a_number_and_its_pattern():
    assert elementwise.place(half_task(), 0x3C37) == ("1.0537", "0x3c37")
