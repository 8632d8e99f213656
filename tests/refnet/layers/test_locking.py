from __future__ import annotations

import os
import threading
import time

import pytest

from refnet.layers.locking import state_lock


def test_the_lock_may_be_taken_again_by_its_holder():
    with state_lock(), state_lock():
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_fork_waits_for_the_lock_and_the_child_has_it_free():
    held, changed = threading.Event(), threading.Event()

    def hold():
        with state_lock():
            held.set()
            time.sleep(0.3)
            changed.set()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    child = os.fork()
    if child == 0:
        os._exit(0 if changed.is_set() and state_lock().acquire(timeout=10) else 1)
    _, status = os.waitpid(child, 0)
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0
    assert state_lock().acquire(timeout=10)
    state_lock().release()
