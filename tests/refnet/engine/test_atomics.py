from __future__ import annotations

import threading

import numba
import numpy as np
import pytest

from refnet.engine.atomics import add, pause, read, swap, write

TURNS, THREADS = 50_000, 4


@numba.njit(nogil=True)
def add_often(words: int, turns: int) -> None:
    for _ in range(turns):
        add(words, 1, 1)


@numba.njit(nogil=True)
def swap_often(words: int, turns: int) -> None:
    for _ in range(turns):
        value = read(words, 1)
        while not swap(words, 1, value, value + 1):
            value = read(words, 1)


@numba.njit(nogil=True)
def guard_often(words: int, turns: int) -> None:
    """Add to an ordinary word while the word before it says that nobody else does."""
    for _ in range(turns):
        while not swap(words, 0, 0, 1):
            pause()
        add(words, 1, read(words, 2) + 1)
        write(words, 0, 0)


@numba.njit
def swap_once(words: int, expected: int, value: int) -> bool:
    return swap(words, 1, expected, value)


@pytest.mark.parametrize("function", [add_often, swap_often, guard_often])
def test_nothing_is_lost_among_threads(function):
    words = np.zeros(3, np.int64)
    function(words.ctypes.data, 0)  # compiled now
    threads = [threading.Thread(target=function, args=(words.ctypes.data, TURNS)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert words.tolist() == [0, TURNS * THREADS, 0]


def test_a_swap_needs_what_is_expected():
    words = np.array([1, 2, 3])

    assert not swap_once(words.ctypes.data, 1, 7)
    assert words.tolist() == [1, 2, 3]
    assert swap_once(words.ctypes.data, 2, 7)
    assert words.tolist() == [1, 7, 3]
