"""The record: how an activation is called, printed, given parameters, stored; and how one joins the book."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import warnings

import numpy as np
import pytest

from refnet import activations
from refnet.activations import REGISTRY, activation
from refnet.errors import ArgumentError, DTypeError, ShapeError

X = np.array([-2.0, -0.5, 0.0, 3.0], np.float32)


def test_parameters_go_by_position_and_by_name_as_in_keras():
    expected = np.array([-0.2, -0.05, 0.0, 2.0], np.float32)
    np.testing.assert_array_equal(activations.relu(X, 0.1, 2.0), expected)
    np.testing.assert_array_equal(activations.relu(X, 0.1, max_value=2.0), expected)
    np.testing.assert_array_equal(activations.relu(X, max_value=2, negative_slope=np.float32(0.1)), expected)
    np.testing.assert_array_equal(activations.relu(X, max_value=None), activations.relu(X))


def test_axis_goes_by_position_and_by_name():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(activations.softmax(x, 0), activations.softmax(x.T).T)
    np.testing.assert_array_equal(activations.softmax(x, axis=0), activations.softmax(x.T).T)
    np.testing.assert_array_equal(activations.glu(x, 0), x[:1] * activations.sigmoid(x[1:]))


def test_signature_is_the_one_that_a_call_takes():
    assert (
        str(inspect.signature(activations.relu))
        == "(x, negative_slope=0.0, max_value=None, threshold=0.0, *, out=None)"
    )
    assert str(inspect.signature(activations.softmax)) == "(x, axis=-1, *, out=None)"
    assert str(inspect.signature(activations.threshold)) == "(x, threshold, default_value, *, out=None)"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: activations.relu(X, 0.1, 6.0, 0.0, 1.0), "activation 'relu': 4 parameters given; it takes"),
        (lambda: activations.relu(X, slope=0.1), "parameter 'slope' unknown; it takes negative_slope, max_value"),
        (lambda: activations.relu(X, 0.1, negative_slope=0.2), "negative_slope given twice"),
        (lambda: activations.relu(X, float("nan")), "negative_slope must be a number, found nan"),
        (lambda: activations.relu(X, "0.1"), "negative_slope must be a real number, found '0.1'"),
        (lambda: activations.relu(X, True), "negative_slope must be a real number, found True"),
        (lambda: activations.relu(X, None), "negative_slope must be a real number, found None"),
        (lambda: activations.elu(X, 1j), "alpha must be a real number, found 1j"),
        (lambda: activations.elu(X, np.ones(2)), "alpha must be a real number"),
        (lambda: activations.gelu(X, approximate="tanh"), "approximate must be True or False, found 'tanh'"),
        (lambda: activations.tanh(X, axis=0), "activation 'tanh': parameter 'axis' unknown; it takes none"),
        (lambda: activations.threshold(X), "activation 'threshold': threshold and default_value must be given"),
        (lambda: activations.threshold.numpy(X), "threshold and default_value must be given"),
        (lambda: activations.threshold(X, 1.0), "activation 'threshold': default_value must be given"),
    ],
)
def test_wrong_parameters_are_named_in_one_sentence(call, message):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [1j * X, np.array(["1"]), np.array([None]), "relu", None, object()])
def test_what_is_not_a_real_number_is_refused(bad):
    for name in activations.names():
        block = REGISTRY[name]
        block = block.with_parameters(0.0, 0.0) if block.required else block
        with pytest.raises(DTypeError, match=f"activation '{name}': input of"):
            block(bad)


def test_ragged_input_is_refused():
    with pytest.raises(ShapeError, match="input is ragged"):
        activations.relu([[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("name", activations.names())
def test_shapes_and_dtypes(name):
    block = REGISTRY[name]
    block = block.with_parameters(0.0, 0.0) if block.required else block
    for dtype in (np.float16, np.float32, np.float64):
        x = np.linspace(-3, 3, 24, dtype=dtype).reshape(2, 3, 4)
        y = block.numpy(x)
        assert y.dtype == dtype
        assert y.shape == (x.shape if name != "glu" else (2, 3, 2))
        np.testing.assert_array_equal(block.numpy(x.astype(x.dtype.newbyteorder())), y)
        assert block.numpy(x[:0]).shape == y[:0].shape
    assert block.numpy(np.array([[1, -2]])).dtype == np.float32
    assert block.numpy(np.zeros((3, 0), np.float32)).shape == (3, 0)


def test_bfloat16_is_rounded_once():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = np.arange(2**16, dtype=np.uint16).view(bfloat16)
    x = x[np.isfinite(x.astype(np.float32))]
    with np.errstate(all="ignore"):
        wide = np.tanh(x.astype(np.float64))
        down, up = activations.tanh.numpy(x).astype(np.float64), None
    bits = activations.tanh.numpy(x).view(np.uint16)
    for step in (-1, 1):
        neighbour = (bits.astype(np.int32) + step).clip(0, 2**16 - 1).astype(np.uint16)
        up = neighbour.view(bfloat16).astype(np.float64)
        closer = np.isfinite(up) & (np.abs(up - wide) < np.abs(down - wide) * (1 - 1e-9))
        assert not closer.any()


def test_a_row_needs_a_dimension():
    for name in activations.names():
        if REGISTRY[name].kind != "elementwise":
            with pytest.raises(ShapeError, match=f"activation '{name}': a number on its own has no rows"):
                REGISTRY[name].numpy(1.0)


def test_a_block_without_a_derivative_has_no_slope():
    for name in activations.names():
        with pytest.raises(ArgumentError, match=f"activation '{name}': its block gives no derivative"):
            dataclasses.replace(REGISTRY[name], derivative=None, parameters={}).slope(X)


def test_repr_and_defaults():
    assert repr(activations.relu) == "<activation relu: max(x, 0)>"
    assert repr(activations.elu.with_parameters(0.5)).endswith("alpha=0.5>")
    assert repr(activations.elu.with_parameters(0.1234567)).endswith("alpha=0.1234567>")
    assert activations.elu.with_parameters(0.5).defaults == {"alpha": 1.0}
    assert activations.elu.__name__ == "elu"


def test_flag_changes_formula_and_back():
    rough = activations.gelu.with_parameters(approximate=True)
    assert rough.formula is not activations.gelu.formula
    assert rough.name == "gelu"
    assert rough.with_parameters(approximate=False).formula is activations.gelu.formula
    assert rough.help == activations.gelu.help
    x = np.linspace(-5, 5, 4001)
    assert 4.7e-4 < np.abs(rough.numpy(x) - activations.gelu.numpy(x)).max() < 4.74e-4


def test_edges_follow_the_parameters():
    capped = activations.relu.with_parameters(max_value=6.0, threshold=1.0)
    assert capped.kinks == (1.0, 6.0)
    assert capped.limits == {float("-inf"): 0.0, float("inf"): 6.0}
    assert activations.relu.kinks == (0.0,)
    assert activations.elu.kinks == ()
    assert activations.elu.with_parameters(2.0).kinks == (0.0,)


@pytest.mark.parametrize("name", activations.names())
def test_pickle_and_copy_find_the_block_again(name):
    block = REGISTRY[name]
    assert pickle.loads(pickle.dumps(block)) is block
    assert copy.deepcopy(block) is block
    for other in (
        [block.with_parameters(**dict.fromkeys(block.parameters, 0.5))] if name in ("elu", "threshold") else []
    ):
        assert pickle.loads(pickle.dumps(other)).parameters == other.parameters


def test_an_activation_of_a_kind_that_there_is_not():
    with pytest.raises(ArgumentError, match="'own': kind is 'rowise'; accepted: elementwise, rowwise, gated, array"):

        @activation("x", exact=lambda m, x: x, kind="rowise")
        def own(x):
            """Own."""
            return x

    assert "own" not in activations.names()


def test_an_activation_of_ones_own_joins_the_book_and_leaves_it():
    @activation(
        "x^2 sign(x)",
        exact=lambda m, x: abs(x) * x,
        derivative=lambda m, x: 2 * abs(x),
        limits={float("-inf"): float("-inf"), float("inf"): float("inf")},
    )
    def signed_square(x):
        """Square x and keep its sign."""
        return abs(x) * x

    try:
        assert activations.get("signed_square") is signed_square
        assert "signed_square" in activations.names()
        np.testing.assert_array_equal(signed_square(X), np.abs(X) * X)
        np.testing.assert_array_equal(signed_square.numpy(X), np.abs(X) * X)
        np.testing.assert_array_equal(signed_square.slope(X), 2 * np.abs(X))
        with pytest.raises(ArgumentError, match="activation 'signed_square' is in the book already"):
            activation("x", exact=None)(signed_square.formula)
    finally:
        del REGISTRY["signed_square"]


def test_calls_do_not_change_their_input():
    x = X.copy()
    x.flags.writeable = False
    for name in activations.names():
        block = REGISTRY[name]
        block = block.with_parameters(0.0, 0.0) if block.required else block
        block(x)
        block.numpy(x)
    np.testing.assert_array_equal(x, X)


def test_parameters_beyond_float64_and_beyond_the_dtype():
    with pytest.raises(ArgumentError, match="max_value is an integer beyond float64"):
        activations.relu([1.0], max_value=10**400)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert activations.relu(np.float16([1.0, 9.0]), max_value=70000).tolist() == [1.0, 9.0]


def test_a_slope_far_out_is_that_of_the_place_not_of_a_limit():
    far = np.array([1e150, 1.3e154, 1e155, 1e160, 1.7e308, np.inf])
    expected = [1e-300, 5.917159763313609e-309, 1e-310, 1e-320, 0.0, 0.0]
    assert activations.softsign.slope(far).tolist() == activations.softsign.slope(-far).tolist() == expected
    assert activations.squareplus.slope(-far).tolist() == expected
    assert activations.squareplus.slope(far)[2:].tolist() == activations.mish.slope(far)[2:].tolist() == [1.0] * 4


def test_a_slope_has_the_shape_and_dtype_of_its_input():
    for dtype in (np.float16, np.float32, np.float64):
        for shape in ((), (0,), (2, 3)):
            for name in ("relu", "silu", "gelu"):
                slope = REGISTRY[name].slope(np.full(shape, -0.5, dtype))
                assert (slope.shape, slope.dtype) == (shape, dtype)


def test_halves_lie_along_one_axis():
    with pytest.raises(ArgumentError, match=r"axis \(\) names 0 axes; accepted: one"):
        activations.glu(np.ones((2, 4)), axis=())
