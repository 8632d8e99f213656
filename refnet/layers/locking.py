"""The one lock that every change of weights, and every snapshot of them, goes through.

A model's weights are many arrays in many layers. Swapping them, and gathering them for a Plan, happen under
this lock, so that a Plan holds the weights of before or of after a `set_weights`, never some of each.
It is held for moments only: building a Plan and running one happen outside it.
"""

from __future__ import annotations

import threading

from refnet.forking import STATE

__all__ = ["state_lock"]


def state_lock() -> threading.RLock:
    """Return the lock; to be used as ``with state_lock(): ...``. A fork waits for it."""
    return STATE
