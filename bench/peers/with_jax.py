"""JAX: one jitted function of the weights and the input, both on the device already."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from bench.jobs import Activation, Forward, Job, LacksError, Ready

__all__ = ["build"]

#: JAX's own name where it differs from Keras'.
OTHER_NAMES: dict[str, Callable[[Any], Any]] = {
    "exponential": jnp.exp,
    "linear": lambda x: x,
    "softsign": jax.nn.soft_sign,
    "tanh": jnp.tanh,
}


def build(variant: str, job: Job, threads: int) -> Ready:
    """Return the job as JAX runs it; XLA's thread pool follows ``NPROC`` and the cores of the process."""
    if isinstance(job, Activation):
        activate, x = jax.jit(reading(job.name, dict(job.parameters))), jnp.asarray(job.x)
        return Ready(lambda: activate(x).block_until_ready())
    return _forward(job)


def _forward(job: Forward) -> Ready:
    functions = [reading(name, {}) for _, _, name in job.layers]
    weights = [(jnp.asarray(weight), jnp.asarray(bias)) for weight, bias, _ in job.layers]

    @jax.jit
    def forward(weights: Any, x: Any) -> Any:
        for (weight, bias), function in zip(weights, functions, strict=True):
            x = function(x @ weight + bias)
        return x

    x = jnp.asarray(job.x)
    return Ready(lambda: forward(weights, x).block_until_ready())


def reading(name: str, parameters: dict[str, float]) -> Callable[[Any], Any]:
    """Return JAX's function of that name with the book's parameters."""
    function = OTHER_NAMES.get(name) or getattr(jax.nn, name, None)
    if function is None:
        raise LacksError(f"JAX has no {name}")
    try:
        accepted = inspect.signature(function).parameters
    except ValueError:
        return function
    given: dict[str, Any] = {key: value for key, value in parameters.items() if key in accepted}
    if "approximate" in accepted:
        given.setdefault("approximate", False)  # jax.nn.gelu's default is the tanh form; Keras' is the exact one
    return lambda x: function(x, **given)
