"""What is measured: the networks of the grid, as records.

Every benchmark, table, plot and pytest-benchmark suite is a loop over `CASES`. To add a case, add a
record and nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refnet.errors import ArgumentError, did_you_mean

__all__ = ["CASES", "Case", "Cell", "default_cells", "grid", "select"]

Weights = tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Case:
    """One network of dense layers and the batch sizes it is measured at.

    Attributes
    ----------
    name : str
        The short name that tables, files and the command line use.
    widths : tuple of int
        Sizes of the input and of each layer: ``(784, 512, 10)`` has two layers.
    activations : tuple of str
        Keras' name of each layer's activation.
    batches : tuple of int
        Batch sizes of the whole grid (`python -m bench forward`).
    default_batches : tuple of int
        Batch sizes of the everyday run (`python -m bench`); empty if the case is not in it.

    Examples
    --------
    >>> CASES["tutorial"].flops(3)
    1500
    >>> [weight.shape for weight, bias in CASES["tabular"].weights()]
    [(30, 64), (64, 32), (32, 1)]
    """

    name: str
    widths: tuple[int, ...]
    activations: tuple[str, ...]
    batches: tuple[int, ...]
    default_batches: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.activations) != len(self.widths) - 1:
            raise ArgumentError(
                f"case {self.name!r}: {len(self.widths) - 1} layers have {len(self.activations)} activations;"
                " accepted: one for each layer"
            )

    @property
    def layers(self) -> tuple[tuple[int, int, str], ...]:
        """``(inputs, units, activation)`` of each layer."""
        return tuple(zip(self.widths, self.widths[1:], self.activations, strict=False))

    @property
    def text(self) -> str:
        """Sizes and activations in one short line, runs of the same drawn together."""
        widths, activations = _runs(self.widths), _runs(self.activations)
        return f"{'-'.join(widths)} {'/'.join(activations)}"

    @property
    def parameters(self) -> int:
        """How many weights and biases there are."""
        return sum((inputs + 1) * units for inputs, units, _ in self.layers)

    def flops(self, batch: int) -> int:
        """Floating-point operations of the matrix products of ``batch`` rows: two for each weight.

        Biases and activations are not counted: a lower limit must stay below what any engine does.
        """
        return 2 * batch * sum(inputs * units for inputs, units, _ in self.layers)

    def moved_bytes(self, batch: int) -> int:
        """Bytes that any engine must move: the input and the weights read once, the output written once."""
        return FLOAT32_BYTES * (batch * (self.widths[0] + self.widths[-1]) + self.parameters)

    def weights(self, seed: int = 0) -> Weights:
        """Return ``(weight (in, out), bias (out,))`` of each layer in float32, the same for the same seed.

        Glorot-uniform weights keep the numbers of a deep network at the size of its input; the biases
        are small but not zero, so that a peer that forgets them is found.
        """
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), seed])
        return tuple(
            (
                (rng.uniform(-1, 1, (inputs, units)) * np.sqrt(6 / (inputs + units))).astype(np.float32),
                (rng.standard_normal(units) * 0.1).astype(np.float32),
            )
            for inputs, units, _ in self.layers
        )

    def inputs(self, batch: int, seed: int = 0) -> NDArray[np.float32]:
        """Return ``x (batch, in)``: standard normal float32, the same for the same seed."""
        rng = np.random.default_rng([zlib.crc32(self.name.encode()), seed, batch])
        return rng.standard_normal((batch, self.widths[0]), dtype=np.float32)


@dataclass(frozen=True)
class Cell:
    """A case at one batch size: one line of the grid."""

    case: Case = field(repr=False)
    batch: int

    @property
    def name(self) -> str:
        """``case:batch``, as the command line writes it."""
        return f"{self.case.name}:{self.batch}"

    def __repr__(self) -> str:
        return f"<cell {self.name}>"


def _runs(items: Iterable[object]) -> list[str]:
    """Return the items as text, four and more of the same in a row as ``item*count``.

    >>> _runs([128, 128, 128, 128, 10, 10])
    ['128*4', '10', '10']
    """
    runs: list[tuple[object, int]] = []
    for item in items:
        if runs and runs[-1][0] == item:
            runs[-1] = (item, runs[-1][1] + 1)
        else:
            runs.append((item, 1))
    return [text for item, count in runs for text in ([f"{item}*{count}"] if count > 3 else [str(item)] * count)]


CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case(
            "tutorial",
            (5, 10, 10, 10),
            ("relu", "relu", "softmax"),
            (1, 3, 32, 1024, 65536, 1 << 20),
            (1, 3, 1024, 65536),
        ),
        Case(
            "mnist",
            (784, 512, 512, 10),
            ("relu", "relu", "softmax"),
            (1, 8, 32, 256, 4096),
            (1, 32, 256, 4096),
        ),
        Case("wide", (1024,) * 4, ("gelu", "tanh", "sigmoid"), (1, 64, 1024), (1, 64, 1024)),
        Case("tabular", (30, 64, 32, 1), ("silu", "silu", "sigmoid"), (1, 1000, 100_000)),
        Case("deep", (128,) * 17, ("elu",) * 16, (1, 256, 8192)),
        Case("odd", (37, 101, 53, 7), ("tanh", "softplus", "softmax"), (1, 100, 10_000)),
    )
}


def grid() -> list[Cell]:
    """Return every cell of the whole grid."""
    return [Cell(case, batch) for case in CASES.values() for batch in case.batches]


def default_cells() -> list[Cell]:
    """Return the cells of the everyday run."""
    return [Cell(case, batch) for case in CASES.values() for batch in case.default_batches]


def select(words: Iterable[str], cells: Iterable[Cell]) -> Iterator[Cell]:
    """Yield the cells that the words name; a word is ``case`` or ``case:batch``.

    A batch size outside the grid is accepted: it is measured as well.

    Raises
    ------
    ArgumentError
        If a word names no case, or no positive batch size.
    """
    known = list(cells)
    for word in words:
        name, colon, batch = word.partition(":")
        if name not in CASES:
            raise ArgumentError(f"case {name!r} is unknown{did_you_mean(name, CASES)}; accepted: {', '.join(CASES)}")
        if not colon:
            yield from (cell for cell in known if cell.case.name == name)
        elif batch.isdecimal() and int(batch) > 0:
            yield Cell(CASES[name], int(batch))
        else:
            raise ArgumentError(f"case {word!r}: batch {batch!r} is not a positive whole number")
