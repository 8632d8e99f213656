"""How far a right answer may be from the truth: a bound for every element, derived and not guessed.

An `Enclosure` is the true value of every element, in wider arithmetic, and three distances from it: the furthest
that refnet may be by rounding, the furthest that the peer (Keras) may be by rounding, and the furthest that the
peer may be if its known differences (`parity.known`) are granted too. `through` carries an enclosure through one
operation of a layer.

For ``z = x @ W + b`` in precision u, whatever the order of the sum and with or without fused multiply-add,

    |z' - z| <= g(n + 1) (|x| |W| + |b|),    g(k) = k u / (1 - k u)

(Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 3.1 and 4.2), plus what the error of x
grows to, ``e |W|``. Through an activation an error grows by how much the function varies over [z - e, z + e], and
the engine adds its own error in ulps. The bounds themselves are computed in float64 and widened by a millionth,
which covers their own rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity import rows
from parity.ulp import ulp
from refnet.activations.activation import Activation
from refnet.errors import UnsupportedError
from refnet.layers.operations import Activate, Matmul, Operation

__all__ = ["Enclosure", "Engine", "converted", "exactly", "gamma", "through", "unit_roundoff", "wide"]

Floats = NDArray[np.float64]
Room = Callable[[Activation, Floats, Floats, np.dtype[Any]], Mapping[str, Floats]]

#: Covers the rounding of the bounds themselves: some thousand float64 operations at most in a row.
_SLACK = 1.0 + 1e-6

#: What the NumPy reading of a float64 activation may itself be off by, in ulps; it is the truth here.
_TRUTH_ULPS = 3.0


@dataclass(frozen=True)
class Engine:
    """Who computed: its largest error per activation in ulps, and the differences it is known for.

    Attributes
    ----------
    ulps : callable
        ``ulps(activation, dtype)``: its largest error on a given input, in ulps of the true value.
    naive_rows : bool
        Whether softmax and its kin are written in the plain way (each step rounded to the dtype). If not, `ulps`
        holds for them too.
    room : callable
        ``room(activation, z, y, dtype)``: a mapping from the name of a known difference to how far, in absolute
        terms, it may take the result at each input ``z`` whose true value is ``y``.
    """

    ulps: Callable[[Activation, np.dtype[Any]], float]
    naive_rows: bool = False
    room: Room = field(default=lambda activation, z, y, dtype: {})


@dataclass(frozen=True)
class Enclosure:
    """The truth, and how far each side may be from it.

    Attributes
    ----------
    value : ndarray
        The true values, float64 for float32 models and long double for float64 ones.
    own, peer : ndarray of float64
        How far refnet and the peer may be by rounding alone.
    granted : ndarray of float64
        How far the peer may be with its known differences.
    rooms : mapping of str to ndarray
        What each known difference of the last operation adds by itself.
    dtype : dtype
        What the engines compute in.
    """

    value: NDArray[Any]
    own: Floats
    peer: Floats
    granted: Floats
    dtype: np.dtype[Any]
    rooms: Mapping[str, Floats] = field(default_factory=dict)

    def moved(self, move: Callable[[NDArray[Any]], NDArray[Any]]) -> Enclosure:
        """Return the same elements in other places; what the last operation was known for stays behind."""
        own, peer, granted = move(self.own), move(self.peer), move(self.granted)
        return replace(self, value=move(self.value), own=own, peer=peer, granted=granted, rooms={})


def wide(dtype: Any) -> np.dtype[Any]:
    """Return the dtype in which the truth for ``dtype`` is computed.

    Products of float32 numbers are exact in float64. A float64 model needs more: long double, which has 11 bits
    more on x86 and none on some other machines, where the bounds count the truth's own rounding.
    """
    return np.dtype(np.float64) if np.dtype(dtype) == np.float32 else np.dtype(np.longdouble)


def unit_roundoff(dtype: Any) -> float:
    """Return u, half the distance from 1 to the next number.

    Examples
    --------
    >>> unit_roundoff("float32") == 2.0**-24
    True
    """
    return float(np.finfo(dtype).eps) / 2


def gamma(k: int, dtype: Any) -> float:
    """Return ``k u / (1 - k u)``, which bounds the relative error of k roundings in a row.

    Examples
    --------
    >>> gamma(1, "float32") == 2.0**-24 / (1 - 2.0**-24)
    True
    """
    u = unit_roundoff(dtype)
    return k * u / (1 - k * u) if k * u < 1 else np.inf


def exactly(x: NDArray[Any]) -> Enclosure:
    """Return the enclosure of an input that both sides see bit for bit."""
    zero = np.zeros(x.shape)
    return Enclosure(x.astype(wide(x.dtype)), zero, zero, zero, x.dtype)


def converted(enclosure: Enclosure, dtype: np.dtype[Any]) -> Enclosure:
    """Return the enclosure after both sides have rounded to another dtype, as between layers of two dtypes."""
    if dtype == enclosure.dtype:
        return enclosure
    value = enclosure.value.astype(wide(dtype))
    size = np.abs(value).astype(np.float64)
    narrower = np.finfo(dtype).eps > np.finfo(enclosure.dtype).eps

    def grown(error: Floats) -> Floats:
        rounding = unit_roundoff(dtype) * (size + error) + float(np.finfo(dtype).smallest_subnormal)
        return _finite_only(error + (rounding if narrower else 0.0), value)

    return replace(
        enclosure,
        value=value,
        own=grown(enclosure.own),
        peer=grown(enclosure.peer),
        granted=grown(enclosure.granted),
        dtype=dtype,
        rooms={},
    )


def through(operation: Operation, enclosure: Enclosure, own: Engine, peer: Engine) -> Enclosure:
    """Return the enclosure after one operation.

    Raises
    ------
    UnsupportedError
        If the operation is a Python function that is more than a change of shape.
    """
    with np.errstate(all="ignore"):
        if isinstance(operation, Matmul):
            return _through_matmul(operation, enclosure)
        if isinstance(operation, Activate):
            return _through_activation(operation.activation, enclosure, own, peer)
        return _through_call(operation, enclosure)


def _through_matmul(operation: Matmul, before: Enclosure) -> Enclosure:
    weight = operation.weight.astype(before.value.dtype)
    value = before.value @ weight
    bias = np.zeros(weight.shape[-1]) if operation.bias is None else operation.bias
    value = value + bias.astype(value.dtype)
    size = np.abs(operation.weight.astype(np.float64))
    offset = np.abs(bias.astype(np.float64))

    def grown(error: Floats, flush: bool) -> Floats:
        return _matmul_error(before, error, size, offset, value, flush)

    granted = grown(before.granted, True)
    peer = grown(before.peer, False)
    rooms = {"subnormal flush": grown(before.peer, True)}
    return replace(before, value=value, own=grown(before.own, False), peer=peer, granted=granted, rooms=rooms)


def _matmul_error(
    before: Enclosure, error: Floats, size: Floats, offset: Floats, value: NDArray[Any], flush: bool
) -> Floats:
    """Return the bound on ``|z' - z|``; infinite where a sum may overflow on its way."""
    info, n = np.finfo(before.dtype), size.shape[0]
    reach = np.abs(before.value).astype(np.float64) + error
    total = reach @ size + offset
    bound = error @ size + (gamma(n + 1, before.dtype) + gamma(n + 1, before.value.dtype)) * total
    bound = bound + n * float(info.smallest_subnormal)  # products that underflow gradually
    if flush:  # each result, and each subnormal factor, may be taken for zero
        tiny = float(info.tiny)
        bound = bound + tiny * (2 * n + 2 + size.sum(axis=0) + reach.sum(axis=-1, keepdims=True))
    bound = np.where(total * _SLACK >= float(info.max), np.inf, bound * _SLACK)
    return _finite_only(bound, value)


def _finite_only(bound: Floats, value: NDArray[Any]) -> Floats:
    """Return the bound, 0 where the truth is NaN or infinite: such results are compared by kind, not by distance."""
    bound = np.where(np.isnan(bound), np.inf, bound)
    return np.where(np.isfinite(value), bound, 0.0)


def _through_call(operation: Any, before: Enclosure) -> Enclosure:
    probe = np.arange(before.value.size).reshape(before.value.shape)
    moved = np.asarray(operation.function(probe))
    if not np.array_equal(np.sort(moved, axis=None), probe.ravel()):
        raise UnsupportedError(f"{operation.text}: a Python function has no derived bound; accepted: layers of refnet")
    return before.moved(lambda values: values.ravel()[moved.astype(np.int64)])


def _through_activation(activation: Activation, before: Enclosure, own: Engine, peer: Engine) -> Enclosure:
    dtype = before.dtype
    # The activation is evaluated in float64; what that drops of a long double counts as an error of its input.
    z = before.value.astype(np.float64)
    dropped = np.abs((before.value - z).astype(np.float64))
    dropped = np.where(np.isfinite(dropped), dropped, 0.0)
    chosen = replace(activation, parameters=activation.parameters_in(dtype))
    y = chosen.numpy(z)

    def grown(error: Floats, engine: Engine) -> Floats:
        return _activation_error(chosen, z, y, error + dropped, dtype, engine)

    by_rounding = grown(before.peer, peer)
    rooms = {name: _finite_only(room, y) for name, room in peer.room(chosen, z, y, dtype).items()}
    wider = _room_nearby(chosen, z, before.granted + dropped, dtype, peer)
    granted = grown(before.granted, peer) + wider
    value = y if activation.name != "linear" else before.value
    return replace(
        before,
        value=value.astype(before.value.dtype),
        own=grown(before.own, own),
        peer=by_rounding,
        granted=granted,
        rooms={name: by_rounding + room for name, room in rooms.items()},
    )


def _room_nearby(activation: Activation, z: Floats, error: Floats, dtype: np.dtype[Any], peer: Engine) -> Floats:
    """Return the sum of the peer's known differences anywhere in [z - error, z + error] (ends and middle)."""
    total = np.zeros(1)
    for at in (z - error, z, z + error):
        y = activation.numpy(at)
        rooms = [_finite_only(room, y) for room in peer.room(activation, at, y, dtype).values()]
        total = np.maximum(total, sum(rooms, np.zeros(1)))
    return total


def _activation_error(
    activation: Activation, z: Floats, y: Floats, error: Floats, dtype: np.dtype[Any], engine: Engine
) -> Floats:
    """Return the bound on an engine's result: what the input's error grows to, and its own error."""
    if activation.name == "linear":
        return error
    ulps = engine.ulps(activation, dtype)
    if activation.kind == "elementwise":
        spread, by_steps = _variation(activation, z, y, error), None
    else:
        rule = rows.RULES[activation.name]
        spread, by_steps = rule(z, y, error, unit_roundoff(dtype))
    if by_steps is not None and engine.naive_rows:
        underflow = float(np.finfo(dtype).smallest_subnormal)  # gradual, of exp and of the quotient
        computed = by_steps + 4 * underflow
    else:
        computed = ulps * _spacing(np.abs(y) + spread, dtype)
    if dtype == np.float64 and ulps > 0:
        computed = computed + _TRUTH_ULPS * _spacing(y, dtype)
    return _finite_only((spread + computed) * _SLACK, y)


def _spacing(y: Floats, dtype: np.dtype[Any]) -> Floats:
    return np.where(np.isfinite(y), ulp(np.where(np.isfinite(y), y, 1.0), dtype), np.inf)


def _variation(activation: Activation, z: Floats, y: Floats, error: Floats) -> Floats:
    """Return how far f(t) may be from f(z) for t in [z - error, z + error].

    The largest of: the differences at both ends (exact for monotonic functions, and right across a jump), and the
    steepest slope among middle and ends times the error, with the change of the slope over the interval added as
    second-order slack (a smooth function's slope inside cannot pass the ends by more, to third order).
    """
    low, high = z - error, z + error
    ends = [np.abs(activation.numpy(at) - y) for at in (low, high)]
    slopes = np.stack([activation.slope(at) for at in (low, z, high)])
    steepest = np.abs(slopes).max(axis=0) + (slopes.max(axis=0) - slopes.min(axis=0))
    by_slope = np.where(error > 0, steepest * error, 0.0)
    # Without an error there is no variation, also where the slope is infinite or not a number.
    return np.where(error > 0, np.maximum(np.maximum(*ends), by_slope), 0.0)
