"""The differences that Keras is known for: each with a detector, the place where it lives, and its source.

A difference is *granted* only where its detector finds its own signature: refnet must be within its bound of the
truth, and Keras off by no more than the difference can explain. Two kinds of detectors:

- ``room`` says how far, at an input z, Keras may be off by this cause alone. It is added to Keras' bound.
- ``shows`` recognizes results of another kind (NaN for a number, another formula's value) element by element.

Constants of the rooms are measured: ``python -m parity.measure_keras`` prints how much of each room is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refnet.activations.activation import Activation

__all__ = ["CATALOGUE", "KnownDifference", "Sight", "find", "rooms", "shown"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Sight:
    """What a detector sees: one activation's inputs and what Keras made of them.

    Attributes
    ----------
    activation : Activation
    z : ndarray
        The true inputs, rounded to the dtype of the model (so overflow shows as infinity).
    peer : ndarray
        What Keras gave.
    path : str
        How Keras was run: ``call``, ``predict`` (any graph) or ``xla``.
    """

    activation: Activation
    z: NDArray[Any]
    peer: NDArray[Any]
    path: str


@dataclass(frozen=True)
class KnownDifference:
    """One known difference.

    Attributes
    ----------
    name : str
        As reports show it.
    what : str
        One sentence: what Keras does, and what it costs.
    where : tuple of str
        The activations that it touches; empty for all.
    issue : str
        Where it is reported, or how it was measured.
    room : callable, optional
        ``room(activation, z, y, dtype)``: how far Keras may be off, 0 where the cause does not apply.
    shows : callable, optional
        ``shows(sight)``: where the signature is found.
    paths : tuple of str
        The ways of running Keras in which it occurs; empty for all.
    """

    name: str
    what: str
    where: tuple[str, ...]
    issue: str
    room: Callable[[Activation, Floats, Floats, np.dtype[Any]], Floats] | None = None
    shows: Callable[[Sight], Mask] | None = None
    paths: tuple[str, ...] = ()

    def touches(self, activation: Activation, path: str = "") -> bool:
        """Return whether this difference can occur in ``activation``, run that way (or any way)."""
        here = not self.where or activation.name in self.where
        return here and (not path or not self.paths or path in self.paths)


def rooms(activation: Activation, z: Floats, y: Floats, dtype: np.dtype[Any], path: str) -> Mapping[str, Floats]:
    """Return how far each known difference may take Keras' result at each input."""
    with np.errstate(all="ignore"):
        return {
            known.name: known.room(activation, z, y, dtype)
            for known in CATALOGUE
            if known.room is not None and known.touches(activation, path)
        }


def shown(sight: Sight) -> Mapping[str, Mask]:
    """Return where each known difference of another kind shows its signature."""
    with np.errstate(all="ignore"):
        return {
            known.name: known.shows(sight)
            for known in CATALOGUE
            if known.shows is not None and known.touches(sight.activation, sight.path)
        }


def find(name: str) -> KnownDifference:
    """Return the known difference called ``name``."""
    return next(known for known in CATALOGUE if known.name == name)


def _eps(dtype: np.dtype[Any]) -> float:
    return float(np.finfo(dtype).eps)


def _flush(activation: Activation, z: Floats, y: Floats, dtype: np.dtype[Any]) -> Floats:
    # The factor |z|: silu and mish multiply x by something that was flushed, and glu one half of the row by the other.
    size = 1.0 + (
        np.abs(z).max(axis=-1, keepdims=True, initial=0.0) if activation.kind in ("gated", "array") else np.abs(z)
    )
    size = np.ones(1) if activation.kind == "rowwise" else size
    tiny = float(np.finfo(dtype).tiny) * size
    return np.where(np.abs(y) <= 8 * tiny, 4 * tiny, 0.0)


def _exponential_less_one(activation: Activation, z: Floats, y: Floats, dtype: np.dtype[Any]) -> Floats:
    level = np.abs(activation.numpy(np.float64(-1e4)))  # where it levels off: alpha, or selu's 1.758
    return np.where((z > -1.5) & (z < 0), _eps(dtype) * float(level), 0.0)


def _gelu_tail(activation: Activation, z: Floats, y: Floats, dtype: np.dtype[Any]) -> Floats:
    return np.where(z < 0, np.where(z > -10, 4.0 * _eps(dtype) * np.abs(z), np.abs(y)), 0.0)  # far out it is 0


def _gelu_constants(activation: Activation, z: Floats, y: Floats, dtype: np.dtype[Any]) -> Floats:
    if dtype != np.float64:
        return np.zeros(1)
    if activation.parameters.get("approximate"):
        cubic = 0.044715 * np.abs(z) ** 3
        gate = 1 / (1 + np.exp(2 * np.sqrt(2 / np.pi) * (np.abs(z) + cubic)))
        off = abs(float(np.float32(0.044715)) / 0.044715 - 1)
        moved = np.abs(z) * gate * 2 * np.sqrt(2 / np.pi) * cubic * off
    else:
        off = abs(float(np.float32(np.sqrt(2.0))) / np.sqrt(2.0) - 1)
        moved = z * z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi) * off
    return np.where(np.isfinite(moved), 1.1 * moved, 0.0)


def _tanh_shrink(activation: Activation, z: Floats, y: Floats, dtype: np.dtype[Any]) -> Floats:
    return np.where(np.abs(z) < 3, 3.0 * _eps(dtype) * np.minimum(np.abs(z), 1.0), 0.0)


def _squareplus(activation: Activation, z: Floats, y: Floats, dtype: np.dtype[Any]) -> Floats:
    # Half the root, which is off by the halves of two roundings of its square, and by its own.
    return np.where(z < 0, 0.5 * _eps(dtype) * np.hypot(z, np.sqrt(np.abs(activation.parameters["b"]))), 0.0)


def _softplus_threshold(activation: Activation, z: Floats, y: Floats, dtype: np.dtype[Any]) -> Floats:
    below = -z if activation.name == "log_sigmoid" else z
    edge = np.log(_eps(dtype)) + 2.0  # Eigen's threshold: -13.94 in float32, -34.04 in float64
    dropped = 0.5 * np.exp(2.0 * below) * (np.abs(z) if activation.name == "mish" else 1.0)
    return np.where((below < edge + 0.01) & (below > edge - 20.0), 1.01 * dropped, 0.0)


def _fused_mish(activation: Activation, z: Floats, y: Floats, dtype: np.dtype[Any]) -> Floats:
    if dtype != np.float32:  # oneDNN has no product in float64
        return np.zeros(1)
    return np.where(z < 0, np.where(z > -20, _eps(dtype) * np.abs(z), np.abs(y)), 0.0)  # far out it is 0


def _slope_in_float32(activation: Activation, z: Floats, y: Floats, dtype: np.dtype[Any]) -> Floats:
    slope = activation.parameters.get("negative_slope", 0.0)
    if dtype != np.float64:
        return np.zeros(1)
    return np.where(z < 0, (np.abs(float(np.float32(slope)) - slope) * 1.01 + _eps(dtype) * slope) * np.abs(z), 0.0)


def _nan_at_infinity(sight: Sight) -> Mask:
    infinite = np.isinf(sight.z)
    if sight.activation.kind != "elementwise":
        infinite = infinite.any(axis=-1, keepdims=True)
        return np.asarray(np.broadcast_to(infinite, sight.peer.shape) & (np.isnan(sight.peer) | (sight.peer == 0)))
    return np.asarray(infinite & np.isnan(sight.peer))


def _nan_lost(sight: Sight) -> Mask:
    resting = sight.activation.parameters.get("default_value", 0.0)
    return np.asarray(np.isnan(sight.z) & (sight.peer == sight.peer.dtype.type(resting)))


def _nan_lost_in_row(sight: Sight) -> Mask:
    lost = np.isnan(sight.z).any(axis=-1, keepdims=True)
    return np.asarray(np.broadcast_to(lost, sight.peer.shape) & (sight.peer == 0))


def _square_overflows(sight: Sight) -> Mask:
    with np.errstate(over="ignore"):
        return np.asarray(np.isinf(np.square(sight.z)) & np.isinf(sight.peer))


def _double_overflows(sight: Sight) -> Mask:
    top = float(np.finfo(sight.z.dtype).max)
    return np.asarray((sight.z >= top / 2) & np.isinf(sight.peer))


def _sparsemax_of_keras(sight: Sight) -> Mask:
    """Recognize Keras' formula: it divides the sum of all partial sums of the support, not of the last one."""
    kind = sight.z.dtype.type
    descending = -np.sort(-sight.z, axis=-1)
    partial = np.cumsum(descending, axis=-1, dtype=sight.z.dtype)
    support = descending - (partial - kind(1)) / np.arange(1, sight.z.shape[-1] + 1, dtype=sight.z.dtype) > 0
    size = support.sum(axis=-1, keepdims=True)
    kept = np.where(support, partial, kind(0))
    # Numbers so large that taking 1 off changes nothing leave the support empty: then tau is -1 / 0.
    tau = (kept.sum(axis=-1, keepdims=True) - kind(1)) / size.astype(sight.z.dtype)
    expected = np.maximum(sight.z - tau, kind(0))
    room = _eps(sight.z.dtype) * (sight.z.shape[-1] + 8) * (np.abs(kept).sum(axis=-1, keepdims=True) + 1)
    near = (sight.peer == expected) | (np.abs(sight.peer - expected) <= room)
    return np.asarray(near & (size != 1))


CATALOGUE: tuple[KnownDifference, ...] = (
    KnownDifference(
        "subnormal flush",
        "TensorFlow's threads take numbers below the smallest normal one for zero.",
        (),
        "measured, TensorFlow 2.21; tsl ScopedFlushDenormal",
        room=_flush,
    ),
    KnownDifference(
        "exp(x) - 1",
        "TensorFlow computes exp(x) - 1 where expm1(x) is meant, so small negative x lose their digits.",
        ("elu", "selu"),
        "measured, TensorFlow 2.21: relative error 1 below |x| = 1e-8",
        room=_exponential_less_one,
    ),
    KnownDifference(
        "gelu tail",
        "1 + erf(x / sqrt(2)), or 1 + tanh, cancels for negative x; from about x = -6 nothing is left.",
        ("gelu",),
        "pytorch#187806 (the same formula)",
        room=_gelu_tail,
    ),
    KnownDifference(
        "gelu constants in float32",
        "TensorFlow casts a constant of gelu from float32, also for float64 inputs.",
        ("gelu",),
        "measured, TensorFlow 2.21: gelu(0.668) in float64 is 4e7 ulp off",
        room=_gelu_constants,
    ),
    KnownDifference(
        "x - tanh(x)",
        "The difference cancels for small x.",
        ("tanh_shrink",),
        "measured, Keras 3.15 on TensorFlow 2.21",
        room=_tanh_shrink,
    ),
    KnownDifference(
        "x + sqrt(x^2 + b)",
        "The sum cancels for negative x.",
        ("squareplus",),
        "measured, Keras 3.15 on TensorFlow 2.21: squareplus(-10000) is 0, and not 1e-4",
        room=_squareplus,
    ),
    KnownDifference(
        "softplus threshold",
        "Below -13.94 (float64: -34.04) softplus is taken for exp(x), which is 7 ulp off just there.",
        ("softplus", "log_sigmoid", "mish"),
        "measured, TensorFlow 2.21; Eigen's softplus functor",
        room=_softplus_threshold,
    ),
    KnownDifference(
        "fused mish",
        "Fused into a matrix product, mish is computed from (1 + exp(x))^2 - 1, which cancels for negative x.",
        ("mish",),
        "measured, TensorFlow 2.21 with oneDNN: 0 below x = -17",
        room=_fused_mish,
        paths=("predict",),
    ),
    KnownDifference(
        "slope in float32",
        "TensorFlow keeps the slope of leaky_relu as float32, also for float64 inputs.",
        ("leaky_relu", "relu"),
        "measured, TensorFlow 2.21: leaky_relu(-1.0) is -0.20000000298 in float64",
        room=_slope_in_float32,
    ),
    KnownDifference(
        "x^2 overflows",
        "squareplus squares x, which overflows from |x| = 1.8e19 (float64: 1.3e154).",
        ("squareplus",),
        "measured, Keras 3.15: squareplus(-1e20) is inf",
        shows=_square_overflows,
    ),
    KnownDifference(
        "fused gelu overflows",
        "Fused into a matrix product, gelu of more than half the largest number is infinite.",
        ("gelu",),
        "measured, TensorFlow 2.21 with oneDNN: gelu(2.9e38) is inf in predict",
        shows=_double_overflows,
        paths=("predict",),
    ),
    KnownDifference(
        "sparsemax",
        "Keras 3.15 takes the wrong threshold when two or more entries are in the support.",
        ("sparsemax",),
        "keras#23425",
        shows=_sparsemax_of_keras,
    ),
    KnownDifference(
        "NaN at infinity",
        "At an infinite input Keras gives NaN (inf times 0, or inf - inf) where the function has a limit.",
        (),
        "measured, Keras 3.15 on TensorFlow 2.21",
        shows=_nan_at_infinity,
    ),
    KnownDifference(
        "NaN lost",
        "A comparison with NaN is false, so NaN comes out as the resting value.",
        ("hard_shrink", "soft_shrink", "threshold"),
        "measured, TensorFlow 2.21",
        shows=_nan_lost,
    ),
    KnownDifference(
        "NaN lost in a row",
        "A NaN among the entries leaves the others 0, where all of them are unknown.",
        ("softmax", "log_softmax", "sparsemax"),
        "measured, TensorFlow 2.21: softmax([1, nan, 2]) is [0, nan, 0]",
        shows=_nan_lost_in_row,
    ),
    # The detectors of these two need the whole model, so they stand in parity.check: the output is what comes of a
    # batch rounded to float32, or of a relu that gives 0 for NaN.
    KnownDifference(
        "input in float32",
        "predict rounds the batch to keras.config.floatx(), float32 by default, also for a float64 model.",
        (),
        "measured, Keras 3.15: data adapters; model(x) does not",
    ),
    KnownDifference(
        "NaN lost in fused relu",
        "predict fuses the matrix product and relu, and the fused kernel turns NaN into 0.",
        ("relu", "relu6"),
        "measured, TensorFlow 2.21; tensorflow#40072",
    ),
)
