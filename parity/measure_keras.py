"""Measure how wrong Keras' activations are, for ``keras_errors.json``.

``python -m parity.measure_keras`` prints the table; with ``--write`` it replaces the file. For each elementwise
activation of the book, dtype, and way of running it (called; fused into a Dense by predict; compiled by XLA) it takes
the largest error against the NumPy reading in float64, over some two million inputs: random bit patterns, normal and
uniform numbers, and a close look at -20 to 20. Where `parity.known` grants a known difference of more than an ulp,
only what this cannot explain would count, and the share of it that is used is printed.
"""

from __future__ import annotations

import argparse
import json
import platform
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from parity import known
from parity.keras_errors import FILE, key
from parity.report.environment import versions
from parity.runners import keras_activations
from parity.ulp import ulp
from refnet import activations
from refnet.activations import Activation
from refnet.files.whole import write

__all__ = ["blocks", "inputs", "main", "measure", "measure_all"]


def blocks() -> list[Activation]:
    """Return the elementwise activations that can be measured, gelu in both forms."""
    book = [activations.get(name) for name in activations.names()]
    plain = [block for block in book if block.kind == "elementwise" and not block.required]
    return plain + [b.with_parameters(approximate=True) for b in plain if "approximate" in b.parameters]


def inputs(dtype: np.dtype[Any], seed: int = 0, count: int = 1 << 19) -> NDArray[Any]:
    """Return the finite inputs of a measurement."""
    rng = np.random.default_rng(seed)
    width = dtype.itemsize * 8
    bits = rng.integers(0, 2**width, count, dtype=np.uint64).astype(f"uint{width}")
    parts = [
        bits.view(dtype),
        rng.standard_normal(count).astype(dtype) * 3,
        rng.uniform(-20, 20, count).astype(dtype),
        rng.uniform(-110 if width == 32 else -760, 110, count).astype(dtype),
        np.float64(10) ** rng.uniform(-12, 3, count // 2) * rng.choice([-1.0, 1.0], count // 2),
    ]
    x: NDArray[Any] = np.concatenate([part.astype(dtype) for part in parts])
    return np.asarray(x[np.isfinite(x)])


def measure(activation: Activation, dtype: np.dtype[Any], path: str, x: NDArray[Any]) -> tuple[float, float, float]:
    """Return ``(ulps, where, used)`` of one activation.

    ``ulps`` is the largest error that no known difference explains and ``where`` its input; ``used`` is the largest
    share of a known difference's room that is used, which should stay below 1.
    """
    y = keras_activations.PATHS[path](activation, x).astype(np.float64)
    with np.errstate(all="ignore"):
        z = x.astype(np.float64)
        truth = activation.numpy(z)
        granted = known.rooms(activation, z, truth, dtype, path)
        room = sum(granted.values(), np.zeros(z.shape))
        shows = np.zeros(z.shape, bool)
        sight = known.Sight(activation, x, y.astype(dtype), path)
        for mask in known.shown(sight).values():
            shows |= mask
        error = np.where((y == truth.astype(dtype)) | shows, 0.0, np.abs(y - truth))
        error = np.where(np.isfinite(error), error, np.inf)
        unit = ulp(truth, dtype)
        ulps = np.maximum(error - room, 0.0) / unit
        granted_much = room > unit
        plain = np.where(granted_much, 0.0, ulps)
        used = np.where(granted_much, np.maximum(error - (1.5 * plain.max() + 0.5) * unit, 0.0) / room, 0.0)
    at = int(plain.argmax())
    return float(plain[at]), float(x[at]), float(used.max(initial=0.0))


def measure_all() -> dict[str, Any]:
    """Measure everything, printing a line for each."""
    ulps: dict[str, dict[str, dict[str, float]]] = {}
    for path in ("call", "predict", "xla"):
        for name in ("float32", "float64"):
            dtype = np.dtype(name)
            x = inputs(dtype)
            row = ulps.setdefault(path, {}).setdefault(name, {})
            for block in blocks():
                worst, where, used = measure(block, dtype, path, x)
                row[key(block)] = float(np.ceil(worst * 100) / 100)
                _say(f"{path:8} {name} {key(block):20} {worst:10.2f} ulp at {where!r:25} room used {used:.2f}")
    return {"made_by": "python -m parity.measure_keras --write", "versions": _versions(), "ulps": ulps}


def _versions() -> dict[str, str]:
    found = versions()
    return {name: found[name] for name in ("keras", "tensorflow", "numpy") if name in found} | {
        "machine": platform.machine()
    }


def _say(line: str) -> None:
    Console(highlight=False, width=200).print(line, markup=False)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and with ``--write`` replace the table."""
    parser = argparse.ArgumentParser(prog="python -m parity.measure_keras", description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace keras_errors.json")
    options = parser.parse_args(arguments)
    found = measure_all()
    if options.write:
        write(FILE, json.dumps(found, indent=1, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
