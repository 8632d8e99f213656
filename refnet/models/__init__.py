"""Models: stacks of layers, their summary, their trace."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Give `Sequential` here too, where Keras has it; it loads when it is first used."""
    if name == "Sequential":
        from refnet.models.sequential import Sequential

        return Sequential
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
