"""The peers: one record each. A peer that is not installed is listed as such, and the run goes on.

A record names the function that builds a job in the peer's own process (`bench.worker`), so nothing of a peer
is imported here. Each peer gets its input in its own form (a tensor, a NumPy array), made before the clock
starts, and may leave its output in its own form; its call must be finished when it returns.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from refnet.errors import ArgumentError, did_you_mean

__all__ = ["ACTIVATIONS", "DEFAULT", "FORWARD", "PEERS", "Peer", "choose", "installed"]


@dataclass(frozen=True)
class Peer:
    """One way to compute a forward pass or an activation.

    Attributes
    ----------
    name : str
        What tables and the command line call it.
    entry : str
        ``module:function``; the function takes ``(variant, job, threads)`` and returns a `bench.jobs.Ready`.
    variant : str
        Which of the module's ways this is.
    needs : tuple of str
        Modules that must be importable.
    distributions : tuple of str
        Whose versions the record of a run names.
    keras : bool
        Whether it is a way through Keras: the goals are stated against the fastest of them.
    """

    name: str
    entry: str
    variant: str
    needs: tuple[str, ...]
    distributions: tuple[str, ...]
    keras: bool = False


def _keras(name: str, variant: str) -> Peer:
    return Peer(
        name, "bench.peers.with_keras:build", variant, ("keras", "tensorflow"), ("keras", "tensorflow"), keras=True
    )


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("refnet", "bench.peers.with_refnet:build", "call", ("numpy",), ("refnet", "numpy", "numba", "llvmlite")),
        _keras("keras call", "call"),
        _keras("keras predict", "predict"),
        _keras("keras predict_on_batch", "predict_on_batch"),
        _keras("tf.function", "function"),
        _keras("XLA", "xla"),
        Peer("NumPy", "bench.peers.with_numpy:build", "plain", ("numpy",), ("numpy",)),
        Peer("JAX", "bench.peers.with_jax:build", "jit", ("jax",), ("jax", "jaxlib")),
        Peer("torch", "bench.peers.with_torch:build", "eager", ("torch",), ("torch",)),
        Peer("torch.compile", "bench.peers.with_torch:build", "compile", ("torch",), ("torch",)),
        Peer(
            "ONNX Runtime",
            "bench.peers.with_onnx:onnxruntime",
            "iobinding",
            ("onnx", "onnxruntime"),
            ("onnx", "onnxruntime"),
        ),
        Peer("OpenVINO", "bench.peers.with_onnx:openvino", "latency", ("onnx", "openvino"), ("onnx", "openvino")),
    )
}

#: The everyday run: the ways through Keras, and plain NumPy.
DEFAULT = ("refnet", "keras call", "keras predict", "keras predict_on_batch", "tf.function", "XLA", "NumPy")
#: The whole grid. `predict` is left out: it is `predict_on_batch` and a progress bar's machinery.
FORWARD = tuple(name for name in PEERS if name != "keras predict")
#: Those that can run one activation over one array; through Keras, a call, a graph, and a compiled graph.
ACTIVATIONS = ("refnet", "NumPy", "keras call", "tf.function", "XLA", "torch", "JAX")

_FIND = (
    "import importlib.util, json, sys; "
    "print(json.dumps([importlib.util.find_spec(n) is not None for n in sys.argv[1:]]))"
)


@functools.cache
def _importable(python: str, modules: tuple[str, ...]) -> dict[str, bool]:
    """Ask an interpreter which modules it would find; nothing is imported."""
    try:
        done = subprocess.run([python, "-c", _FIND, *modules], capture_output=True, text=True, check=True)
        return dict(zip(modules, json.loads(done.stdout), strict=True))
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        raise ArgumentError(f"{python!r} is not a Python interpreter that runs; accepted: the path of one") from error


def installed(peer: Peer, other_python: str | None = None) -> str | None:
    """Return the interpreter that has what the peer needs, this one first, or None.

    Parameters
    ----------
    other_python : str, optional
        A second interpreter, for peers that do not share an environment with TensorFlow.

    Raises
    ------
    ArgumentError
        If `other_python` does not run.
    """
    pythons = [sys.executable, *([other_python] if other_python else [])]
    modules = tuple(sorted({name for known in PEERS.values() for name in known.needs} | set(peer.needs)))
    found = {python: _importable(python, modules) for python in pythons}
    return next((python for python in pythons if all(found[python][name] for name in peer.needs)), None)


def choose(names: Iterable[str] | None, default: Iterable[str]) -> list[Peer]:
    """Return the peers named, in the order of `PEERS`, refnet always among them; all of ``default`` if none is.

    Raises
    ------
    ArgumentError
        If a name is unknown.
    """
    wanted = {"refnet", *(default if names is None else names)}
    lower = {name.lower(): name for name in PEERS}
    for name in wanted:
        if name.lower() not in lower:
            raise ArgumentError(f"peer {name!r} is unknown{did_you_mean(name, lower)}; accepted: {', '.join(PEERS)}")
    chosen = {lower[name.lower()] for name in wanted}
    return [peer for name, peer in PEERS.items() if name in chosen]
