"""What the tests of the book measure with: points to try, and errors against mpmath."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import mpmath
import numpy as np

from refnet import activations
from refnet.activations import REGISTRY, Activation

PRECISION = {np.float32: (24, -149, 128), np.float64: (53, -1074, 1024)}

# Parameters other than the defaults, so that each formula is also tried away from its simplest case.
OTHERS: dict[str, list[dict[str, Any]]] = {
    "relu": [{"negative_slope": 0.25, "max_value": 6.0, "threshold": 1.0}, {"negative_slope": 0.1}],
    "leaky_relu": [{"negative_slope": 0.3}, {"negative_slope": 0.0}, {"negative_slope": 0.5}],
    "elu": [{"alpha": 0.5}, {"alpha": 1.7}],
    "celu": [{"alpha": 0.5}, {"alpha": 3.0}, {"alpha": -2.0}],
    "squareplus": [{"b": 0.3}, {"b": 0.0}, {"b": 1e-4}, {"b": 1e9}],
    "soft_shrink": [{"threshold": 0.1}, {"threshold": -1.0}],
    "hard_shrink": [{"threshold": 0.1}],
    "gelu": [{"approximate": True}],
}
REQUIRED = {"threshold": [{"threshold": 1.0, "default_value": 0.5}, {"threshold": -1.0, "default_value": -0.0}]}


def elementwise() -> Iterator[Any]:
    """Yield every elementwise activation with its default parameters, and with others."""
    for name in activations.names():
        block = REGISTRY[name]
        if block.kind != "elementwise":
            continue
        given = REQUIRED[name] if block.required else [{}, *OTHERS.get(name, [])]
        for parameters in given:
            yield block.with_parameters(**parameters) if parameters else block


def label(activation: Any) -> str:
    if not isinstance(activation, Activation):
        return str(getattr(activation, "__name__", activation))
    changed = [f"{k}={v:g}" for k, v in activation.parameters.items() if v != activation.defaults[k]]
    return "-".join([activation.name, *changed])


def points(activation: Activation, dtype: Any, each: int = 60) -> np.ndarray:
    """Draw inputs from all magnitudes, the middle, the tails, next to kinks, zeros and overflow."""
    rng = np.random.default_rng(20240607)
    _, low, high = PRECISION[dtype]
    signs = rng.choice([-1.0, 1.0], each)
    with np.errstate(over="ignore", under="ignore"):
        drawn = [
            np.ldexp(1 + rng.random(each), rng.integers(low, high - 1, each)) * signs,
            np.ldexp(1 + rng.random(each), rng.integers(-30, 10, each)) * signs,
            np.ldexp(1.0, rng.integers(-30, 30, each)) * signs,
            rng.normal(size=each) * 3,
            rng.uniform(-110 if dtype is np.float32 else -760, 90, each),
            np.array([k + d * max(abs(k), 1.0) * np.finfo(dtype).eps for k in activation.kinks for d in range(-4, 5)]),
            np.array([math.ldexp(k, low) for k in (1, 3, 5, 1023, -1, -3, -7, -1025)]),
            np.array([np.finfo(dtype).max, np.finfo(dtype).tiny, 88.72284, -103.97, 709.78, -745.13]) * 1.0,
        ]
        x = np.concatenate(drawn).astype(dtype)
    return np.unique(x[np.isfinite(x) & (x != 0)])


def truth(activation: Activation, x: Any) -> Any:
    parameters = activation.parameters_in(x.dtype)
    value = activation.exact(mpmath, mpmath.mpf(float(x)), **parameters)
    return value if isinstance(value, mpmath.mpf) else mpmath.mpf(value)  # mpf(mpf) would round again


def rounded(t: Any, dtype: Any) -> float:
    """Round an mpmath number to the nearest number of ``dtype``, ties to even, zero with the sign of ``t``."""
    precision, low, high = PRECISION[dtype]
    if t == 0:
        return 0.0
    exponent = max(mpmath.frexp(t)[1] - precision, low)
    scaled = mpmath.ldexp(t if t > 0 else mpmath.fneg(t, exact=True), -exponent)  # exact, unlike abs
    whole = int(mpmath.floor(scaled))
    rest = mpmath.fsub(scaled, whole, exact=True) if whole else scaled
    whole += int(rest > 0.5 or (rest == 0.5 and whole % 2 == 1))
    if whole == 0:
        return math.copysign(0.0, mpmath.sign(t))
    value = mpmath.ldexp(whole, exponent)
    return math.copysign(math.inf if value >= mpmath.ldexp(1, high) else float(value), mpmath.sign(t))


def error_in_ulp(y: Any, t: Any, dtype: Any) -> float:
    """Return |y - t| in units of the last place of t (Goldberg); inf stands for 2^128 or 2^1024."""
    precision, low, high = PRECISION[dtype]
    if not math.isfinite(y) and y == rounded(t, dtype):
        return 0.0
    if not math.isfinite(y):
        y = math.copysign(1.0, y) * mpmath.ldexp(1, high) if not math.isnan(y) else mpmath.inf
    exponent = low if t == 0 else min(max(mpmath.frexp(t)[1] - precision, low), high - precision)
    return float(mpmath.ldexp(abs(mpmath.mpf(y) - t), -exponent))


def bits(x: Any) -> Any:
    """Return the bits, by which -0.0 and 0.0 differ; every NaN counts as one."""
    x = np.atleast_1d(np.asarray(x))
    as_integers = x.view(f"i{x.dtype.itemsize}").astype(object)
    return [None if np.isnan(value) else whole for value, whole in zip(x, as_integers, strict=True)]
