from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from refnet import activations
from refnet.engine.forward import activation_kernel, kernel_door, parameter_values
from refnet.engine.table import work_size

EDGES = [0.0, -0.0, 1e-45, -1e-45, 1e-38, -1e-38, 1.0, -1.0, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan]
COMPILED = [name for name in activations.names() if activations.get(name).kind in ("elementwise", "rowwise")]


def filled(name: str) -> activations.Activation:
    """Return an activation with a value for every parameter that has no default."""
    activation = activations.get(name)
    return activation.with_parameters(**dict.fromkeys(activation.required, 0.5)) if activation.required else activation


def samples() -> np.ndarray:
    rng = np.random.default_rng(0)
    spread = 10.0 ** rng.uniform(-44, 38, 4000) * rng.choice([-1, 1], 4000)
    return np.concatenate([EDGES, rng.standard_normal(4000) * 4, spread]).astype(np.float32)


def same_bits(actual: np.ndarray, expected: np.ndarray) -> bool:
    nan = np.isnan(expected)
    return bool((np.isnan(actual) == nan).all() and actual[~nan].tobytes() == expected[~nan].tobytes())


def run(name: str, x: np.ndarray, columns: int | None = None) -> np.ndarray:
    activation = filled(name)
    y = np.empty_like(x)
    columns = columns or x.size
    work, parameters = np.empty(work_size(columns)), parameter_values(activation, x.dtype)
    kernel = kernel_door(activation_kernel(activation, x.dtype.name))
    kernel(x.ctypes.data, y.ctypes.data, x.size // columns, columns, parameters.ctypes.data, work.ctypes.data)
    return y


@pytest.mark.parametrize("name", COMPILED)
def test_float32_is_the_numpy_reading_bit_for_bit(name):
    x = samples()
    activation = filled(name)
    if activation.kind == "rowwise":
        x = x[np.isfinite(x)][:8000].reshape(-1, 10)
        actual, expected = run(name, x, 10), activation.numpy(x)
    else:
        actual, expected = run(name, x), activation.numpy(x)

    assert same_bits(actual, expected)


@pytest.mark.parametrize("name", COMPILED)
def test_length_does_not_matter(name):
    activation = filled(name)
    x = samples()[np.isfinite(samples())][: 40 * 37].astype(np.float32)
    if activation.kind == "rowwise":
        x = x.reshape(40, 37)
        whole = run(name, x, 37)
        parts = [run(name, x[i : i + 1].copy(), 37) for i in range(40)]
    else:
        whole = run(name, x)
        cuts = np.cumsum([0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33])
        parts = [run(name, x[a:b].copy()) for a, b in zip(cuts, [*cuts[1:], x.size], strict=True)]

    assert same_bits(np.concatenate([part.ravel() for part in parts]), whole.ravel())


@pytest.mark.parametrize("columns", [1, 2, 7, 8, 9, 100, 1023, 1024, 1025, 5000])
def test_softmax_rows_of_every_length(columns):
    x = np.random.default_rng(1).standard_normal((3, columns)).astype(np.float32) * 5
    assert same_bits(run("softmax", x, columns), activations.get("softmax").numpy(x))


def test_softmax_of_rows_with_infinities():
    x = np.array(
        [[1, np.inf, 2], [np.inf, np.inf, 2], [-np.inf] * 3, [1, -np.inf, 1], [np.nan, 1, 2], [1, 2, np.nan]],
        np.float32,
    )
    assert same_bits(run("softmax", x, 3), activations.get("softmax").numpy(x))
    assert same_bits(run("log_softmax", x, 3), activations.get("log_softmax").numpy(x))


def test_exceptions_hold_for_float32_and_the_default_parameters():
    leaky = activations.get("leaky_relu")
    block = dataclasses.replace(leaky, exceptions={-1.5: 7.0, -2.5: 8.0})
    x = np.array([-1.5, -2.0, -2.5, 3.0], np.float32)

    assert block(x).tolist() == [7.0, leaky(x)[1], 8.0, 3.0]
    assert block(x.astype(np.float64)).tolist() == leaky(x.astype(np.float64)).tolist()
    assert block(x, 0.5).tolist() == [-0.75, -1.0, -1.25, 3.0]


@pytest.mark.parametrize("name", ["elu", "gelu"])
def test_exceptions_hold_for_formulas_in_two_parts(name):
    block = dataclasses.replace(activations.get(name), exceptions={-0.5: 7.0, 0.5: 8.0, -3.0: 9.0})
    assert block(np.array([-0.5, 0.5, -3.0], np.float32)).tolist() == [7.0, 8.0, 9.0]
