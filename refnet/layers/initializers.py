"""How weights start out: Keras' initializers, drawn with NumPy's Generator.

The distributions are Keras' (``keras.initializers``, whose formulas are those of Glorot and Bengio 2010,
He et al. 2015, LeCun et al. 1998, Klambauer et al. 2017 and Saxe et al. 2014); the numbers of a given seed are
NumPy's and so differ from Keras', which depend on its backend.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from refnet.errors import ArgumentError, DTypeError, ShapeError, did_you_mean
from refnet.layers.arguments import is_real
from refnet.layers.naming import to_snake_case

__all__ = [
    "Initializer",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

WeightShape = tuple[int, ...]
Seed = int | np.random.Generator | None
Draw = Callable[[WeightShape, Mapping[str, Any]], NDArray[Any]]

# The standard deviation of a standard normal cut off at two (keras.initializers.VarianceScaling).
_STDDEV_CUT_AT_TWO = 0.87962566103423978


@dataclass(frozen=True, eq=False, repr=False)
class Initializer:
    """One way to fill a new weight: a callable ``initializer(shape, dtype)``.

    Attributes
    ----------
    class_name : str
        Keras' class name, such as ``"GlorotUniform"``.
    config : mapping
        Its arguments, as Keras' ``get_config`` gives them.
    draw : callable
        ``draw(shape, settings)``, the values in float64.
    settings : mapping
        What `draw` needs: the arguments, with the fixed ones of the named variants added.
    """

    class_name: str
    config: Mapping[str, Any]
    draw: Draw
    settings: Mapping[str, Any]

    def __call__(self, shape: WeightShape, dtype: DTypeLike = "float32") -> NDArray[Any]:
        """Return values of this shape and dtype. A seed that is an integer gives the same ones every time."""
        values = self.draw(tuple(shape), self.settings)
        # Values beyond the dtype's range become infinities, which a RuntimeWarning would say twice.
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(values, dtype=dtype).reshape(shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, as Keras' ``get_config`` does. A Generator given as seed reads None."""
        return {key: None if isinstance(value, np.random.Generator) else value for key, value in self.config.items()}

    def __repr__(self) -> str:
        return f"<{self.class_name} {self.get_config()}>"


def _seed(seed: Any, who: str) -> Seed:
    """Check a seed: an integer, None, a Generator, or the dict that Keras makes of its SeedGenerator."""
    if isinstance(seed, Mapping):
        seed = seed.get("config", {}).get("seed")
    if seed is None or isinstance(seed, np.random.Generator):
        return seed
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if number < 0 or isinstance(seed, bool):
        raise ArgumentError(f"{who}: seed is {seed!r}; accepted: an integer from 0 up, None, or a numpy Generator")
    return number


def _number(value: Any, name: str, who: str) -> float:
    if not is_real(value):
        raise ArgumentError(f"{who}: {name} is {value!r}; accepted: a real number")
    return float(value)


def _fans(shape: WeightShape, input_axes: Any = None, output_axes: Any = None) -> tuple[int, int]:
    """Return how many numbers go into and come out of one unit of a weight of this shape."""
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def _truncated(rng: np.random.Generator, shape: WeightShape) -> NDArray[np.float64]:
    """Draw a standard normal, again and again wherever it lies beyond two."""
    values = rng.standard_normal(shape)
    beyond = np.abs(values) > 2.0
    while beyond.any():
        values[beyond] = rng.standard_normal(np.count_nonzero(beyond))
        beyond = np.abs(values) > 2.0
    return np.asarray(values)


def _draw_filled(shape: WeightShape, settings: Mapping[str, Any]) -> NDArray[Any]:
    return np.full(shape, settings["value"], dtype=np.float64)


def _draw_identity(shape: WeightShape, settings: Mapping[str, Any]) -> NDArray[Any]:
    if len(shape) != 2:
        raise ShapeError(f"Identity: a weight of shape {shape} has {len(shape)} axes; accepted: 2")
    return np.asarray(settings["gain"] * np.eye(*shape))


def _draw_array(shape: WeightShape, settings: Mapping[str, Any]) -> NDArray[Any]:
    values: NDArray[Any] = settings["value"]
    if values.shape != shape:
        raise ShapeError(f"initializer: an array of shape {values.shape} was given for a weight of shape {shape}")
    return values


def _draw_normal(shape: WeightShape, settings: Mapping[str, Any]) -> NDArray[Any]:
    rng = np.random.default_rng(settings["seed"])
    return np.asarray(settings["mean"] + settings["stddev"] * rng.standard_normal(shape))


def _draw_truncated(shape: WeightShape, settings: Mapping[str, Any]) -> NDArray[Any]:
    rng = np.random.default_rng(settings["seed"])
    return np.asarray(settings["mean"] + settings["stddev"] * _truncated(rng, shape))


def _draw_uniform(shape: WeightShape, settings: Mapping[str, Any]) -> NDArray[Any]:
    return np.random.default_rng(settings["seed"]).uniform(settings["minval"], settings["maxval"], shape)


def _draw_scaled(shape: WeightShape, settings: Mapping[str, Any]) -> NDArray[Any]:
    fan_in, fan_out = _fans(shape, settings["input_axes"], settings["output_axes"])
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[settings["mode"]]
    variance = settings["scale"] / max(1.0, fan)
    rng = np.random.default_rng(settings["seed"])
    if settings["distribution"] == "uniform":
        limit = math.sqrt(3.0 * variance)
        return rng.uniform(-limit, limit, shape)
    if settings["distribution"] == "untruncated_normal":
        return math.sqrt(variance) * rng.standard_normal(shape)
    return math.sqrt(variance) / _STDDEV_CUT_AT_TWO * _truncated(rng, shape)


def _draw_orthogonal(shape: WeightShape, settings: Mapping[str, Any]) -> NDArray[Any]:
    if len(shape) < 2:
        raise ShapeError(f"Orthogonal: a weight of shape {shape} has {len(shape)} axes; accepted: at least 2")
    rows, columns = math.prod(shape[:-1]), shape[-1]
    rng = np.random.default_rng(settings["seed"])
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # makes the draw uniform over the orthogonal matrices
    return np.asarray(settings["gain"] * (q.T if rows < columns else q).reshape(shape))


def _plain(class_name: str, draw: Draw, **config: Any) -> Initializer:
    return Initializer(class_name, config, draw, config)


def zeros() -> Initializer:
    """Return the initializer that fills with 0; Keras' default for a bias."""
    return Initializer("Zeros", {}, _draw_filled, {"value": 0.0})


def ones() -> Initializer:
    """Return the initializer that fills with 1."""
    return Initializer("Ones", {}, _draw_filled, {"value": 1.0})


def constant(value: float = 0.0) -> Initializer:
    """Return the initializer that fills with ``value``.

    Examples
    --------
    >>> constant(0.5)((3,))
    array([0.5, 0.5, 0.5], dtype=float32)
    """
    return _plain("Constant", _draw_filled, value=_number(value, "value", "Constant"))


def identity(gain: float = 1.0) -> Initializer:
    """Return the initializer of ``gain`` times the identity matrix; weights of two axes only."""
    return _plain("Identity", _draw_identity, gain=_number(gain, "gain", "Identity"))


def random_normal(mean: float = 0.0, stddev: float = 0.05, seed: Seed = None) -> Initializer:
    """Return the initializer that draws from a normal distribution."""
    who = "RandomNormal"
    numbers = {"mean": _number(mean, "mean", who), "stddev": _number(stddev, "stddev", who)}
    return _plain(who, _draw_normal, seed=_seed(seed, who), **numbers)


def truncated_normal(mean: float = 0.0, stddev: float = 0.05, seed: Seed = None) -> Initializer:
    """Return the initializer that draws from a normal distribution, again where it lies beyond two deviations."""
    who = "TruncatedNormal"
    numbers = {"mean": _number(mean, "mean", who), "stddev": _number(stddev, "stddev", who)}
    return _plain(who, _draw_truncated, seed=_seed(seed, who), **numbers)


def random_uniform(minval: float = -0.05, maxval: float = 0.05, seed: Seed = None) -> Initializer:
    """Return the initializer that draws evenly from ``minval`` up to ``maxval``."""
    who = "RandomUniform"
    numbers = {"minval": _number(minval, "minval", who), "maxval": _number(maxval, "maxval", who)}
    if not 0 <= numbers["maxval"] - numbers["minval"] < math.inf:
        raise ArgumentError(f"{who}: from {minval} to {maxval} is no range; accepted: minval below maxval, both finite")
    return _plain(who, _draw_uniform, seed=_seed(seed, who), **numbers)


def variance_scaling(
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
    seed: Seed = None,
    input_axes: Any = None,
    output_axes: Any = None,
) -> Initializer:
    """Return the initializer whose variance is ``scale / n``, where n counts the inputs or outputs of a unit.

    Parameters
    ----------
    scale : float
        Positive.
    mode : {"fan_in", "fan_out", "fan_avg"}
        What n counts.
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}
        ``"normal"`` means ``"truncated_normal"``.
    seed : int, Generator or None
        An integer gives the same values at every call.
    input_axes, output_axes : list of int, optional
        The axes that count as input and output, where they are not the last two.
    """
    who = "VarianceScaling"
    if not _number(scale, "scale", who) > 0:
        raise ArgumentError(f"{who}: scale is {scale!r}; accepted: a positive number")
    modes, kinds = ("fan_in", "fan_out", "fan_avg"), ("truncated_normal", "untruncated_normal", "uniform")
    if mode not in modes:
        raise ArgumentError(f"{who}: mode is {mode!r}; accepted: {', '.join(modes)}")
    drawn = {"normal": "truncated_normal"}.get(str(distribution).lower(), str(distribution).lower())
    if drawn not in kinds:
        raise ArgumentError(f"{who}: distribution is {distribution!r}; accepted: {', '.join(kinds)}")
    axes = {"input_axes": input_axes, "output_axes": output_axes}
    return _plain(who, _draw_scaled, seed=_seed(seed, who), scale=scale, mode=mode, distribution=drawn, **axes)


def _variant(
    class_name: str, scale: float, mode: str, distribution: str, seed: Any, input_axes: Any, output_axes: Any
) -> Initializer:
    config = {"seed": _seed(seed, class_name), "input_axes": input_axes, "output_axes": output_axes}
    fixed = {"scale": scale, "mode": mode, "distribution": distribution}
    return Initializer(class_name, config, _draw_scaled, {**config, **fixed})


def glorot_uniform(seed: Seed = None, input_axes: Any = None, output_axes: Any = None) -> Initializer:
    """Return Glorot's uniform initializer, within +-sqrt(6 / (fan_in + fan_out)); Keras' default for a kernel.

    Examples
    --------
    >>> glorot_uniform(seed=1)((2, 3))
    array([[ 0.02589988,  0.9869165 , -0.77960724],
           [ 0.9829417 , -0.41225663, -0.16798334]], dtype=float32)
    """
    return _variant("GlorotUniform", 1.0, "fan_avg", "uniform", seed, input_axes, output_axes)


def glorot_normal(seed: Seed = None, input_axes: Any = None, output_axes: Any = None) -> Initializer:
    """Return Glorot's normal initializer, of variance 2 / (fan_in + fan_out), cut at two deviations."""
    return _variant("GlorotNormal", 1.0, "fan_avg", "truncated_normal", seed, input_axes, output_axes)


def he_uniform(seed: Seed = None, input_axes: Any = None, output_axes: Any = None) -> Initializer:
    """Return He's uniform initializer, within +-sqrt(6 / fan_in)."""
    return _variant("HeUniform", 2.0, "fan_in", "uniform", seed, input_axes, output_axes)


def he_normal(seed: Seed = None, input_axes: Any = None, output_axes: Any = None) -> Initializer:
    """Return He's normal initializer, of variance 2 / fan_in, cut at two deviations."""
    return _variant("HeNormal", 2.0, "fan_in", "truncated_normal", seed, input_axes, output_axes)


def lecun_uniform(seed: Seed = None, input_axes: Any = None, output_axes: Any = None) -> Initializer:
    """Return LeCun's uniform initializer, within +-sqrt(3 / fan_in)."""
    return _variant("LecunUniform", 1.0, "fan_in", "uniform", seed, input_axes, output_axes)


def lecun_normal(seed: Seed = None, input_axes: Any = None, output_axes: Any = None) -> Initializer:
    """Return LeCun's normal initializer, of variance 1 / fan_in, cut at two deviations."""
    return _variant("LecunNormal", 1.0, "fan_in", "truncated_normal", seed, input_axes, output_axes)


def orthogonal(gain: float = 1.0, seed: Seed = None) -> Initializer:
    """Return the initializer of ``gain`` times a random orthogonal matrix."""
    who = "Orthogonal"
    return _plain(who, _draw_orthogonal, seed=_seed(seed, who), gain=_number(gain, "gain", who))


def _from_array(value: Any) -> Initializer:
    values = np.array(value)
    if values.dtype.kind not in "fiub":
        raise DTypeError(f"initializer: an array of dtype {values.dtype} was given; accepted: real numbers")
    values.flags.writeable = False
    return Initializer("Array", {"value": values.tolist()}, _draw_array, {"value": values})


_FACTORIES: tuple[Callable[..., Initializer], ...] = (
    zeros, ones, constant, identity, random_normal, truncated_normal, random_uniform, variance_scaling,
    glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, orthogonal,
)  # fmt: skip
_CLASS_NAMES = {factory.__name__.title().replace("_", ""): factory for factory in _FACTORIES}
_BY_NAME: dict[str, Callable[..., Initializer]] = {
    **_CLASS_NAMES,
    **{to_snake_case(name): factory for name, factory in _CLASS_NAMES.items()},
    "IdentityInitializer": identity,
    "OrthogonalInitializer": orthogonal,
    "normal": random_normal,
    "one": ones,
    "uniform": random_uniform,
    "zero": zeros,
}  # names and aliases of keras.initializers


def get(identifier: Any) -> Callable[..., Any]:
    """Return an initializer from whatever Keras takes for one.

    Parameters
    ----------
    identifier : str, dict, array, callable
        A name (``"he_normal"``, ``"HeNormal"``), a config, the values themselves, or any callable
        ``f(shape, dtype=...)``.

    Raises
    ------
    ArgumentError
        If the name is not known, or the arguments do not fit.
    DTypeError
        If an array does not hold real numbers.

    Examples
    --------
    >>> get("he_normal")
    <HeNormal {'seed': None, 'input_axes': None, 'output_axes': None}>
    """
    if isinstance(identifier, str):
        if identifier not in _BY_NAME:
            raise ArgumentError(f"initializer {identifier!r} unknown{did_you_mean(identifier, _BY_NAME)}")
        return _BY_NAME[identifier]()
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    if isinstance(identifier, (np.ndarray, np.generic, list, tuple)):
        return _from_array(identifier)
    if inspect.isclass(identifier):
        identifier = identifier()
    if callable(identifier):
        made = identifier() if identifier in _FACTORIES else identifier
        return made  # type: ignore[no-any-return]
    raise ArgumentError(f"initializer {identifier!r} is not known; accepted: a name, a config, an array or a callable")


def deserialize(config: Mapping[str, Any]) -> Initializer:
    """Return the initializer that a config, of refnet or of Keras, describes.

    Raises
    ------
    ArgumentError
        If it is none, its name is not known, or its arguments do not fit.
    """
    given: Any = config
    name, arguments = (given.get("class_name"), given.get("config") or {}) if isinstance(given, Mapping) else (None, {})
    if not (isinstance(name, str) and isinstance(arguments, Mapping)) or (name == "Array" and "value" not in arguments):
        raise ArgumentError(f"initializer config {config!r} is not one; accepted: a dict as serialize returns it")
    if name == "Array":
        return _from_array(arguments["value"])
    if name not in _BY_NAME:
        raise ArgumentError(f"initializer {name!r} unknown{did_you_mean(name, _BY_NAME)}")
    factory = _BY_NAME[name]
    known = inspect.signature(factory).parameters
    unknown = [key for key in arguments if key not in known and key != "dtype"]  # Keras 2 wrote a dtype too
    if unknown:
        raise ArgumentError(
            f"initializer {name!r}: argument {unknown[0]!r} unknown; accepted: {', '.join(known) or 'none'}"
        )
    return factory(**{key: value for key, value in arguments.items() if key in known})


def serialize(initializer: Any) -> dict[str, Any]:
    """Return the config of an initializer, in Keras' form."""
    if isinstance(initializer, Initializer):
        module = "refnet.initializers" if initializer.class_name == "Array" else "keras.initializers"
        name, config = initializer.class_name, initializer.get_config()
        return {"module": module, "class_name": name, "config": config, "registered_name": None}
    if hasattr(initializer, "get_config"):  # one of Keras' own
        name, config = type(initializer).__name__, initializer.get_config()
        return {"module": "keras.initializers", "class_name": name, "config": config, "registered_name": None}
    name = getattr(initializer, "__name__", type(initializer).__name__)
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}


def __getattr__(name: str) -> Callable[..., Initializer]:
    """Give Keras' names of classes too: ``HeNormal(seed=1)`` is ``he_normal(seed=1)``."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    raise AttributeError(f"refnet.initializers has no {name!r}{did_you_mean(name, _BY_NAME)}")
