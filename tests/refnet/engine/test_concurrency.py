"""Models in many threads, after a fork, in pools of processes, copied, and stopped by Ctrl-C: always the same bits."""

from __future__ import annotations

import concurrent.futures
import contextlib
import copy
import itertools
import multiprocessing
import os
import pickle
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import refnet
from refnet import activations, layers
from tests.refnet.engine.apart import command, environment, in_child, run_apart, with_cores

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")

#: How long the threads run: CI has seconds, a thorough run a minute (REFNET_TEST_SECONDS=60).
SECONDS = float(os.environ.get("REFNET_TEST_SECONDS", "3"))


def models() -> list[Any]:
    """Return models of mixed widths, depths, activations and dtypes, with seeded weights."""
    names = itertools.cycle(name for name in activations.names() if not activations.get(name).required)
    made = []
    for case, sizes in enumerate([(5, 10, 10, 10), (64, 128, 128, 10), (784, 256, 10), (1, 300, 1), (30, 64, 32, 2)]):
        for dtype in ("float32", "float64"):
            model = refnet.Sequential([refnet.Input((sizes[0],), dtype=dtype)], name=f"net_{case}_{dtype}")
            for units in sizes[1:]:
                name = next(names)
                width = 2 * units if activations.get(name).kind == "gated" else units
                model.add(layers.Dense(width, name, dtype=dtype, use_bias=case % 2 == 0))
            rng = np.random.default_rng(case)
            model.set_weights([rng.standard_normal(w.shape) / np.sqrt(w.shape[0]) for w in model.get_weights()])
            made.append(model)
    return made


def inputs(model: Any, rows: int) -> np.ndarray:
    return np.random.default_rng(rows).standard_normal((rows, model.input_shape[-1])).astype(model.dtype)


def jobs() -> list[tuple[Any, np.ndarray, bytes]]:
    """Return models with inputs, small ones and such as are shared by threads, and the bits that one thread gives."""
    with_cores(8)
    refnet.set_num_threads(1)
    made = [(model, inputs(model, rows)) for model in models() for rows in (1, 9, 3000)]
    return [(model, x, model(x).tobytes()) for model, x in made]


def many_threads(seconds: float) -> None:
    work, end = jobs(), time.monotonic() + seconds
    wrong: list[str] = []
    turns = itertools.count()
    start = threading.Barrier(8)

    def run(seed: int) -> None:
        rng = np.random.default_rng(seed)
        start.wait()
        while time.monotonic() < end and not wrong:
            model, x, expected = work[rng.integers(len(work))]
            refnet.set_num_threads(int(rng.integers(1, 9)))
            other = copy.deepcopy(model) if rng.random() < 0.05 else model
            y = other(x) if rng.random() < 0.5 else other.predict(x, batch_size=int(rng.integers(1, 5000)))
            if y.tobytes() != expected:
                wrong.append(model.name)
            next(turns)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(next(turns), wrong)
    assert not wrong


def test_eight_threads_with_mixed_models():
    turns, wrong = run_apart(many_threads, SECONDS, timeout=SECONDS + 100).split()

    assert int(turns) > 8
    assert wrong == "[]"


def forks_while_threads_run() -> None:
    work = jobs()
    refnet.set_num_threads(3)
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            for model, x, _ in work:
                model(x)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    codes = [in_child(lambda: all(model(x).tobytes() == bits for model, x, bits in work)) for _ in range(12)]
    stop.set()
    for thread in threads:
        thread.join()
    print(codes)


def test_after_forks_while_other_threads_run():
    assert run_apart(forks_while_threads_run).strip() == str([0] * 12)


def fork_while_a_thread_compiles() -> None:
    from refnet.engine.objects import native

    compiling = threading.Event()

    def recipe() -> Any:
        from numba import types

        compiling.set()
        time.sleep(1)  # the fork comes now
        return (lambda x: None), types.void(types.int64)

    model = refnet.Sequential([refnet.Input((5,)), layers.Dense(4, "relu")])
    thread = threading.Thread(target=native, args=("test-slow", recipe), kwargs={"keep": False})
    thread.start()
    compiling.wait()
    print(in_child(lambda: model(np.ones((1, 5))).shape == (1, 4)))
    thread.join()


def test_after_a_fork_while_another_thread_compiles():
    assert run_apart(fork_while_a_thread_compiles).strip() == "0"


def compute(model: Any, x: np.ndarray) -> bytes:
    return bytes(model(x).tobytes())


def pools() -> None:
    work = [job for job in jobs() if "softplus" not in job[0].name]
    refnet.set_num_threads(2)
    arguments = [job[:2] for job in work]
    expected = [job[2] for job in work]
    for method in ("spawn", "fork", "forkserver"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            print(method, pool.starmap(compute, arguments) == expected)
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as executor:
            print(method, list(executor.map(compute, *zip(*arguments, strict=True))) == expected)
    with concurrent.futures.ThreadPoolExecutor(8) as executor:
        print("threads", list(executor.map(compute, *zip(*arguments, strict=True))) == expected)


def test_in_pools_of_processes_and_threads():
    said = run_apart(pools).splitlines()

    assert len(said) == 7
    assert all(line.endswith("True") for line in said), said


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_computes_the_same_bits_before_and_after_the_first_call(copied):
    for model in models():
        x = inputs(model, 20)
        early = copied(model)
        expected = model(x).tobytes()
        late = copied(model)

        assert early(x).tobytes() == expected
        assert late(x).tobytes() == expected


@contextlib.contextmanager
def weights_that_change(model: Any) -> Iterator[None]:
    """Set all weights to 0 and to 1 in turns, in another thread."""
    values = [[np.full(array.shape, n) for array in model.get_weights()] for n in range(2)]
    model.set_weights(values[0])
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for each in values:
                model.set_weights(each)

    changer = threading.Thread(target=change)
    changer.start()
    try:
        yield
    finally:
        stop.set()
        changer.join()


def different(model: Any) -> int:
    """Return how many different numbers a model's weights are."""
    return len({value for array in model.weights for value in array.flat})


def many_layers() -> Any:
    inner = refnet.Sequential([layers.Dense(3) for _ in range(10)])
    return refnet.Sequential([refnet.Input((3,)), *(layers.Dense(3) for _ in range(20)), inner])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_has_the_weights_of_one_moment(copied):
    model = many_layers()
    with weights_that_change(model):
        copies = [copied(model) for _ in range(60)]

    assert [different(other) for other in copies] == [1] * 60
    assert not any(array.flags.writeable for other in copies for array in other.weights)


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_the_weights_of_one_moment():
    model = many_layers()
    with weights_that_change(model):
        assert [in_child(lambda: different(model) == 1) for _ in range(60)] == [0] * 60


def test_weights_that_change_meanwhile_give_old_or_new_results_whole():
    model = models()[2]
    x = inputs(model, 700)
    sets = [[w * factor for w in model.get_weights()] for factor in (1.0, -0.5, 2.0)]
    allowed = set()
    for weights in sets:
        model.set_weights(weights)
        allowed.add(model(x).tobytes())
    assert len(allowed) == len(sets)
    seen: set[bytes] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            seen.add(model(x).tobytes())
            seen.add(model.predict(x, batch_size=50).tobytes())

    watchers = [threading.Thread(target=watch) for _ in range(3)]
    for watcher in watchers:
        watcher.start()
    for turn in range(300):
        model.set_weights(sets[turn % len(sets)])
        time.sleep(0.001)
    stop.set()
    for watcher in watchers:
        watcher.join()

    assert seen <= allowed
    assert len(seen) > 1


def long_predict(batch_size: int | None, width: int) -> None:
    with_cores(3)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where what runs the tests ignores it
    refnet.set_num_threads(3)
    model = refnet.Sequential([refnet.Input((4,)), *(layers.Dense(width, "gelu") for _ in range(3)), layers.Dense(1)])
    expected = model(np.ones((50, 4), np.float32)).tobytes()
    print("ready")
    try:
        x = np.broadcast_to(np.ones(4, np.float32), (2_000_000_000 // width, 4))  # many rows in no memory
        model.predict(x, batch_size=batch_size)
    except KeyboardInterrupt:
        print("stopped", model(np.ones((50, 4), np.float32)).tobytes() == expected)


@pytest.mark.parametrize("width", [8, 2000])
@pytest.mark.parametrize("batch_size", [None, 32, 10**9])
def test_ctrl_c_stops_a_long_predict_and_the_model_works_on(batch_size, width):
    process = subprocess.Popen(
        command(long_predict, batch_size, width), env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=15)  # the whole would take minutes
    finally:
        process.kill()
        process.wait()

    assert said == "stopped True\n"


def interrupted_again_and_again() -> None:
    """Interrupt calls at a hundred moments; each time the next call must give the same bits."""
    work = jobs()[-12:]
    refnet.set_num_threads(3)
    for _, x, _bits in work:
        activations.get("tanh")(x)  # compiled now: an interrupted import of numba is not ours to mend
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    rng = np.random.default_rng(0)
    stopped = 0
    for _ in range(150):
        try:
            # Again after a second, since Python ignores what is raised while it clears a weak reference.
            signal.setitimer(signal.ITIMER_REAL, float(rng.uniform(1e-4, 1e-2)), 1.0)
            while True:
                for model, x, _bits in work:
                    model.predict(x, batch_size=1000)
                    activations.get("tanh")(x)
        except KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, 0)
            stopped += 1
        for model, x, bits in work[:: 1 + stopped % 5]:
            assert model(x).tobytes() == bits
    print(stopped)


def test_interrupts_at_any_moment_leave_models_that_work():
    assert run_apart(interrupted_again_and_again).strip() == "150"


def busy_at_the_end(name: str) -> None:
    refnet.set_num_threads(1)
    activation, x = activations.get(name), np.ones((1, 10_000), np.float32)
    activation(x)

    def work() -> None:
        while True:
            activation(x)

    for _ in range(2):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(0.3)


@pytest.mark.parametrize("name", ["softmax", "sparsemax"])
def test_the_interpreter_may_end_while_threads_are_in_a_kernel(name):
    for _ in range(3):
        run_apart(busy_at_the_end, name)


def at_the_end() -> None:
    import atexit

    refnet.set_num_threads(2)
    model, x, expected = jobs()[-4]
    refnet.set_num_threads(2)
    atexit.register(lambda: print(model(np.tile(x, (20, 1)))[: len(x)].tobytes() == expected))


def test_a_model_may_be_called_while_the_interpreter_ends():
    assert run_apart(at_the_end).strip() == "True"
