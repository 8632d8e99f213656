from __future__ import annotations

import pickle

from parity.sweep import task as tasks
from parity.sweep.cli import parse_name
from parity.sweep.run import task_for
from refnet import activations
from tests.parity.sweep.common import half_task


def test_a_task_says_its_parameters_only_if_they_are_unusual():
    assert half_task().title == "relu6"
    slope = activations.REGISTRY["leaky_relu"].with_parameters(negative_slope=0.25)
    task = task_for(slope, "float16", "numpy")
    assert task.title == "leaky_relu(negative_slope=0.25)"
    assert tasks.activation_of(task).parameters == {"negative_slope": 0.25}
    assert pickle.loads(pickle.dumps(task)) == task


def test_a_title_can_be_typed():
    for activation in (
        activations.REGISTRY["gelu"].with_parameters(approximate=True),
        activations.REGISTRY["elu"].with_parameters(alpha=0.5),
        activations.REGISTRY["elu"].with_parameters(alpha=1 / 3),
    ):
        found = parse_name(task_for(activation, "float16", "numpy").title)
        assert (found.name, found.parameters) == (activation.name, activation.parameters)
