"""`check`: one batch through refnet and Keras, every layer judged by itself and in the chain."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity import bounds, bridge, inputs, keras_errors, known, runners, steps, weights
from parity.bounds import Enclosure, Engine
from parity.compare import Judgement, compare, within
from parity.report import environment
from parity.report.records import Comparison, LayerResult, OutputResult, Report
from parity.runners import keras_layers, refnet as refnet_runner
from refnet.activations import Activation
from refnet.errors import ArgumentError, DTypeError, ShapeError
from refnet.layers.running import Segment, make_plan

__all__ = ["check", "keras_engine", "refnet_engine"]

#: refnet promises correctly rounded float32 activations, and 1 ulp in rows. In float64 all samples are within 1 ulp; 2
#: allow for what no sample has met.
_PROMISED = {"float32": 0.51, "float64": 2.0}
_PROMISED_ROWS = {"float32": 1.0, "float64": 2.0}

#: What a fused matrix product and relu turn NaN into 0 for.
_FUSED_LOSS = known.find("NaN lost in fused relu")

#: What predict does to the batch of a float64 model.
_NARROWED = known.find("input in float32")

#: What `tensorflow.name_scope` wants in a graph; Keras, called, takes any name.
_GRAPH_NAMES = "accepted: letters of ASCII, digits, . and -, and _ but not first"


@dataclass(frozen=True)
class _Pair:
    """One layer on both sides, and the steps that its bounds are derived for."""

    own: Any
    peer: Any
    chain: tuple[steps.Step, ...]

    @property
    def who(self) -> str:
        return f"{type(self.own).__name__} {self.own.name!r}"


def check(
    model: Any,
    x: Any = None,
    *,
    peer: Any = None,
    batch: int = 32,
    seed: int = 0,
    through: Sequence[str] = ("call", "predict"),
) -> Report:
    """Compare a model in refnet and in Keras, layer by layer.

    Parameters
    ----------
    model : refnet.Sequential or keras.Model
        The other side is made from it, with the same weights, unless `peer` gives it.
    x : array_like, path or str, optional
        A batch; or a ``.npy`` or ``.npz`` file; or ``"normal"`` (the default), ``"uniform"``, ``"special"`` or
        ``"nonfinite"`` for a seeded batch (`parity.inputs.make`). It is converted to the model's dtype once, for both.
    peer : keras.Model or refnet.Sequential, optional
        The other side as it is. Weights that differ are found as such.
    batch, seed : int
        Rows and seed of a seeded batch.
    through : sequence of str
        The ways of running Keras whose output is judged: names of `parity.runners.NAMES`.

    Returns
    -------
    Report
        Prints with rich; `to_json`, `to_html`, `exit_code`.

    Raises
    ------
    UnsupportedError, NotBuiltError
        If a layer has no counterpart, or the model has no weights yet.
    ShapeError, DTypeError, FileError, ArgumentError
        If the input does not fit, or an argument is not accepted.

    Notes
    -----
    Isolated, both sides get refnet's output of the layer before; cumulative, each side its own. The bounds are
    those of `parity.bounds`; the verdicts those of `parity.compare`.
    """
    chosen = [runners.get(name) for name in through]
    own, other = _both(model, peer)
    pairs = _pairs(own, other)
    dtype = np.dtype(pairs[0].own.dtype)
    x, text = _input(x, own, dtype, batch, seed)
    x, converted = _entered(x, bridge.input_dtype(other))
    with np.errstate(all="ignore"):
        layers, rows = _judge_layers(pairs, x)
        outputs = tuple(_judge_output(runner, own, other, pairs, x, layers, rows) for runner in chosen)
    return Report(
        model=str(own.name),
        dtype=dtype.name,
        input_text=text,
        input_shape=x.shape,
        layers=tuple(layers),
        outputs=outputs,
        notes=(*converted, *_notes(pairs, own, x)),
        nan_weights=sum(int(np.isnan(array).sum()) for pair in pairs for array in pair.own.get_weights()),
        unlike=tuple(str(pair.own.name) for pair in pairs if _unlike(pair)),
        environment=environment.describe(),
    )


def refnet_engine() -> Engine:
    """Return what refnet promises of its own results."""

    def ulps(activation: Activation, dtype: np.dtype[Any]) -> float:
        return (_PROMISED if activation.kind == "elementwise" else _PROMISED_ROWS)[dtype.name]

    return Engine(ulps)


def keras_engine(path: str) -> Engine:
    """Return what Keras' results may be off by, as measured on ``path`` (``call``, ``predict``, ``xla``)."""

    def ulps(activation: Activation, dtype: np.dtype[Any]) -> float:
        return keras_errors.budget(activation, dtype, path)

    return Engine(ulps, naive_rows=True, room=partial(known.rooms, path=path))


def _both(model: Any, peer: Any) -> tuple[Any, Any]:
    """Return the refnet model and the Keras model."""
    sides = [side for side in (model, peer) if side is not None]
    for side in sides:
        if not bridge.is_keras_model(side) and not bridge.is_refnet_model(side):
            found = type(side).__name__
            raise DTypeError(f"check was given an object of type {found}; accepted: a model of refnet or of Keras")
    in_keras = [side for side in sides if bridge.is_keras_model(side)]
    own = [side for side in sides if bridge.is_refnet_model(side)]
    if len(in_keras) > 1 or len(own) > 1:
        raise ArgumentError("check was given two models of one library; accepted: one of refnet and one of Keras")
    for side in sides:
        bridge.require_built(side)
    return (
        own[0] if own else bridge.from_keras(in_keras[0]),
        in_keras[0] if in_keras else bridge.to_keras(own[0]),
    )


def _pairs(own: Any, other: Any) -> list[_Pair]:
    ours, theirs = bridge.leaves(own), bridge.leaves(other)
    kinds = [[type(layer).__name__ for layer in side] for side in (ours, theirs)]
    if kinds[0] != kinds[1]:
        raise ArgumentError(
            f"the models differ in their layers: {', '.join(kinds[0])} against {', '.join(kinds[1])};"
            " accepted: the same"
        )
    shapes = [tuple(side.input_shape) for side in (own, other)]
    if len(shapes[0]) != len(shapes[1]) or any(
        a != b for a, b in zip(shapes[0][1:], shapes[1][1:], strict=True) if a is not None and b is not None
    ):
        raise ShapeError(
            f"the models differ in their input: shape {shapes[0]} in refnet and {shapes[1]} in Keras;"
            " accepted: the same shape"
        )
    return [_Pair(a, b, steps.steps(a)) for a, b in zip(ours, theirs, strict=True)]


def _input(x: Any, model: Any, dtype: np.dtype[Any], batch: int, seed: int) -> tuple[NDArray[Any], str]:
    who = f"model {model.name!r}"
    shape = tuple(model.input_shape)
    if x is None or (isinstance(x, str) and x in inputs.KINDS):
        kind, counts = x or "normal", (batch, seed)
        if not all(isinstance(count, (int, np.integer)) for count in counts):
            raise ArgumentError(f"batch {batch!r} and seed {seed!r} given; accepted: integers")
        if batch < 0:
            raise ArgumentError(f"batch {batch} is negative; accepted: 0 and up")
        sizes = (batch, *(1 if size is None else size for size in shape[1:]))
        made = inputs.make(kind, sizes, seed=seed, dtype=dtype)
        return made, f"{kind}, seed {seed}"
    if isinstance(x, (str, Path)):
        return inputs.fit(inputs.from_file(x), shape, dtype, f"{who}, file {Path(x).name!r}"), f"file {Path(x).name}"
    return inputs.fit(x, shape, dtype, who), "given"


def _entered(x: NDArray[Any], entry: str) -> tuple[NDArray[Any], list[str]]:
    """Return the batch as it comes through the Input of the Keras model, in its own dtype, and a note if that differs.

    The layers are called one by one, without the Input, and refnet's Input leaves floating numbers as they are.
    """
    if not entry or entry == "string":
        return x, []
    with np.errstate(all="ignore"):
        entered = x.astype(entry).astype(x.dtype)
    if entered.tobytes() == x.tobytes():
        return x, []
    return entered, [f"the input is converted to {entry} first, as the model's Input has it"]


@dataclass(frozen=True)
class _Sight:
    """An enclosure behind a layer, and its activation's true input, rounded."""

    after: Enclosure
    z: NDArray[Any]


def _enclose(pair: _Pair, before: Enclosure, own: Engine, peer: Engine) -> _Sight:
    before = bounds.converted(before, np.dtype(pair.own.dtype))
    head = steps.through(pair.chain[:-1], before, own, peer, pair.who)
    after = steps.through(pair.chain[-1:], head, own, peer, pair.who)
    return _Sight(after, head.value.astype(head.dtype))


def _activation_input(pair: _Pair, x: NDArray[Any], engine: Engine) -> NDArray[Any]:
    before = bounds.converted(bounds.exactly(x), np.dtype(pair.own.dtype))
    head = steps.through(pair.chain[:-1], before, refnet_engine(), engine, pair.who)
    return head.value.astype(head.dtype)


def _shown(pair: _Pair, sight: _Sight, y: NDArray[Any], path: str) -> Mapping[str, NDArray[np.bool_]]:
    activation = steps.activation_of(pair.chain)
    if activation is None:
        return {}
    chosen = replace(activation, parameters=activation.parameters_in(sight.after.dtype))
    return known.shown(known.Sight(chosen, sight.z, y, path))


def _judge_layers(pairs: list[_Pair], x: NDArray[Any]) -> tuple[list[LayerResult], NDArray[np.bool_]]:
    """Return a result for each layer, and the rows that a known difference has made incomparable by the last one."""
    own_engine, engine = refnet_engine(), keras_engine("call")
    results: list[LayerResult] = []
    own_x, peer_x, chain = x, x, bounds.exactly(x)
    spoiled = np.zeros(len(x), bool)
    names: tuple[str, ...] = ()
    for pair in pairs:
        own_y, peer_y = np.asarray(pair.own(own_x)), keras_layers.one(pair.peer, peer_x)
        sight = _enclose(pair, bounds.exactly(own_x), own_engine, engine)
        alone = keras_layers.one(pair.peer, own_x)
        if own_y.shape != alone.shape:
            raise ShapeError(
                f"{pair.who} gives shape {own_y.shape} in refnet and {alone.shape} in Keras; accepted: the same shape"
            )
        isolated = compare(own_y, alone, sight.after, shown=_shown(pair, sight, alone, "call")).comparison
        names = _more(names, isolated)
        sight = _enclose(pair, chain, own_engine, engine)
        # What Keras' activation was given is better known from Keras' own input than from the truth's.
        near = replace(sight, z=_activation_input(pair, peer_x, engine))
        judged = compare(
            own_y,
            peer_y,
            sight.after,
            shown=_shown(pair, near, peer_y, "call"),
            spoiled=spoiled,
            inherited=names,
        )
        spoiled, names = judged.spoiled, _more(names, judged.comparison)
        results.append(
            LayerResult(
                name=str(pair.own.name),
                kind=type(pair.own).__name__,
                activation=str(getattr(pair.own, "activation_text", "")),
                output_shape=own_y.shape,
                isolated=isolated,
                cumulative=judged.comparison,
                blame=_blame(pair, own_x) if isolated.verdict == "not explained" else "",
            )
        )
        own_x, peer_x, chain = own_y, peer_y, sight.after
    return results, spoiled


def _more(names: tuple[str, ...], comparison: Comparison) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*names, *(finding.name for finding in comparison.findings)]))


def _blame(pair: _Pair, x: NDArray[Any]) -> str:
    """Say which part of a failing layer fails: its weights, its product, or its activation."""
    if difference := _weights_differ(pair):
        return difference
    product = steps.product(pair.chain)
    if product and type(pair.own).__name__ == "Dense":
        x = x.astype(pair.own.dtype)
        ours = np.asarray(make_plan(Segment(product, x.shape[-1], pair.own.dtype), pair.who)(x))
        enclosure = steps.through(product, bounds.exactly(x), refnet_engine(), keras_engine("call"), pair.who)
        if compare(ours, keras_layers.product(pair.peer, x), enclosure).comparison.verdict == "not explained":
            return "the matrix product differs"
        return f"the activation differs: {_activations(pair)}"
    return f"its result differs: {_activations(pair)}" if getattr(pair.own, "activation_text", "") else ""


def _weights_differ(pair: _Pair) -> str:
    difference = weights.differ(pair.own, pair.peer)
    return f"weights differ, refnet against Keras: {difference}" if difference else ""


def _activations(pair: _Pair) -> str:
    different = bridge.activations_differ(pair.own, pair.peer)
    if different:
        return different
    theirs = getattr(pair.peer, "activation", None)
    name = getattr(theirs, "__name__", getattr(theirs, "name", type(pair.peer).__name__))
    return f"{pair.own.activation_text} in refnet, {name} in Keras"


def _unlike(pair: _Pair) -> list[str]:
    """Return in what a layer is not the same on both sides, whatever the results."""
    weights, activations = _weights_differ(pair), bridge.activations_differ(pair.own, pair.peer)
    return [*([weights] if weights else []), *([f"the activation differs: {activations}"] if activations else [])]


def _judge_output(
    runner: runners.Runner,
    own: Any,
    other: Any,
    pairs: list[_Pair],
    x: NDArray[Any],
    layers: list[LayerResult],
    spoiled: NDArray[np.bool_],
) -> OutputResult:
    refused = runner.refuses(x)
    if refused:
        return OutputResult(runner.name, runner.title, None, refused)
    try:
        y = runner.prepare(other if runner.takes == "keras" else own)(x)
    except ValueError as error:
        name = re.search(r"('.*') is not a valid (?:root )?scope name", str(error))
        if name is None:
            raise
        note = f"TensorFlow's graphs take no layer or model named {name[1]}; {_GRAPH_NAMES}"
        return OutputResult(runner.name, runner.title, None, note)
    ours = np.asarray(own(x))
    engine = keras_engine(runner.errors) if runner.takes == "keras" else refnet_engine()
    sight = _enclose_all(pairs, x, engine)
    shown = dict(_shown(pairs[-1], sight, y, runner.errors))
    if runner.errors != "call":
        shown |= _as_in_graphs(pairs, x, engine, y, sight.after)
    findings = [f for layer in layers for c in (layer.isolated, layer.cumulative) for f in c.findings]
    names = tuple(dict.fromkeys(finding.name for finding in findings))
    judged: Judgement = compare(ours, y, sight.after, shown=shown, spoiled=spoiled, inherited=names)
    return OutputResult(runner.name, runner.title, judged.comparison)


def _enclose_all(pairs: list[_Pair], x: NDArray[Any], engine: Engine, lossy: bool = False) -> _Sight:
    chain, sight = bounds.exactly(x), None
    for pair in pairs:
        sight = _enclose(pair, chain, refnet_engine(), engine)
        chain = _without_nan(pair, sight.after) if lossy else sight.after
    assert sight is not None
    return replace(sight, after=chain)


def _as_in_graphs(
    pairs: list[_Pair], x: NDArray[Any], engine: Engine, y: NDArray[Any], truth: Enclosure
) -> dict[str, NDArray[np.bool_]]:
    """Return where the output is what two habits of predict make of the batch: see the catalogue."""
    lossy = _enclose_all(pairs, x, engine, lossy=True).after
    shown = {_FUSED_LOSS.name: np.isnan(truth.value) & within(y, lossy.value, lossy.granted)}
    if x.dtype == np.float64:
        rounded = x.astype(np.float32).astype(x.dtype)
        narrowed = _enclose_all(pairs, rounded, engine, lossy=True).after
        # A row that overflows float32 becomes infinite there, and anything can follow.
        lost = (np.isinf(rounded) & np.isfinite(x)).any(axis=tuple(range(1, x.ndim)))
        lost = lost.reshape(-1, *(1,) * (y.ndim - 1)) & np.ones(y.shape, bool)
        shown[_NARROWED.name] = lost | within(y, narrowed.value, narrowed.granted)
    return shown


def _without_nan(pair: _Pair, enclosure: Enclosure) -> Enclosure:
    """Return the enclosure with 0 for NaN behind a Dense with relu, as TensorFlow's fused kernel gives it."""
    activation = steps.activation_of(pair.chain)
    if activation is None or not _FUSED_LOSS.touches(activation) or type(pair.own).__name__ != "Dense":
        return enclosure
    lost = np.isnan(enclosure.value)
    return replace(enclosure, value=np.where(lost, 0, enclosure.value))


def _notes(pairs: list[_Pair], own: Any, x: NDArray[Any]) -> list[str]:
    notes = []
    for pair in pairs:
        for name, array in zip(pair.own.weight_names, pair.own.get_weights(), strict=True):
            odd = int((~np.isfinite(array)).sum())
            if odd:
                kind = "NaN" if np.isnan(array).any() else "infinite"
                notes.append(f"{pair.who}: {name} holds {odd} {kind} value{'s' if odd > 1 else ''}")
        notes += [f"{pair.who}: {difference}" for difference in _unlike(pair)]
    odd = int((~np.isfinite(x)).sum())
    if odd:
        notes.append(f"the input holds {odd} value{'s' if odd > 1 else ''} that are NaN or infinite")
    last = refnet_runner.layer_by_layer(own, x)[-1]
    if last.tobytes() != np.asarray(own(x)).tobytes():
        notes.append("refnet gives other bits layer by layer than all at once")
    if bounds.wide(x.dtype) == np.longdouble and np.finfo(np.longdouble).eps == np.finfo(np.float64).eps:
        notes.append("long double is float64 on this machine, so the truth of a float64 model is no better than it")
    return notes
