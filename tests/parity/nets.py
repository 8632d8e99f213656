"""Random networks for parity tests, as hypothesis strategies and as seeded builders."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import refnet
from refnet import activations, layers


def usable() -> list[str]:
    """Names of all activations that a Dense can have by name."""
    return [name for name in activations.names() if not activations.get(name).required]


def usable_inside() -> list[str]:
    """Names of those that keep the width: Keras cannot run a layer behind a Dense that halves its own (glu)."""
    return [name for name in usable() if activations.get(name).numpy(np.zeros((1, 2))).shape == (1, 2)]


@st.composite
def nets(draw: st.DrawFn) -> tuple[Any, int, int]:
    """Draw a model with seeded weights, a batch size and a seed; widths to 300, every activation, both dtypes."""
    depth = draw(st.integers(1, 5))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    width = st.one_of(st.integers(1, 16), st.integers(1, 300))
    sizes = [draw(width) for _ in range(depth + 1)]
    names = [draw(st.sampled_from(usable_inside())) for _ in range(depth - 1)] + [draw(st.sampled_from(usable()))]
    bias = [draw(st.booleans()) for _ in range(depth)]
    seed = draw(st.integers(0, 2**31))
    return build(sizes, names, dtype, seed, bias), draw(st.integers(0, 65)), seed


def build(sizes: list[int], names: list[str], dtype: str, seed: int, bias: list[bool] | None = None) -> Any:
    """Return a refnet model with weights of about unit gain; glu gets an even width."""
    rng = np.random.default_rng(seed)
    model = refnet.Sequential([refnet.Input((sizes[0],), dtype=dtype)], name="net")
    for i, (units, name) in enumerate(zip(sizes[1:], names, strict=True)):
        even = units + units % 2 if activations.get(name).kind == "gated" else units
        use_bias = bias[i] if bias else True
        model.add(layers.Dense(even, activation=name, use_bias=use_bias, dtype=dtype, name=f"dense_{i}"))
    model.set_weights([rng.standard_normal(w.shape) / np.sqrt(w.shape[0]) for w in model.get_weights()])
    return model
