"""The one lock that every change of weights, and every snapshot of them, goes through.

A model's weights are many arrays in many layers. Swapping them, and gathering them for a Plan, happen under
this lock, so that a Plan holds the weights of before or of after a `set_weights`, never some of each.
It is held for moments only: building a Plan and running one happen outside it.
"""

from __future__ import annotations

import os
import threading

__all__ = ["state_lock"]

_lock = threading.RLock()


def state_lock() -> threading.RLock:
    """Return the lock; to be used as ``with state_lock(): ...``."""
    return _lock


# A fork waits until no other thread changes weights: those of the child are then whole too, and its lock is free.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
