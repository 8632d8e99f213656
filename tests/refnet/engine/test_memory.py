"""A call allocates its output and, per thread, scratch memory that the tile bounds: nothing grows with the batch."""

from __future__ import annotations

import resource
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import refnet
from refnet import layers
from refnet.engine import threads, workers
from refnet.engine.blocks import BLOCK_BYTES
from tests.refnet.engine.apart import run_apart

#: For Python's own objects in a call: lists, frames, a batch's slices.
SMALL = 64 * 1024


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the number of threads, and let calls share on a busy machine too.

    Short ones that run alone there make scratch memory of their own, once, which may be in the call that is measured.
    """
    monkeypatch.setattr(threads, "_chosen", None)
    monkeypatch.setattr(workers, "_alone_until", 0)
    monkeypatch.setattr(workers, "LOST", float("inf"))


def model(width: int, dtype: str = "float32", inner: int = 4) -> Any:
    hidden = [layers.Dense(width, name, dtype=dtype) for name in ("relu", "softmax", "tanh")]
    return refnet.Sequential([refnet.Input((inner,), dtype=dtype), *hidden, layers.Dense(2, dtype=dtype)])


def peak_of(call: Any) -> int:
    """Return the most bytes that Python and NumPy had allocated at once during a call, beyond those before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_call_allocates_its_output_alone(dtype, n):
    net = model(100, dtype)
    x = np.random.default_rng(0).standard_normal((20_000, 4)).astype(dtype)
    refnet.set_num_threads(n)
    for _ in range(3):  # the threads' scratch memory is made by the first calls, and kept
        net(x)

    assert peak_of(lambda: net(x)) <= 20_000 * 2 * x.itemsize + SMALL


def strided(x: np.ndarray) -> np.ndarray:
    return np.repeat(x, 2, axis=0)[::2]


@pytest.mark.parametrize("shape", [(4,), (3, 4)])
@pytest.mark.parametrize("change", [np.float64, strided, np.asfortranarray])
def test_what_is_converted_does_not_grow_with_the_batch(change, shape):
    net = refnet.Sequential([refnet.Input(shape), layers.Dense(10, "relu"), layers.Dense(2, "softmax")])
    refnet.set_num_threads(2)
    beyond = []
    for rows in (200_000, 400_000):
        x = np.random.default_rng(0).standard_normal((rows, *shape)).astype(np.float32)
        given, expected = change(x), net(x)
        net(given)
        beyond.append(peak_of(lambda given=given: net(given)) - expected.nbytes)
        assert net(given).tobytes() == expected.tobytes()

    assert max(beyond) <= 2 * 2 * BLOCK_BYTES + SMALL  # for each thread this block and the one before
    assert abs(beyond[1] - beyond[0]) <= SMALL


def test_a_first_layer_of_another_dtype_converts_its_input_in_blocks():
    net = refnet.Sequential([refnet.Input((40,)), layers.Dense(2, dtype="float64"), layers.Dense(2)])
    x = np.ones((100_000, 40), np.float32)
    refnet.set_num_threads(1)
    net(x)

    assert peak_of(lambda: net(x)) <= 100_000 * 2 * (8 + 4) + 2 * 2 * BLOCK_BYTES + SMALL


@pytest.mark.parametrize("rows", [1, 1000, 100_000])
def test_scratch_memory_is_bounded_by_the_tile(rows):
    """A new model's first call makes scratch memory: a tile's rows of the widest layer, twice, however many rows."""
    net = model(300)
    net.build()
    x = np.ones((rows, 4), np.float32)
    _ = net.plan
    refnet.set_num_threads(1)

    assert peak_of(lambda: net(x)) <= rows * 2 * 4 + (1 << 20)


def test_predict_converts_one_batch_at_a_time():
    net = model(30)
    x = np.random.default_rng(0).standard_normal((400_000, 4))
    batch = 10_000 * (4 + 2 + 2) * 4  # its input, its output, and the output of the one before
    scratch = 1 << 20

    assert peak_of(lambda: net.predict(x, batch_size=10_000)) <= 400_000 * 2 * 4 + batch + scratch


def grown_by(width: int, rows: int) -> None:
    """Print by how many bytes the process grows in calls beyond their output, kernels and threads being ready."""
    refnet.set_num_threads(2)
    net = model(width, inner=1)
    net(np.ones((2000, 1), np.float32))
    x = np.ones((rows, 1), np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    y = net(x)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 - y.nbytes)


def test_the_process_grows_by_the_output_alone():
    """Intermediate results of all rows would be 3 times 400 MB."""
    assert int(run_apart(grown_by, 100, 1_000_000)) < 16 << 20


def with_little_memory(width: int, rows: int) -> None:
    net = model(width, inner=1)
    expected = net(np.ones((1, 1), np.float32)).tobytes()
    x = np.broadcast_to(np.ones(1, np.float32), (rows, 1))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (256 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print(all(row.tobytes() == expected for row in net.predict(x)[:: rows // 100]))


def test_more_rows_than_memory_for_intermediate_results():
    """Three hidden layers of 300,000 rows by 400 are 1.4 GB; the process may take 256 MiB."""
    assert run_apart(with_little_memory, 400, 300_000).strip() == "True"
