from __future__ import annotations

import dataclasses
import json
import pickle

from parity.sweep import job, tally
from parity.sweep.cli import parse_name
from parity.sweep.run import task_for
from refnet import activations
from tests.parity.sweep.common import half_task
from tests.parity.sweep.planted import PLACES


def whole(task):
    plain = json.loads(json.dumps(dataclasses.asdict(task)))  # as a cluster would get it
    total = tally.Tally()
    for start, stop in job.chunks(task):
        result = job.run_chunk(plain, start, stop)
        assert result["start"] == start
        total = tally.add(total, tally.read(result["tally"]))
    return total


def test_planted_errors_are_found_whatever_the_size_of_the_chunks():
    one, many = whole(half_task(size=1 << 16)), whole(half_task(size=1 << 13))
    for found in (one, many):
        # 0xBC01 is -1 and a bit, where relu6 gives 0 and the fault a subnormal.
        assert sorted(each.bits for each in found.misrounded) == sorted(PLACES)
        assert found.count == 1 << 16
        assert found.out_of_range == 1  # above 6
    assert tally.write(one) == tally.write(many) | {"undecided": tally.write(one)["undecided"]}


def test_a_task_says_its_parameters_only_if_they_are_unusual():
    assert half_task().title == "relu6"
    slope = activations.REGISTRY["leaky_relu"].with_parameters(negative_slope=0.25)
    task = task_for(slope, "float16", "numpy")
    assert task.title == "leaky_relu(negative_slope=0.25)"
    assert job.activation_of(task).parameters == {"negative_slope": 0.25}
    assert pickle.loads(pickle.dumps(task)) == task


def test_a_title_can_be_typed():
    for activation in (
        activations.REGISTRY["gelu"].with_parameters(approximate=True),
        activations.REGISTRY["elu"].with_parameters(alpha=0.5),
        activations.REGISTRY["elu"].with_parameters(alpha=1 / 3),
    ):
        found = parse_name(task_for(activation, "float16", "numpy").title)
        assert (found.name, found.parameters) == (activation.name, activation.parameters)


def test_the_model_of_a_task_is_made_once():
    assert job.model_of(half_task()) is job.model_of(half_task())
