"""refnet and Keras held against each other: weights copied, outputs compared, differences explained.

Keras loads when a model of Keras is needed, not before.
"""

from __future__ import annotations

# Imported here and not when first used: `check` is a module too, and this is what makes the name mean the function.
from parity.bridge import copy_weights, from_keras, to_keras
from parity.check import check
from parity.report.records import Report

__all__ = ["Report", "check", "copy_weights", "from_keras", "to_keras"]
