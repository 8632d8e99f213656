"""The tool tested: seeded faults must all be found, in the right layer, and clean controls must stay clean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity import check, to_keras
from refnet import activations, layers
from tests.parity.nets import build

pytestmark = pytest.mark.keras

SEEDS = (1, 2, 3)
Fault = Callable[[Any, int], None]


def transposed(peer: Any, at: int) -> None:
    kernel, bias = peer.layers[at].get_weights()
    peer.layers[at].set_weights([kernel.T.copy(), bias])


def two_weights_swapped(peer: Any, at: int) -> None:
    kernel, bias = peer.layers[at].get_weights()
    kernel[0, 0], kernel[5, 3] = kernel[5, 3], kernel[0, 0]
    peer.layers[at].set_weights([kernel, bias])


def bias_dropped(peer: Any, at: int) -> None:
    kernel, bias = peer.layers[at].get_weights()
    peer.layers[at].set_weights([kernel, np.zeros_like(bias)])


def one_weight_moved(peer: Any, at: int) -> None:
    kernel, bias = peer.layers[at].get_weights()
    kernel[7, 2] += 1e-3
    peer.layers[at].set_weights([kernel, bias])


def activation_swapped(name: str) -> Fault:
    def fault(peer: Any, at: int) -> None:
        from parity.runners import keras_setup

        peer.layers[at].activation = keras_setup.load().activations.get(name)

    fault.__name__ = f"activation_becomes_{name}"
    return fault


def gelu_approximated(peer: Any, at: int) -> None:
    from parity.runners import keras_activations

    peer.layers[at].activation = keras_activations.function(activations.get("gelu").with_parameters(approximate=True))


def slope_changed(peer: Any, at: int) -> None:
    from parity.runners import keras_activations

    changed = activations.get("leaky_relu").with_parameters(negative_slope=0.3)
    peer.layers[at].activation = keras_activations.function(changed)


def alpha_changed(peer: Any, at: int) -> None:
    from parity.runners import keras_activations

    peer.layers[at].activation = keras_activations.function(activations.get("elu").with_parameters(alpha=1.01))


FAULTS: list[tuple[Fault, str]] = [
    (transposed, "tanh"),
    (two_weights_swapped, "relu"),
    (bias_dropped, "silu"),
    (one_weight_moved, "tanh"),
    (one_weight_moved, "gelu"),
    (gelu_approximated, "gelu"),
    (slope_changed, "leaky_relu"),
    (alpha_changed, "elu"),
    (activation_swapped("sigmoid"), "tanh"),
    (activation_swapped("silu"), "gelu"),
    (activation_swapped("relu"), "softplus"),
    (activation_swapped("linear"), "relu"),
]


def model_of(name: str, seed: int) -> Any:
    """Three square layers; the faults go into the middle one or the first."""
    return build([24, 24, 24, 24], [name, name, "softmax"], "float32", seed)


@pytest.mark.parametrize(("fault", "name"), FAULTS, ids=[f"{fault.__name__}-{name}" for fault, name in FAULTS])
@pytest.mark.parametrize("at", [0, 1])
def test_a_fault_is_found_in_its_layer(keras, fault, name, at):
    for seed in SEEDS:
        model = model_of(name, seed)
        peer = to_keras(model)
        fault(peer, at)
        report = check(model, peer=peer, seed=seed, through=("call",))
        assert not report.agree
        assert report.exit_code == 1
        assert report.cause is not None
        assert report.cause.name == model.layers[at].name
        assert report.sentence.startswith("differ: ")
        others = [layer.isolated.verdict for i, layer in enumerate(report.layers) if i != at]
        assert "not explained" not in others


@pytest.mark.parametrize("name", sorted({name for _, name in FAULTS}))
def test_the_same_models_without_a_fault_are_clean(keras, name):
    for seed in SEEDS:
        model = model_of(name, seed)
        report = check(model, peer=to_keras(model), seed=seed, through=("call",))
        assert report.agree
        assert report.exit_code == 0


def test_the_blame_says_which_weight(keras):
    model = model_of("tanh", 1)
    peer = to_keras(model)
    one_weight_moved(peer, 1)
    report = check(model, peer=peer, through=("call",))
    assert "kernel[7, 2]" in report.cause.blame
    assert any("kernel[7, 2]" in note for note in report.notes)


def test_the_blame_says_that_the_activation_is_another(keras):
    model = model_of("tanh", 1)
    peer = to_keras(model)
    activation_swapped("sigmoid")(peer, 1)
    report = check(model, peer=peer, through=("call",))
    assert report.cause.blame == "the activation differs: tanh in refnet, sigmoid in Keras"


def test_a_fault_in_refnet_is_not_excused_by_what_keras_is_known_for(keras):
    """Where Keras is right and refnet is not, no known difference of Keras may serve as the reason."""
    model = model_of("elu", 1)
    peer = to_keras(model)
    kernel, bias = model.layers[0].get_weights()
    kernel[3, 3] += 1e-3
    model.layers[0].set_weights([kernel, bias])
    assert check(model, peer=peer, through=("call",)).cause.name == model.layers[0].name


def test_a_leaky_layer_with_another_slope_is_found(keras):
    import refnet

    model = refnet.Sequential([refnet.Input((6,)), layers.LeakyReLU(0.1, name="leak")])
    peer = to_keras(refnet.Sequential([refnet.Input((6,)), layers.LeakyReLU(0.11, name="leak")]))
    report = check(model, peer=peer, through=("call",))
    assert report.cause.name == "leak"
    assert "its result differs" in report.cause.blame
