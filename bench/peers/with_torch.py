"""PyTorch: eager, and through torch.compile with the weights frozen into the compiled code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from bench.jobs import Activation, Forward, Job, LacksError, Ready, quickest

__all__ = ["build"]

#: PyTorch's own name where it is not Keras' with the underscores taken out.
OTHER_NAMES: dict[str, Callable[..., Any]] = {
    "exponential": torch.exp,
    "hard_silu": functional.hardswish,
    "leaky_relu": functional.leaky_relu,
    "linear": lambda x: x,
    "log_softmax": lambda x: torch.log_softmax(x, -1),
    "sigmoid": torch.sigmoid,
    "softmax": lambda x: torch.softmax(x, -1),
    "tanh": torch.tanh,
    "threshold": lambda x, threshold, default_value: functional.threshold(x, threshold, default_value),
}


def build(variant: str, job: Job, threads: int) -> Ready:
    """Return the job as PyTorch runs it, eager or compiled."""
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    return _activation(job) if isinstance(job, Activation) else _forward(variant, job)


class Network(nn.Module):
    """Linear layers and activations, written as PyTorch's tutorials write them."""

    def __init__(self, job: Forward) -> None:
        super().__init__()
        self.linears = nn.ModuleList(nn.Linear(*weight.shape) for weight, _, _ in job.layers)
        self.functions = [reading(name, {}) for _, _, name in job.layers]
        for linear, (weight, bias, _) in zip(self.linears, job.layers, strict=True):
            linear.weight.copy_(torch.from_numpy(weight.T.copy()))
            linear.bias.copy_(torch.from_numpy(bias.copy()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (rows, in) -> (rows, out)."""
        for linear, function in zip(self.linears, self.functions, strict=True):
            x = function(linear(x))
        return x


def _forward(variant: str, job: Forward) -> Ready:
    torch.set_grad_enabled(False)
    model: Any = Network(job).eval()
    x = torch.from_numpy(job.x)
    if variant == "compile":
        import torch._inductor.config as inductor

        inductor.freezing = True  # the weights are constants here, as in the other compiled peers
        torch._dynamo.reset()
        model = torch.compile(model, dynamic=False)
    return Ready(lambda: model(x), lambda y: y.numpy())


def _activation(job: Activation) -> Ready:
    function = reading(job.name, dict(job.parameters))
    x = torch.from_numpy(job.x)
    doors = [Ready(lambda: function(x), lambda y: y.numpy())]
    out = torch.empty_like(function(x))
    reuse = _into(job, x, out)
    if reuse is not None:
        doors.append(Ready(reuse, lambda y: y.numpy()))
    return quickest(*doors)


def reading(name: str, parameters: dict[str, float]) -> Callable[[Any], Any]:
    """Return PyTorch's function of that name with the book's parameters."""
    plain = name.replace("_", "")
    function = OTHER_NAMES.get(name) or getattr(functional, plain, None)
    if function is None:
        raise LacksError(f"PyTorch has no {name}")
    try:
        accepted = inspect.signature(function).parameters
    except ValueError:  # built in: it takes Keras' defaults where it takes anything
        return function
    given = {key: value for key, value in parameters.items() if key in accepted}
    return (lambda x: function(x, **given)) if given else function


def _into(job: Activation, x: torch.Tensor, out: torch.Tensor) -> Callable[[], torch.Tensor] | None:
    """Return the operator's form that writes into ``out``, if it has one that gives the same."""
    operator = getattr(torch.ops.aten, job.name, None) or getattr(torch.ops.aten, job.name.replace("_", ""), None)
    if job.name == "exponential":
        operator = torch.ops.aten.exp
    if operator is None or "out" not in operator.overloads():
        return None
    given = list(job.parameters.values())
    try:
        written = operator.out(x, *given, out=torch.empty_like(out))
        if not torch.equal(written, reading(job.name, dict(job.parameters))(x)):
            return None
    except (RuntimeError, TypeError):
        return None
    return lambda: operator.out(x, *given, out=out)
