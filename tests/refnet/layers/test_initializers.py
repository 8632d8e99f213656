from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from refnet import layers
from refnet.errors import ArgumentError, DTypeError, ShapeError
from refnet.layers import initializers

SHAPE = (400, 300)
NAMES = sorted(initializers._BY_NAME)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_fills_a_matrix_in_the_dtype(name):
    for dtype in ("float32", "float64"):
        values = initializers.get(name)((4, 3), dtype)
        assert values.shape == (4, 3)
        assert values.dtype == dtype


@pytest.mark.parametrize("name", NAMES)
def test_every_name_survives_its_config(name):
    made = initializers.get(name)
    again = initializers.get(initializers.serialize(made))
    assert (again.class_name, again.get_config()) == (made.class_name, made.get_config())
    copied = pickle.loads(pickle.dumps(made))
    assert copied.get_config() == made.get_config()


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("glorot_uniform", math.sqrt(6 / 700)),
        ("he_uniform", math.sqrt(6 / 400)),
        ("lecun_uniform", math.sqrt(3 / 400)),
        ("random_uniform", 0.05),
    ],
)
def test_uniform_ones_fill_their_interval(name, limit):
    values = getattr(initializers, name)(seed=3)(SHAPE, "float64")
    assert np.abs(values).max() <= limit
    assert np.abs(values).max() > 0.999 * limit
    # The standard error of the mean of 120,000 draws is limit / 600; five of them are allowed.
    assert abs(values.mean()) < limit / 120


@pytest.mark.parametrize(
    ("name", "deviation", "cut"),
    [
        ("glorot_normal", math.sqrt(2 / 700), True),
        ("he_normal", math.sqrt(2 / 400), True),
        ("lecun_normal", math.sqrt(1 / 400), True),
        ("random_normal", 0.05, False),
    ],
)
def test_normal_ones_have_their_deviation(name, deviation, cut):
    values = getattr(initializers, name)(seed=3)(SHAPE, "float64")
    # The relative standard error of a deviation from 120,000 draws is 0.002; five of them are allowed.
    assert abs(values.std() / deviation - 1) < 0.01
    if cut:
        assert np.abs(values).max() <= 2 * deviation / initializers._STDDEV_CUT_AT_TWO


def test_truncated_normal_stays_within_two_deviations():
    values = initializers.truncated_normal(mean=1.0, stddev=0.5, seed=3)(SHAPE, "float64")
    assert values.min() >= 0.0
    assert values.max() <= 2.0


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (2, 3, 4)])
def test_orthogonal_rows_or_columns(shape):
    values = initializers.orthogonal(gain=2.0, seed=3)(shape, "float64").reshape(-1, shape[-1])
    square = values.T @ values if values.shape[0] >= values.shape[1] else values @ values.T
    # Sums of a few products of numbers up to 2 in float64: some dozens of roundings of numbers below 4.
    assert np.abs(square - 4 * np.eye(len(square))).max() <= 64 * np.spacing(4.0)


def test_constants():
    np.testing.assert_array_equal(initializers.constant(0.5)((2,)), [0.5, 0.5])
    np.testing.assert_array_equal(initializers.identity(3.0)((2, 3)), 3 * np.eye(2, 3))
    np.testing.assert_array_equal(initializers.ones()((2,)), [1, 1])


def test_variance_scaling_modes():
    drawn = {
        mode: initializers.variance_scaling(2.0, mode, "untruncated_normal", seed=3)(SHAPE, "float64").var()
        for mode in ("fan_in", "fan_out", "fan_avg")
    }
    for mode, fan in (("fan_in", 400), ("fan_out", 300), ("fan_avg", 350)):
        assert abs(drawn[mode] / (2.0 / fan) - 1) < 0.02


def test_fans_of_other_shapes():
    assert initializers._fans(()) == (1, 1)
    assert initializers._fans((7,)) == (7, 7)
    assert initializers._fans((3, 3, 8, 16)) == (72, 144)
    assert initializers._fans((2, 3, 4), [0, 1], [2]) == (6, 4)


def test_a_seed_repeats_and_none_does_not():
    seeded = initializers.get({"class_name": "GlorotUniform", "config": {"seed": 5}})
    np.testing.assert_array_equal(seeded((3, 3)), seeded((3, 3)))
    free = initializers.glorot_uniform()
    assert not np.array_equal(free((3, 3)), free((3, 3)))


def test_a_generator_goes_on():
    one = initializers.glorot_uniform(seed=np.random.default_rng(5))
    other = initializers.glorot_uniform(seed=np.random.default_rng(5))
    first, second = one((3, 3)), one((3, 3))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(other((3, 3)), first)
    assert one.get_config()["seed"] is None


def test_keras_seed_generator_config():
    config = {"seed": {"class_name": "SeedGenerator", "config": {"seed": 42, "name": "seed_generator"}}}
    assert initializers.get({"class_name": "HeNormal", "config": config}).get_config()["seed"] == 42


def test_arrays_functions_and_factories():
    values = np.arange(6.0).reshape(2, 3)
    made = initializers.get(values)
    np.testing.assert_array_equal(made((2, 3)), values)
    again = initializers.get(initializers.serialize(made))
    np.testing.assert_array_equal(again((2, 3)), values)
    assert initializers.get(initializers.he_normal).class_name == "HeNormal"
    layer = layers.Dense(
        3, kernel_initializer=lambda shape, dtype=None: np.full(shape, 2.0), bias_initializer=[1, 2, 3]
    )
    layer.build((None, 2))
    np.testing.assert_array_equal(layer.kernel, np.full((2, 3), 2.0))
    np.testing.assert_array_equal(layer.bias, [1, 2, 3])
    assert layer.get_config()["kernel_initializer"]["class_name"] == "function"


class Foreign:
    """As an initializer of Keras is: a class with a config."""

    def __call__(self, shape, dtype=None):
        return np.ones(shape)

    def get_config(self):
        return {"scale": 1}


def test_classes_and_objects_with_a_config():
    made = initializers.get(Foreign)
    assert isinstance(made, Foreign)
    assert initializers.serialize(made)["class_name"] == "Foreign"


@pytest.mark.parametrize(
    "call",
    [
        lambda: initializers.get("he_norml"),
        lambda: initializers.get("Glorot_Uniform"),
        lambda: initializers.get(3),
        lambda: initializers.get(None),
        lambda: initializers.get({"class_name": "STFT", "config": {}}),
        lambda: initializers.get({"class_name": "Zeros", "config": {"value": 1}}),
        lambda: initializers.get({"class_name": "Zeros", "config": 3}),
        lambda: initializers.get({"class_name": "Array", "config": {}}),
        lambda: initializers.get({"class_name": ["Zeros"], "config": {}}),
        lambda: initializers.deserialize(3),
        lambda: initializers.deserialize("zeros"),
        lambda: initializers.glorot_uniform(seed="a"),
        lambda: initializers.glorot_uniform(seed=-1),
        lambda: initializers.glorot_uniform(seed=1.5),
        lambda: initializers.constant("a"),
        lambda: initializers.variance_scaling(scale=0.0),
        lambda: initializers.variance_scaling(mode="fan"),
        lambda: initializers.variance_scaling(distribution="cauchy"),
    ],
)
def test_what_is_not_known_is_refused_in_one_sentence(call):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_nearest_name_is_offered():
    with pytest.raises(ArgumentError, match=r"^Dense 'd': kernel_initializer: .*did you mean 'he_normal'\?$"):
        layers.Dense(1, kernel_initializer="he_norml", name="d")


def test_shapes_that_do_not_fit():
    for call in (
        lambda: initializers.identity()((3,)),
        lambda: initializers.orthogonal()((3,)),
        lambda: initializers.get(np.zeros(3))((4,)),
    ):
        with pytest.raises(ShapeError):
            call()
    with pytest.raises(DTypeError, match="complex"):
        initializers.get(np.zeros(3, complex))


def test_a_layer_says_which_initializer_failed():
    with pytest.raises(ShapeError, match=r"^Dense 'd': kernel_initializer: initializer: an array of shape \(2, 2\)"):
        layers.Dense(3, kernel_initializer=np.zeros((2, 2)), name="d").build((None, 3))
    with pytest.raises(ShapeError, match=r"^Dense 'd': bias_initializer gave shape \(1,\); accepted: \(3,\)$"):
        layers.Dense(3, bias_initializer=lambda shape, dtype: np.zeros(1), name="d").build((None, 3))


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (np.nan, 1.0), (-np.inf, 0.0), (-1.7e308, 1.7e308)])
def test_a_range_that_is_none_is_refused(bounds):
    with pytest.raises(ArgumentError, match=r"RandomUniform: from .* is no range"):
        initializers.random_uniform(*bounds)


def test_keras_names_of_classes_are_names_here_too():
    for name, factory in initializers._CLASS_NAMES.items():
        assert getattr(initializers, name) is factory
    assert initializers.HeNormal(seed=1)((2, 3)).tobytes() == initializers.he_normal(seed=1)((2, 3)).tobytes()
    with pytest.raises(AttributeError, match=r"refnet.initializers has no 'HeNorml'; did you mean"):
        initializers.HeNorml  # noqa: B018 (the access is the test)
