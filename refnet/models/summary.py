"""The table of a model's layers: Keras 3's, with one column more."""

from __future__ import annotations

import itertools
import math
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from refnet.errors import ArgumentError
from refnet.layers.arguments import is_real
from refnet.layers.layer import Layer

if TYPE_CHECKING:
    from rich.table import Table

    from refnet.models.sequential import Sequential

__all__ = ["print_summary"]

# Where the columns end: Keras' (0.45, 0.80, 1.0) of keras.utils.summary_utils, squeezed by ours as Keras squeezes them
# for "Trainable", with "0 (unbuilt)" still fitting at 80 characters.
_POSITIONS = (0.36, 0.60, 0.79, 1.0)
_KERAS_LINE = 88
_ACTIVATION_SHARE = 0.2


def print_summary(
    model: Sequential,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Print a model's layers with their shapes, parameters and activations.

    Parameters
    ----------
    model : Sequential
        Built or not.
    line_length : int, optional
        Of the table; by default 108 (120 with ``show_trainable``), or what the terminal holds.
    positions : sequence of float, optional
        Where the columns end, as shares of the line. Three, as in Keras, leave the last fifth to the column
        "Activation"; four place that column too.
    print_fn : callable, optional
        Called once, with the whole text, instead of printing.
    expand_nested : bool
        Whether the layers of models inside are shown.
    show_trainable : bool
        Whether a column tells which layers a trainer may change.
    layer_range : pair of str, optional
        First and last layer to show: names, or regular expressions that names begin with.

    Raises
    ------
    ArgumentError
        If the line is too short for the columns, ``layer_range`` fits no layers, or an argument is of another kind.

    Notes
    -----
    Layout and arguments are those of ``keras.Model.summary`` 3.15.

    Examples
    --------
    >>> import refnet
    >>> from refnet import layers
    >>> model = refnet.Sequential([refnet.Input((5,)), layers.Dense(3, "relu", name="one")], name="small")
    >>> model.summary(line_length=70)
    Model: "small"
    ┏━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━━━━┓
    ┃ Layer (type)           ┃ Output Shape   ┃   Param # ┃ Activation   ┃
    ┡━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━━━━┩
    │ one (Dense)            │ (None, 3)      │        18 │ relu         │
    └────────────────────────┴────────────────┴───────────┴──────────────┘
     Total params: 18 (72.00 B)
     Trainable params: 18 (72.00 B)
     Non-trainable params: 0 (0.00 B)
    """
    from rich.console import Console
    from rich.markup import escape

    shown = _range(model, layer_range)
    table = _table(line_length, positions, show_trainable)
    for layer in shown:
        for row in _rows(layer, expand_nested, show_trainable):
            table.add_row(*row)
    plain: dict[str, Any] = {"force_terminal": False, "color_system": None} if print_fn else {}
    console = Console(highlight=False, **plain)
    console.width = max(console.width, table.width or 0)  # a longer line than the terminal's is the user's wish
    with console.capture() if print_fn else _Direct() as captured:
        console.print(f'[bold]Model: "{escape(model.name)}"[/]')
        console.print(table)
        for line in _totals(model):
            console.print(line)
    if print_fn:
        print_fn(captured.get())


class _Direct:
    """The absence of a capture."""

    def __enter__(self) -> Any:
        return None

    def __exit__(self, *exception: object) -> None:
        return None


def _table(line_length: int | None, positions: Sequence[float] | None, show_trainable: bool) -> Table:
    from rich.table import Column, Table

    if line_length is not None and not (is_real(line_length) and math.isfinite(line_length)):
        raise ArgumentError(f"summary: line_length is {line_length!r}; accepted: how many characters a line has")
    ends = _ends(positions)
    if len(ends) == 3:
        ends = [end * (1 - _ACTIVATION_SHARE) for end in ends] + [1.0]
    headers = ["Layer (type)", "Output Shape", "Param #", "Activation"]
    justify: list[Any] = ["left", "left", "right", "left"]
    longest = _KERAS_LINE + 20
    if show_trainable:
        ends = [end * 0.90 for end in ends] + [1.0]
        headers.append("Trainable")
        justify.append("center")
        longest += 12
    if len(ends) != len(headers):
        raise ArgumentError(f"summary: {len(_ends(positions))} positions given; accepted: 3, as in Keras, or 4")
    length = int(line_length or 0) or min(longest, shutil.get_terminal_size().columns - 4)
    edges = [0, *(int(end * length) for end in ends)]
    widths = [right - left for left, right in itertools.pairwise(edges)]
    if min(widths) < 4:
        raise ArgumentError(
            f"summary: a line of {length} characters is too short for columns {widths}; accepted: 4 for each"
        )
    columns = [
        Column(name, justify=side, width=width) for name, side, width in zip(headers, justify, widths, strict=True)
    ]
    return Table(*columns, width=length, show_lines=True)


def _ends(positions: Any) -> list[float]:
    """Return where the columns end, as shares of the line."""
    try:
        ends = list(_POSITIONS if positions is None else positions) or list(_POSITIONS)
    except TypeError:
        ends = []
    if not ends or not all(is_real(end) and 0 <= end <= 1 for end in ends):
        raise ArgumentError(
            f"summary: positions is {positions!r}; accepted: shares of the line, such as [0.5, 0.8, 1.0]"
        )
    return ends


def _rows(layer: Layer, expand_nested: bool, show_trainable: bool, level: int = 0) -> Iterator[list[str]]:
    from rich.markup import escape

    prefix = "   " * level + "└ " if level else ""
    name = f"{escape(prefix + layer.name)} ([color(33)]{escape(type(layer).__name__)}[/])"
    count = f"[color(34)]{layer.count_params():,}[/]" if layer.built else "[color(34)]0[/] (unbuilt)"
    row = [name, _shape(layer), count, escape(layer.activation_text) or "-"]
    if show_trainable:
        mark = "[bold][color(34)]Y[/][/]" if layer.trainable else "[bold][color(9)]N[/][/]"
        row.append(mark if layer.built and layer.weights else "[bold]-[/]")
    yield row
    if expand_nested:
        for inner in getattr(layer, "layers", ()):
            yield from _rows(inner, expand_nested, show_trainable, level + 1)


def _shape(layer: Layer) -> str:
    if layer._input_shape is None or not layer.built:
        return "?"
    sizes = [f"[color(45)]{size}[/]" if size is None else f"[color(34)]{size}[/]" for size in layer.output_shape]
    return f"({', '.join(sizes)})"


def _totals(model: Sequential) -> list[str]:
    trained: list[NDArray[Any]] = []
    still: list[NDArray[Any]] = []
    for layer in model._different_leaves():
        (trained if layer.trainable and model.trainable else still).extend(layer.weights)
    named = {"Total params": trained + still, "Trainable params": trained, "Non-trainable params": still}
    return [
        f"[bold] {name}: [/][color(34)]{sum(array.size for array in arrays):,}[/]"
        f" ({_memory(sum(array.nbytes for array in arrays))})"
        for name, arrays in named.items()
    ]


def _memory(size: float) -> str:
    """Return a number of bytes as Keras writes it: 268.00 B, 1.99 KB, ..."""
    units = ["B", "KB", "MB", "GB", "TB"]
    for unit in units:
        if size < 1024:
            return f"{size:.2f} {unit}"
        size /= 1024
    return f"{size:.2f} PB"


def _range(model: Sequential, layer_range: Sequence[str] | None) -> list[Layer]:
    """Return the layers between two names, both included, in whatever order the names are given."""
    layers = model.layers
    if layer_range is None:
        return layers
    pair = isinstance(layer_range, (list, tuple)) and len(layer_range) == 2
    if not pair or not all(isinstance(pattern, str) for pattern in layer_range):
        raise ArgumentError(
            f"summary: layer_range is {layer_range!r}; accepted: two names, of the first and the last layer"
        )
    try:
        found = [[i for i, layer in enumerate(layers) if re.match(pattern, layer.name)] for pattern in layer_range]
    except re.error as error:
        raise ArgumentError(
            f"summary: layer_range {tuple(layer_range)} has no regular expression ({error}); accepted: names, or such"
        ) from None
    if not found[0] or not found[1]:
        names = ", ".join(repr(layer.name) for layer in layers)
        raise ArgumentError(f"summary: layer_range {tuple(layer_range)} fits no layers; the layers are {names}")
    first, last = min(found[0]), max(found[1])
    if first > last:
        first, last = min(found[1]), max(found[0])
    return layers[first : last + 1]
