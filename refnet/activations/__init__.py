"""The book of activations: one block per activation, simplest first."""

from __future__ import annotations

# isort: off
from refnet.activations import rectifiers
from refnet.activations import sigmoids
from refnet.activations import exponentials
from refnet.activations import gaussians
from refnet.activations import rowwise

# isort: on
from refnet.activations.activation import REGISTRY, Activation, activation
from refnet.activations.naming import deserialize, get, names, serialize

#: The pages of the book in order; importing them fills the registry.
PAGES = (rectifiers, sigmoids, exponentials, gaussians, rowwise)

__all__ = ["PAGES", "REGISTRY", "Activation", "activation", "deserialize", "get", "names", "serialize"]

# Every activation of the book is an attribute too: activations.relu, activations.swish, ...
globals().update(REGISTRY)
