"""A fast, correctly rounded NumPy reference for Keras dense networks.

The public names load when they are first used, so that ``import refnet`` costs next to nothing.

Examples
--------
>>> import refnet
>>> from refnet import layers
>>> refnet.clear_session()
>>> model = refnet.Sequential([refnet.Input((5,)), layers.Dense(10, "relu"), layers.Dense(3, "softmax")])
>>> model
<Sequential name=sequential, built=True>
>>> model([[1, 2, 3, 4, 5]]).shape
(1, 3)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from refnet import activations, errors, layers
    from refnet.engine.threads import get_num_threads, set_num_threads
    from refnet.layers import initializers
    from refnet.layers.input import Input
    from refnet.layers.naming import clear_session
    from refnet.models.sequential import Sequential
    from refnet.models.trace import trace

__version__ = "0.1.0"

__all__ = [
    "Input",
    "Sequential",
    "__version__",
    "activations",
    "clear_session",
    "errors",
    "get_num_threads",
    "initializers",
    "layers",
    "set_num_threads",
    "trace",
]

# Where each public name lives; None marks a module of its own.
_HOMES: dict[str, str | None] = {
    "Input": "refnet.layers.input",
    "Sequential": "refnet.models.sequential",
    "activations": None,
    "clear_session": "refnet.layers.naming",
    "errors": None,
    "get_num_threads": "refnet.engine.threads",
    "initializers": "refnet.layers",
    "layers": None,
    "set_num_threads": "refnet.engine.threads",
    "trace": "refnet.models.trace",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'refnet' has no attribute {name!r}")
    home = _HOMES[name]
    value = importlib.import_module(f"refnet.{name}") if home is None else getattr(importlib.import_module(home), name)
    globals()[name] = value  # the next access finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
