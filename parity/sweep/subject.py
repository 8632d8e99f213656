"""What can be swept: functions of a number (`parity.sweep.elementwise`) and of a row (`parity.sweep.rowwise`).

The rest of the sweep, from the command line to the pool and the report, asks an activation's subject and does not look
at its kind.
"""

from __future__ import annotations

from typing import Any, Protocol

from parity.runners.activations import ActivationRunner
from parity.sweep import elementwise, rowwise
from parity.sweep.tally import Finding, Tally
from parity.sweep.task import Task
from refnet import activations
from refnet.activations import Activation

__all__ = ["Subject", "of"]


class Subject(Protocol):
    """What a sweep needs to know of a kind of activations; a module is one."""

    def task(
        self,
        activation: Activation,
        dtype: str,
        runner: str,
        exhaustive: bool,
        seed: int,
        samples: int,
        size: int | None,
    ) -> Task:
        """Return the task, as `parity.sweep.run.task_for` says it."""

    @property
    def EXHAUSTIBLE(self) -> bool:  # noqa: N802  (a constant of the modules)
        """Whether a format has an end of inputs."""

    def require(self, activation: Activation, dtype: str, exhaustive: bool) -> None:
        """Raise an ArgumentError if an activation cannot be swept, or not exhaustively."""

    def chunks(self, task: Task) -> list[tuple[int, int]]:
        """Return the chunks of a task."""

    def judged(self, task: Task, runner: ActivationRunner, start: int, stop: int) -> tuple[Tally, float, float]:
        """Return the tally of a chunk, and the seconds that the runner and the judge took."""

    def place(self, task: Task, bits: int) -> tuple[str, str]:
        """Return what a finding's input is called on a terminal, and its bits, if it has some."""

    def worst(self, task: Task, finding: Finding) -> dict[str, Any]:
        """Return what a file of results says of a finding besides its bits."""

    def sample(self, task: Task) -> dict[str, Any]:
        """Return what makes the inputs again, in a file of results."""

    def promise(self, dtype: str) -> float | None:
        """Return how many ulp a result may be off by; None if it must be correctly rounded."""


def of(name: str) -> Subject:
    """Return what an activation of that name is to a sweep.

    Examples
    --------
    >>> of("tanh").promise("float32"), of("softmax").promise("float32")
    (None, 1.0)
    """
    return elementwise if activations.REGISTRY[name].kind == "elementwise" else rowwise
