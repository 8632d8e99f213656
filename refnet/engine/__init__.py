"""The fast path: a model's operations as a Plan of compiled steps. The only folder that imports numba and llvmlite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from refnet.activations import Activation

__all__ = ["warmup"]


def warmup() -> Iterator[str]:
    """Compile whatever is not in the cache yet, and yield the name of each function as it is ready.

    A first prediction compiles what it needs by itself; this does it ahead, for every activation and dtype.

    Examples
    --------
    >>> from refnet.engine import warmup
    >>> next(warmup())
    'door six_words'
    """
    from refnet import activations
    from refnet.engine.forward import DOORS, activation_kernel, column_kernel, columns_code, door_code, walk_code
    from refnet.engine.workers import HANDOVER, handover_code
    from refnet.layers.operations import affine
    from refnet.layers.prelu import prelu

    for name in DOORS:
        door_code(name)
        yield f"door {name}"
    for name in HANDOVER:
        handover_code(name)
        yield f"handover {name}"
    for dtype in ("float32", "float64", "half"):  # half: for float16 and bfloat16, which no model has
        if dtype != "half":
            walk_code(dtype)
            yield f"walk {dtype}"
            columns_code(dtype)
            yield f"columns {dtype}"
            for formula, parameters in ((prelu, 1), (affine, 2)):
                column_kernel(formula, parameters, dtype)
                yield f"{formula.__name__} {dtype}"
        for name in activations.names():
            for kernel, form in _forms(activations.get(name)):
                activation_kernel(form, dtype)
                yield f"{kernel} {dtype}"
                if form.kind == "elementwise" and dtype != "half":
                    activation_kernel(form, dtype, streaming=True)
                    yield f"{kernel} {dtype} of long arrays"


def _forms(block: Activation) -> Iterator[tuple[str, Activation]]:
    """Yield a name and a form for each kernel of a block: its defaults, any other parameters, each flag."""
    from refnet.engine.forward import has_kernel

    if not has_kernel(block):
        return
    if not block.required:
        yield block.name, block
    numbers = [key for key in block.parameters if key not in block.flags]
    if numbers:
        yield f"{block.name} of any parameters", block.with_parameters(**dict.fromkeys(numbers, 0.625))
    for flag in block.flags:
        yield f"{block.name} {flag}", block.with_parameters(**{flag: True})
