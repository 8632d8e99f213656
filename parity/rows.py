"""Bounds for the activations that work on whole rows: softmax and its kin.

Each rule takes ``(z, y, error, u)``: the true inputs and results, how far each input may be off, and the unit
roundoff; rows lie along the last axis. It returns ``(spread, steps)``: how far the result may be off because of the
inputs, and how far an engine that writes the textbook's steps in the given precision may be off by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["RULES"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rule = Callable[[Floats, Floats, Floats, float], tuple[Floats, Floats]]

#: Largest error of exp and log in the engines we know, in units of u (3 ulp: NumPy's budget, see its umath tests).
_LIBRARY = 6.0

#: What the spreads themselves lose where errors are as small as float64's own: a few roundings of the logarithms.
_ROUNDING = 4 * 2.0**-53


def _row_sum(values: Floats) -> Floats:
    return np.asarray(values.sum(axis=-1, keepdims=True))


def _highest(z: Floats) -> Floats:
    return np.asarray(z.max(axis=-1, keepdims=True)) if z.shape[-1] else z[..., :0]


def _any(error: Floats) -> Mask:
    """Return for each row whether any input is off at all."""
    return np.asarray(error.max(axis=-1, keepdims=True, initial=0.0) > 0)


def _log_sum(logs: Floats) -> Floats:
    """Return log(sum(exp(logs))) of each row; NaN where an infinity makes that senseless."""
    with np.errstate(invalid="ignore", divide="ignore"):
        top = _highest(logs)
        return np.asarray(top + np.log(_row_sum(np.exp(logs - top))))


def _depth(z: Floats) -> Floats:
    """Return how far each entry is below the highest one; 0 for infinite ones, whose results are exact or NaN."""
    with np.errstate(invalid="ignore"):
        depth = np.abs(z - _highest(z))
    return np.where(np.isfinite(depth), depth, 0.0)


def softmax(z: Floats, y: Floats, error: Floats, u: float) -> tuple[Floats, Floats]:
    """Return the bounds for exp(z - max) / sum(exp(z - max)).

    Moving every input by at most e_i changes result i by a factor of at most exp(e_i) / sum_j y_j exp(-e_j), exactly.
    By itself the textbook's way makes relative errors of u |z_i - max| (the difference is rounded before exp), of
    the library's exp, of the same in the sum, of n u for adding up, and of one division.
    """
    logs = z - _highest(z)  # as logarithms, so that an entry that underflows and may come back is not forgotten
    logs = logs - _log_sum(logs)
    highest = np.exp(np.minimum(logs + error - _log_sum(logs - error), 0.0))
    lowest = np.exp(np.minimum(logs - error - _log_sum(logs + error), 0.0))
    rounding = _ROUNDING * np.where(y > 0, y * (4.0 - logs), 0.0)
    spread = np.where(_any(error), np.maximum(highest - y, y - lowest) + rounding, 0.0)
    steps = y * _exponential_steps(z, y, u)
    return np.where(np.isnan(spread), 1.0, spread), steps


def _exponential_steps(z: Floats, y: Floats, u: float) -> Floats:
    depth = _depth(z)
    weighed = _row_sum(np.where(y > 0, y * depth, 0.0))
    return np.asarray(u * (depth + weighed + 2 * _LIBRARY + z.shape[-1] + 4))


def log_softmax(z: Floats, y: Floats, error: Floats, u: float) -> tuple[Floats, Floats]:
    """Return the bounds for z - max - log(sum(exp(z - max))).

    Moving every input by at most e_j moves the logarithm of the sum by at most log(sum_j p_j exp(e_j)), where p is
    the softmax (by Jensen's inequality the way down is no longer).
    """
    moved = _log_sum(y + error)
    spread = np.where(_any(error), error + np.maximum(moved, 0.0) + _ROUNDING * (4.0 + np.abs(y)), 0.0)
    spread = np.where(np.isnan(spread), np.inf, spread)
    depth = _depth(z)
    total = _exponential_steps(z, np.exp(y), u) - u * depth  # the relative error of the sum, absolute in its logarithm
    logarithm = np.abs(y + depth)
    steps = u * (depth + (_LIBRARY + 2) * logarithm + 2 * np.abs(y)) + total
    return spread, steps


def glu(z: Floats, y: Floats, error: Floats, u: float) -> tuple[Floats, Floats]:
    """Return the bounds for a sigmoid(b), where a and b are the halves of the row."""
    a = np.abs(z)[..., : z.shape[-1] // 2]
    a_error, b_error = np.split(error, 2, axis=-1)
    gate = np.where(np.isfinite(y) & (a > 0), np.abs(y) / np.where(a > 0, a, 1.0), 1.0)
    # The sigmoid's slope is at most its value and at most 1/4; over an error e its value grows by exp(e) at most.
    gate_error = np.minimum(gate * np.expm1(b_error), 0.25 * b_error)
    gate_error = np.where(b_error > 0, gate_error, 0.0)
    spread = a_error * (gate + gate_error) + a * gate_error
    return spread, np.abs(y) * u * (2 * _LIBRARY + 4)


def sparsemax(z: Floats, y: Floats, error: Floats, u: float) -> tuple[Floats, Floats]:
    """Return the bounds for the projection onto the simplex, max(z - tau, 0).

    tau is a mean over the support, so it moves by at most the largest error; its sums are rounded n times.
    """
    largest = error.max(axis=-1, keepdims=True, initial=0.0)
    spread = error + largest
    return spread, np.broadcast_to(u * (z.shape[-1] + 6) * (_row_sum(np.abs(z)) + 1.0), y.shape)


#: By the name of the activation; a test holds that every rowwise and array one of the book is here.
RULES: dict[str, Rule] = {rule.__name__: rule for rule in (softmax, log_softmax, glu, sparsemax)}
