"""What a sweep of one function is, as plain data."""

from __future__ import annotations

import dataclasses
import functools

from refnet import activations
from refnet.activations import Activation
from refnet.activations.naming import title

__all__ = ["Task", "activation_of"]


@dataclasses.dataclass(frozen=True)
class Task:
    """What a sweep of one function is; two equal tasks give equal tallies.

    Attributes
    ----------
    activation : str
        Its name in the book.
    parameters : tuple of (str, float)
        All its parameters.
    dtype, runner : str
        The format, and who computes.
    step : int
        1 for every input, else the length of a stratum of which one input is taken.
    size : int
        Bit patterns to a chunk.
    seed : int
        Where in the strata the inputs lie.
    low, high : float
        The range of right results.
    places : tuple of int
        Bit patterns that a sampled sweep takes in any case.
    samples : int
        Entries of all rows as a power of two, where the activation works on rows: there are no strata then (step 0),
        and a chunk has ``size`` blocks of rows.
    """

    activation: str
    parameters: tuple[tuple[str, float], ...]
    dtype: str
    runner: str
    step: int
    size: int
    seed: int = 0
    low: float = float("-inf")
    high: float = float("inf")
    places: tuple[int, ...] = ()
    samples: int = 0

    @property
    def title(self) -> str:
        """The function as the user would write it."""
        return title(self.activation, dict(self.parameters))


def activation_of(task: Task) -> Activation:
    """Return the activation with the task's parameters."""
    return activation_with(task.activation, task.parameters)


@functools.cache
def activation_with(name: str, parameters: tuple[tuple[str, float], ...]) -> Activation:
    """Return an activation of the book with parameters; made once in a process."""
    return activations.REGISTRY[name].with_parameters(**dict(parameters))
