"""A forward pass over many rows, batch after batch, with a progress bar where someone is waiting."""

from __future__ import annotations

import math
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from refnet.errors import ArgumentError
from refnet.layers.layer import Layer
from refnet.models.inputs import as_real_array, batch_rows, batches, check_shape, row_work

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["predict"]

#: Seconds of work before a bar appears; what ends sooner needs none.
PATIENCE = 1.0


def predict(model: Layer, x: ArrayLike, batch_size: int | None, verbose: str | int) -> NDArray[Any]:
    """Return ``model(x)``, computed batch by batch (see `refnet.models.sequential.Sequential.predict`).

    Only one batch at a time is converted to the model's dtype and layout, so that memory beyond the result stays
    small, and Ctrl-C is seen between two batches.
    """
    given: Any = verbose  # an array would compare to an array
    single = isinstance(given, (str, int, float, np.generic)) and not isinstance(given, bool)
    if not single or given not in ("auto", 0, 1, 2):
        raise ArgumentError(f"{model._who}: verbose is {verbose!r}; accepted: 'auto', 0, 1, 2")
    array = as_real_array(x, model._who)
    ready = model._ready or model._make_ready(array)
    check_shape(array.shape, model.input_shape, model._who)
    row = max(math.prod(array.shape[1:]), math.prod(size or 1 for size in model.output_shape[1:]))
    size = batch_rows(batch_size, row, row_work(model.weights, array.shape[1:]), model._who)
    rows = len(array)
    if rows <= size:
        return ready.run(array)
    with _Bar(rows, show=verbose != 0) as bar:
        y: NDArray[Any] | None = None
        for batch in batches(rows, size):
            part = ready.run(array[batch])
            if y is None:
                y = np.empty((rows, *part.shape[1:]), part.dtype)
            y[batch] = part
            bar.reach(batch.stop)
    assert y is not None
    return y


class _Bar:
    """A rich progress bar on stderr that appears only after `PATIENCE` seconds, and only on a terminal."""

    def __init__(self, rows: int, *, show: bool) -> None:
        self.rows, self.start = rows, time.monotonic()
        self.show = show and sys.stderr.isatty()
        self.progress: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def reach(self, row: int) -> None:
        """Say that all rows up to this one are done."""
        if not self.show:
            return
        if self.progress is None and row < self.rows and time.monotonic() - self.start > PATIENCE:
            self.progress = _progress()
            self.progress.add_task("predict", total=self.rows)
            self.progress.start()
        if self.progress is not None:
            self.progress.update(self.progress.task_ids[0], completed=row)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.progress is not None:
            self.progress.stop()


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
