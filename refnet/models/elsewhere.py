"""What Keras' models can do and refnet's cannot: where it is done instead."""

from __future__ import annotations

from refnet.errors import did_you_mean

__all__ = ["no_attribute"]

_TRAINING = ("compile", "evaluate", "fit", "test_on_batch", "train_on_batch")
_FILES = ("export", "load_weights", "save", "save_weights", "to_json")


def no_attribute(name: str, class_name: str, known: list[str]) -> str:
    """Return the sentence for an attribute that a model has not.

    Examples
    --------
    >>> no_attribute("fit", "Sequential", [])
    'Sequential has no fit, since refnet does not train; train in Keras, and take over the model with parity.from_keras'
    """
    if name in _TRAINING:
        return (
            f"{class_name} has no {name}, since refnet does not train;"
            " train in Keras, and take over the model with parity.from_keras"
        )
    if name in _FILES:
        return (
            f"{class_name} has no {name}, since refnet has no model files; Keras has, and parity.to_keras and"
            " parity.from_keras go there and back (refnet's models can be pickled, too)"
        )
    return f"{class_name!r} object has no attribute {name!r}{did_you_mean(name, known)}"
