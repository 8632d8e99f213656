"""The two locks that a fork waits for: what they guard is then whole in the child too, and both are free there.

Who needs both takes `STATE` first, as a fork does; the other way round two threads could wait for each other for ever.
"""

from __future__ import annotations

import logging  # noqa: F401  # its lock must be taken after ours, as it then is: a compiler that holds ours may log
import os
import threading

__all__ = ["CODE", "STATE"]

#: Held while weights, layers and activations change (see `refnet.layers.locking`).
STATE = threading.RLock()

#: Held while compiled code is made or loaded, and while the engine is imported: a module that another thread has half
#: imported would never be complete in the child.
CODE = threading.RLock()


def _take() -> None:
    STATE.acquire()
    CODE.acquire()


def _give_back() -> None:
    CODE.release()
    STATE.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_take, after_in_parent=_give_back, after_in_child=_give_back)
