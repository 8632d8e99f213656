"""What happens inside a model: every layer's input, pre-activation and output."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnet.errors import ArgumentError
from refnet.layers.inputs import as_real_array, check_shape
from refnet.layers.layer import Layer
from refnet.layers.operations import Matmul
from refnet.layers.running import Segment, make_plan

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

    from refnet.models.sequential import Sequential

__all__ = ["Step", "Trace", "trace"]

#: Numbers of a row that are printed at most; the rest is counted.
SHOWN = 8

# Characters that the first and the last column of a line take.
_FRAME = 32


def _fitting(rows: list[list[str]], width: int) -> int:
    """Return how many columns of these texts fit into a line of this width; at least one."""
    columns = max(len(row) for row in rows)
    used = _FRAME
    for column in range(columns):
        used += 3 + max(len(row[column]) for row in rows if column < len(row))
        if used > width:
            return max(1, column)
    return columns


@dataclass(frozen=True, eq=False)
class Step:
    """One layer of a trace.

    Attributes
    ----------
    name : str
        The layer's name; those of a model inside the model stand in front of it: ``"inner/dense"``.
    kind : str
        Its class.
    activation : str
        Its activation's name, empty where it has none.
    x : ndarray
        What the layer got, in its dtype.
    z : ndarray or None
        ``x @ kernel + bias``; None where the layer has no kernel.
    a : ndarray
        What the layer gave.
    """

    name: str
    kind: str
    activation: str
    x: NDArray[Any]
    z: NDArray[Any] | None
    a: NDArray[Any]

    @property
    def heading(self) -> str:
        """The layer's name, class, shapes and activation in one line."""
        text = f"{self.name} ({self.kind})  {self.x.shape} → {self.a.shape}"
        return f"{text}  {self.activation}" if self.activation else text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        yield Text(self.heading, style="bold")
        if len(self.a):
            yield self.table(width=options.max_width)

    def __str__(self) -> str:
        return _printed(self)

    def table(self, row: int = 0, width: int = 140) -> Table:
        """Return the numbers of one row as a rich table of at most this width: the first ones of each of x, z, a."""
        from rich.table import Table

        table = Table(show_header=True)
        table.add_column("unit", style="dim", no_wrap=True)
        lines = {"x": self.x, "z = x W + b": self.z, "a": self.a}
        present = {label: values[row].reshape(-1) for label, values in lines.items() if values is not None}
        cells = {label: [f"{value:.4g}" for value in values[:SHOWN].tolist()] for label, values in present.items()}
        count = _fitting(list(cells.values()), width)
        for unit in range(count):
            table.add_column(str(unit), justify="right", no_wrap=True)
        longer = any(len(values) > count for values in present.values())
        if longer:
            table.add_column("", style="dim", no_wrap=True)
        for label, texts in cells.items():
            rest = len(present[label]) - count
            padding = [""] * (count - len(texts))
            table.add_row(
                label, *texts[:count], *padding, *([f"... {rest} more" if rest > 0 else ""] if longer else [])
            )
        return table


@dataclass(frozen=True, eq=False)
class Trace:
    """A forward pass, layer by layer. Printing it shows the numbers of its first row.

    Attributes
    ----------
    model : str
        The model's name.
    x : ndarray
        The input as it was given.
    steps : tuple of Step
    """

    model: str
    x: NDArray[Any]
    steps: tuple[Step, ...]

    @property
    def output(self) -> NDArray[Any]:
        """What the last layer gave."""
        return self.steps[-1].a

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, layer: str | int) -> Step:
        """Return a step by its place or its layer's name."""
        if isinstance(layer, str):
            for step in self.steps:
                if step.name == layer:
                    return step
            names = ", ".join(repr(step.name) for step in self.steps)
            raise ArgumentError(f"trace of {self.model!r}: there is no layer {layer!r}; its layers are {names}")
        return self.steps[layer]

    def show(self, row: int = 0, console: Console | None = None) -> None:
        """Print the numbers of one row of the batch, layer by layer.

        Raises
        ------
        ArgumentError
            If there is no such row.
        """
        from rich.console import Console

        rows = len(self.x)
        if not -rows <= row < rows:
            raise ArgumentError(f"trace of {self.model!r}: there is no row {row}; the batch has {rows}")
        console = console or Console()
        console.print(f"[bold]{self.model}[/]: row {row % rows} of {rows}", highlight=False)
        for step in self.steps:
            console.print(step.heading, style="bold", highlight=False, markup=False)
            console.print(step.table(row, console.width), highlight=False)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        rows = len(self.x)
        yield f"{self.model}: {rows} row{'s' * (rows != 1)}" + ("; row 0:" if rows else "")
        for step in self.steps if len(self.x) else ():
            yield Text(step.heading, style="bold")
            yield step.table(width=options.max_width)

    def __str__(self) -> str:
        return _printed(self)


def _printed(shown: Any) -> str:
    """Return what the terminal would show, wide enough for eight numbers a line."""
    from rich.console import Console

    text = io.StringIO()
    console = Console(file=text, width=140, highlight=False, force_terminal=False, color_system=None)
    console.print(shown)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def trace(model: Sequential, x: ArrayLike, reading: str = "engine") -> Trace:
    """Run a model layer by layer and keep every number.

    Parameters
    ----------
    model : Sequential
        Built or not.
    x : array_like
        (rows, ..., in)
    reading : {"engine", "numpy"}
        Who computes: the engine, whose last output has the bits of ``model(x)``, or the formulas as NumPy reads
        them, in the plainest way.

    Returns
    -------
    Trace

    Raises
    ------
    ArgumentError, DTypeError, ShapeError, NotBuiltError
        If the reading is unknown, ``x`` cannot be used, or the model has no layers.

    Examples
    --------
    >>> import refnet
    >>> from refnet import layers
    >>> layer = layers.Dense(2, "relu", kernel_initializer="identity", name="one")
    >>> model = refnet.Sequential([refnet.Input((2,)), layer])
    >>> seen = refnet.trace(model, [[1.5, -2.0]])
    >>> seen["one"].z, seen["one"].a
    (array([[ 1.5, -2. ]], dtype=float32), array([[1.5, 0. ]], dtype=float32))
    """
    if reading not in ("engine", "numpy"):
        raise ArgumentError(f"trace: reading is {reading!r}; accepted: 'engine', 'numpy'")
    given_model: Any = model
    if not isinstance(given_model, Layer) or not hasattr(given_model, "layers"):
        found = getattr(model, "_who", f"an object of type {type(model).__name__}")
        raise ArgumentError(f"trace was given {found}; accepted: a Sequential of refnet")
    given = as_real_array(x, model._who)
    if not model.built:
        model._make_ready(given)
    check_shape(given.shape, model.input_shape, model._who)
    entry = model._in_dtype()
    current = given if entry is None else given.astype(entry)
    steps = []
    for name, layer in _named_leaves(model):
        step = _step(name, layer, current, reading)
        steps.append(step)
        current = step.a
    return Trace(model.name, given, tuple(steps))


def _named_leaves(model: Sequential, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _named_leaves(layer, f"{prefix}{layer.name}/")  # type: ignore[arg-type]
        else:
            yield f"{prefix}{layer.name}", layer


def _step(name: str, layer: Layer, x: NDArray[Any], reading: str) -> Step:
    with np.errstate(over="ignore"):
        x = x.astype(layer.dtype)  # also a copy, so that a trace keeps what was
    z = None
    operations = layer.operations()
    if operations and isinstance(operations[0], Matmul):
        product = operations[0]
        if reading == "engine":
            z = make_plan(Segment(operations[:1], x.shape[-1], layer.dtype), layer._who)(x)
        else:
            z = x @ product.weight if product.bias is None else x @ product.weight + product.bias
    a = layer(x) if reading == "engine" else layer.call(x)
    return Step(name, type(layer).__name__, layer.activation_text, x, z, a)
