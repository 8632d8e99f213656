"""What Keras' models can do and refnet's cannot: where it is done instead."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["Elsewhere", "point_elsewhere"]

_TRAINING = ("compile", "evaluate", "fit", "test_on_batch", "train_on_batch")
_FILES = ("export", "load_weights", "save", "save_weights", "to_json")


class Elsewhere:
    """An attribute that is not there, and says why. A ``__getattr__`` would slow down all others, and so every call."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason

    def __get__(self, model: Any, owner: type) -> NoReturn:
        """Raise AttributeError."""
        raise AttributeError(f"{owner.__name__} has no {self.name}, since {self.reason}", name=self.name, obj=model)


def point_elsewhere(model_class: type) -> None:
    """Have a class say, of what Keras' models can do besides, where it is done."""
    for name in _TRAINING:
        reason = "refnet does not train; train in Keras, and take over the model with parity.from_keras"
        setattr(model_class, name, Elsewhere(name, reason))
    for name in _FILES:
        reason = (
            "refnet has no model files; Keras has, and parity.to_keras and parity.from_keras go there and back"
            " (refnet's models can be pickled, too)"
        )
        setattr(model_class, name, Elsewhere(name, reason))
