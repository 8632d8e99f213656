"""The book against the installed Keras: nothing missing, nothing else, the same signatures, names and gradients."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

from refnet import activations
from refnet.activations import REGISTRY
from refnet.errors import ArgumentError
from tests.refnet.activations.judge import elementwise, label

keras = pytest.importorskip("keras", reason="compares with real Keras")
tensorflow = pytest.importorskip("tensorflow", reason="compares with real Keras")

pytestmark = pytest.mark.keras

NOT_ACTIVATIONS = {"deserialize", "get", "serialize"}
KERAS = {
    name: function
    for name, function in vars(keras.activations).items()
    if inspect.isfunction(function) and name not in NOT_ACTIVATIONS
}


def test_every_activation_of_keras_is_in_the_book():
    reachable = {*KERAS, "swish", "hard_swish"}
    assert reachable <= set(REGISTRY)


def test_the_book_has_no_name_that_keras_has_not():
    for name, block in REGISTRY.items():
        assert keras.activations.get(name).__name__ == block.name


@pytest.mark.parametrize("name", activations.names())
def test_signature_and_defaults(name):
    ours = [p for p in inspect.signature(REGISTRY[name]).parameters.values() if p.name != "out"]
    theirs = list(inspect.signature(KERAS[name]).parameters.values())
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_get_and_serialize_agree(name):
    theirs = keras.activations.get(name)
    assert activations.get(name).name == theirs.__name__
    assert activations.serialize(activations.get(name)) == keras.activations.serialize(theirs)
    assert activations.deserialize(keras.activations.serialize(theirs)).name == theirs.__name__


@pytest.mark.parametrize("bad", ["ReLU", "exp", "identity", "", 3, 1.5, ["relu"]])
def test_get_refuses_what_keras_refuses(bad):
    with pytest.raises(ValueError, match="Could not interpret"):
        keras.activations.get(bad)
    with pytest.raises(ArgumentError):
        activations.get(bad)


def test_get_none_and_callables_agree():
    assert keras.activations.get(None).__name__ == activations.get(None).name
    assert keras.activations.get(math.exp) is activations.get(math.exp)


def test_functions_of_ones_own_are_described_alike():
    def cube(x):
        return x**3

    assert activations.serialize(cube) == keras.activations.serialize(cube)


# Distances of TensorFlow's float32 results in ulp of the larger of |result| and the scale below: what it loses
# altogether (elu near 0, the tails of gelu and squareplus) is small beside the scale. Measured: up to 17.
FORWARD_ULP = 32
SCALE = {"gelu": 4.0, "squareplus": 16.0, "tanh_shrink": 4.0, "elu": 1.0, "selu": 2.0, "mish": 2.0, "log_sigmoid": 1.0}


@pytest.mark.parametrize("activation", list(elementwise()), ids=label)
def test_forward_and_gradient_agree_with_tensorflow(activation):
    """The same meaning; TensorFlow's own errors are allowed for."""
    rng = np.random.default_rng(7)
    x = np.concatenate([rng.normal(size=400) * 3, np.linspace(-8, 8, 321)]).astype(np.float32)
    x = np.array([each for each in x if all(abs(each - kink) > 1e-4 for kink in activation.kinks)], np.float32)
    if activation.name == "celu" or activation.parameters.get("b") == 0.0:
        x = x[x != 0]  # there TensorFlow adds both sides' gradients of celu, and divides squareplus' by 0
    parameters = {k: None if v == math.inf else v for k, v in activation.parameters.items()}
    watched = tensorflow.constant(x)
    with tensorflow.GradientTape() as tape:
        tape.watch(watched)
        theirs = KERAS[activation.name](watched, **parameters)
    gradient = tape.gradient(theirs, watched)
    gradient = np.zeros_like(x) if gradient is None else gradient.numpy()
    for ours, other in ((activation(x), theirs.numpy()), (activation.slope(x), gradient)):
        scale = np.maximum(np.abs(ours), SCALE.get(activation.name, 0.0) if other is not gradient else 2.0)
        excess = np.abs(ours.astype(np.float64) - other) / np.spacing(np.maximum(scale, np.float32(1e-30)))
        worst = int(np.argmax(excess))
        assert excess[worst] <= FORWARD_ULP, (x[worst], ours[worst], other[worst], excess[worst])


@pytest.mark.parametrize("activation", list(elementwise()), ids=label)
def test_slope_at_kinks_is_the_gradient_there(activation):
    kinks = np.array([k for k in activation.kinks if math.isfinite(k)], np.float32)
    if not len(kinks):
        pytest.skip("smooth")
    if activation.name == "relu" and activation.parameters["max_value"] != math.inf:
        pytest.skip("Keras adds up relus and a clip, whose gradients at the kinks differ from relu's and relu6's own")
    parameters = {k: None if v == math.inf else v for k, v in activation.parameters.items()}
    watched = tensorflow.constant(kinks)
    with tensorflow.GradientTape() as tape:
        tape.watch(watched)
        theirs = KERAS[activation.name](watched, **parameters)
    np.testing.assert_array_equal(activation.slope(kinks), tape.gradient(theirs, watched).numpy())


@pytest.mark.parametrize(("cap", "expected"), [(6.0, 0.0), (2.0, 1.0)])
def test_keras_gradient_at_a_cap_is_what_relus_page_says(cap, expected):
    watched = tensorflow.constant([cap])
    with tensorflow.GradientTape() as tape:
        tape.watch(watched)
        theirs = KERAS["relu"](watched, max_value=cap)
    assert tape.gradient(theirs, watched).numpy() == [expected]
    assert activations.relu.with_parameters(max_value=cap).slope([cap]) == [0.0]


@pytest.mark.parametrize("name", [name for name in activations.names() if REGISTRY[name].kind != "elementwise"])
def test_rows_agree(name):
    x = np.random.default_rng(3).normal(size=(40, 6)).astype(np.float32) * 2
    if name == "sparsemax":
        x = x * 10  # one entry dominates: the only case that Keras 3.15 gets right (keras#23425)
        x = x[np.sort(x, axis=-1)[:, -1] - np.sort(x, axis=-1)[:, -2] > 1]
    watched = tensorflow.constant(x)
    with tensorflow.GradientTape() as tape:
        tape.watch(watched)
        theirs = KERAS[name](watched)
    jacobian = tape.batch_jacobian(theirs, watched)
    for ours, other in ((REGISTRY[name](x), theirs), (REGISTRY[name].slope(x), jacobian)):
        scale = np.float32(1.0) if other is jacobian else np.abs(ours).max()  # TensorFlow takes p from 1
        assert ours.shape == other.shape
        assert np.abs(ours.astype(np.float64) - other).max() <= 4 * np.spacing(scale)


def test_the_slope_of_sparsemax_is_the_gradient_of_its_definition():
    """Keras' own is wrong where k is 2 or more (keras#23425); this divides the k-th partial sum alone."""
    x = np.random.default_rng(4).normal(size=(40, 6)).astype(np.float32)
    watched = tensorflow.constant(x)
    with tensorflow.GradientTape() as tape:
        tape.watch(watched)
        descending = tensorflow.sort(watched, direction="DESCENDING")
        partial, size = tensorflow.cumsum(descending, axis=-1), tensorflow.range(1.0, 7.0)
        k = tensorflow.reduce_sum(tensorflow.cast(1 + size * descending > partial, tensorflow.int32), axis=-1)
        sum_of_k = tensorflow.gather(partial, k - 1, batch_dims=1)
        tau = (sum_of_k - 1) / tensorflow.cast(k, tensorflow.float32)
        y = tensorflow.nn.relu(watched - tau[:, None])
    assert set(k.numpy()) >= {1, 2, 3}
    jacobian = tape.batch_jacobian(y, watched).numpy()
    np.testing.assert_array_max_ulp(activations.sparsemax.slope(x), jacobian, maxulp=1)
