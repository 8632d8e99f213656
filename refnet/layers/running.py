"""From operations to something that runs: the one place where layers meet the engine."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from refnet.forking import CODE
from refnet.layers.inputs import Shape, as_input, converted
from refnet.layers.operations import Activate, Call, Columnwise, Matmul, Operation

if TYPE_CHECKING:
    from refnet.engine.plan import Plan

__all__ = ["Mixed", "Ready", "Segment", "Simple", "make_ready"]

Run = Callable[[Any], NDArray[Any]]


class Segment(NamedTuple):
    """Operations of one dtype that follow each other; ``in_features`` is None where any last axis will do."""

    operations: tuple[Operation, ...]
    in_features: int | None
    dtype: str


@dataclass(frozen=True, eq=False)
class Ready:
    """A layer or a model that can run: what it runs, and the door that checks the input first.

    Attributes
    ----------
    plan : refnet.engine.plan.Plan, Mixed or Simple
        Takes a checked array.
    run : callable
        Takes whatever the user gave.
    """

    plan: Run
    run: Run


@dataclass(frozen=True, eq=False)
class Simple:
    """Operations without a matrix: each is applied to the whole array, whatever its shape."""

    operations: tuple[Operation, ...]
    dtype: DTypeLike

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the result for a checked array: a new one, in the dtype."""
        y = converted(x, self.dtype)
        for operation in self.operations:
            y = _apply(operation, y)
        # What comes back is the caller's own: never the input itself, nor a view of it.
        return y.copy() if np.may_share_memory(y, x) else y

    def __str__(self) -> str:
        return "\n".join(_text(operation) for operation in self.operations) or "identity"


@dataclass(frozen=True, eq=False)
class Mixed:
    """Plans of different dtypes, one after the other: what a model of mixed dtypes runs."""

    plans: tuple[Run, ...]

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the result for a checked array, in the dtype of the last plan."""
        for plan in self.plans:
            x = plan(x)
        return x

    def __str__(self) -> str:
        return "\n".join(str(plan) for plan in self.plans)


def _apply(operation: Operation, x: NDArray[Any]) -> NDArray[Any]:
    if isinstance(operation, Activate):
        return operation.activation(x)
    if isinstance(operation, Columnwise):
        return operation(x)
    if isinstance(operation, Call):
        return converted(operation.function(x), x.dtype)
    raise TypeError(f"a Simple cannot run {operation!r}")


def _text(operation: Operation) -> str:
    return repr(operation.activation) if isinstance(operation, Activate) else getattr(operation, "text", "matmul")


@functools.cache
def _engine() -> type[Plan]:
    """Load the engine, when something is first computed."""
    with CODE:
        from refnet.engine.plan import Plan

    return Plan


def make_plan(segment: Segment, who: str = "the layer", in_shape: Shape | None = None) -> Simple | Plan:
    """Return the engine's Plan for a segment; a Simple where there is no matrix to plan for.

    ``who`` and ``in_shape`` are for the check that the Plan makes of its input: see `refnet.engine.plan.Plan`.
    """
    if segment.in_features is None or not any(isinstance(step, Matmul) for step in segment.operations):
        return Simple(segment.operations, np.dtype(segment.dtype))
    return _engine()(segment.operations, segment.in_features, segment.dtype, who, in_shape)


def make_ready(segments: Sequence[Segment], accepted: Shape | None, who: str, in_dtype: str | None = None) -> Ready:
    """Return what runs ``segments`` one after the other, behind a check of the input.

    Parameters
    ----------
    segments : sequence of Segment
        At least one.
    accepted : tuple or None
        The input shape to check for, batch first. None where the last axis alone counts, and is checked by the
        Plan, or where any shape will do.
    who : str
        Whose input it is, for messages.
    in_dtype : str, optional
        What the input is converted to first; the dtype of the first segment by default.
    """
    plans = tuple(make_plan(segment, who, accepted if place == 0 else None) for place, segment in enumerate(segments))
    plan = plans[0] if len(plans) == 1 else Mixed(plans)
    simple = isinstance(plans[0], Simple)
    if not simple and in_dtype is None:  # a Plan checks for itself, in less time, and converts block by block
        return Ready(plan, plan if isinstance(plan, (Simple, Mixed)) else plan.door())
    dtype = np.dtype(in_dtype or segments[0].dtype)
    width = segments[0].in_features
    any_rank = accepted is None
    shape = accepted if accepted is not None or simple else (None, width)

    def run(x: ArrayLike) -> NDArray[Any]:
        return plan(as_input(x, shape, dtype, who, any_rank=any_rank))

    return Ready(plan, run)
