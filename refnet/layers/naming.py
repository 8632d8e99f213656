"""The names that layers get when none is given: dense, dense_1, ... as in Keras."""

from __future__ import annotations

import re
import threading
from collections import Counter

__all__ = ["auto_name", "clear_session", "to_snake_case"]

_counts: Counter[str] = Counter()
_lock = threading.Lock()


def to_snake_case(name: str) -> str:
    """Return a class name as Keras spells it in automatic names.

    Examples
    --------
    >>> [to_snake_case(name) for name in ["Dense", "InputLayer", "ReLU", "LeakyReLU", "ELU"]]
    ['dense', 'input_layer', 're_lu', 'leaky_re_lu', 'elu']
    """
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


def auto_name(class_name: str) -> str:
    """Return the next automatic name for a class: its snake case, then with _1, _2, ... behind it.

    Names that a user gives are not counted, as in Keras.
    """
    stem = to_snake_case(class_name)
    with _lock:
        count = _counts[stem]
        _counts[stem] += 1
    return f"{stem}_{count}" if count else stem


def clear_session() -> None:
    """Start the automatic names again from dense, sequential, and so on.

    Layers and models that exist keep the names they have.

    Examples
    --------
    >>> import refnet
    >>> refnet.clear_session()
    >>> [refnet.layers.Dense(1).name for _ in range(2)]
    ['dense', 'dense_1']
    >>> refnet.clear_session()
    >>> refnet.layers.Dense(1).name
    'dense'
    """
    with _lock:
        _counts.clear()
