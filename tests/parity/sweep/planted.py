"""Functions with known faults, and slow ones, for ``--runner tests.parity.sweep.planted:NAME``."""

from __future__ import annotations

import os
import signal
import time

import numpy as np

from refnet import activations

#: Where `off_by_one` is wrong, as float16 bit patterns: in [1, 2), just under 8, a subnormal, a negative number.
PLACES = (0x3C37, 0x47FF, 0x0123, 0xBC01)


def right(x):
    return np.maximum(x, x.dtype.type(0)) + x.dtype.type(0)  # + 0 makes -0.0 into 0.0


def off_by_one(x):
    """relu6, but one step too high at `PLACES` (float16)."""
    y = np.clip(right(x), x.dtype.type(0), x.dtype.type(6))
    return np.where(np.isin(x.view(np.uint16), np.uint16(PLACES)), np.nextafter(y, x.dtype.type(np.inf)), y)


def step_in_rows(x):
    """softmax, but two steps too high in entry 5 of the first of the rows of 17 that come together."""
    y = activations.softmax.numpy(x)
    if x.shape[1] == 17 and np.isfinite(x[0]).all() and y[0, 5] < 0.5:
        y[0, 5] = np.nextafter(np.nextafter(y[0, 5], x.dtype.type(np.inf)), x.dtype.type(np.inf))
    return y


def transposed(x):
    return x.T


def slow(x):
    """As `off_by_one`, with time to be killed in."""
    time.sleep(0.15)
    return off_by_one(x)


def stuck(x):
    """As `right` from 0 up, and never done with any other chunk."""
    if x[0] != 0:
        time.sleep(1000)
    return right(x)


def other_dtype(x):
    return x.astype(np.float64)


def other_shape(x):
    return x[:-1]


nothing_to_call = 3


def dies(x):
    os.kill(os.getpid(), signal.SIGKILL)


def crashes(x):
    """As a function in C that reads where nothing is."""
    os.kill(os.getpid(), signal.SIGSEGV)


def leaves(x):
    os._exit(3)
