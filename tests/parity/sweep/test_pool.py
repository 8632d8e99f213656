from __future__ import annotations

import contextlib
import dataclasses
import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest

import refnet
from parity.sweep import job, pool, tally
from parity.sweep.run import Where, sweep
from refnet.errors import ArgumentError
from tests.parity.sweep.common import PLANTED, ROOT, half_task


def total(results):
    found, starts = tally.Tally(), []
    for each in results:
        starts.append(each["start"])
        found = tally.add(found, tally.read(each["tally"]))
    assert len(starts) == len(set(starts))
    return found


@pytest.fixture(scope="module")
def right():
    task = half_task()
    return total(pool.here(task, job.chunks(task)))


def test_two_processes_count_as_one_does(right):
    task = half_task()
    assert total(pool.processes(task, job.chunks(task), 2)) == right


def test_an_error_in_a_process_comes_out_as_it_is():
    task = dataclasses.replace(half_task(), runner="no.such.module:f")
    with pytest.raises(ArgumentError, match="cannot be imported"):
        list(pool.processes(task, job.chunks(task)[:2], 2))


def test_a_process_that_dies_is_one_sentence():
    task = dataclasses.replace(half_task(), runner="tests.parity.sweep.planted:dies")
    with pytest.raises(pool.WorkerError, match=r"^a worker process died"):
        list(pool.processes(task, job.chunks(task)[:2], 2))


@pytest.mark.parametrize(("name", "how"), [("crashes", "SIGSEGV"), ("leaves", "exit code 3")])
def test_a_function_that_ends_its_process_is_not_taken_for_want_of_memory(name, how):
    task = dataclasses.replace(half_task(), runner=f"tests.parity.sweep.planted:{name}")
    said = rf"^a worker process died \({how}\) while runner 'tests\.parity\.sweep\.planted:{name}' computed; accepted: "
    with pytest.raises(pool.WorkerError, match=said):
        list(pool.processes(task, job.chunks(task)[:2], 2))


def runs(pid: int) -> bool:
    """Return whether a process exists and is not only waiting for its parent to take note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc")
def test_workers_end_when_their_parent_is_killed():
    code = (
        "import multiprocessing\n"
        "from parity.sweep import job, pool\n"
        "from tests.parity.sweep.common import half_task\n"
        "if __name__ == '__main__':\n"
        "    task = half_task('slow')\n"
        "    for _ in pool.processes(task, job.chunks(task) * 50, 2):\n"
        "        print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    workers = [int(word) for word in process.stdout.readline().split()]
    process.kill()
    process.wait()
    process.stdout.close()
    assert len(workers) == 2
    end = time.monotonic() + 30
    while any(map(runs, workers)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(runs, workers))


@pytest.mark.parametrize("whom", ["all", "parent"])
def test_an_interrupt_ends_all_processes_at_once_and_keeps_what_is_done(tmp_path, whom):
    words = ["sweep", "relu", "--exhaustive", "--jobs", "2", "--runner", f"{PLANTED}:stuck"]
    code = (
        "import signal, sys\n"
        "from parity.cli import main\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where what runs the tests ignores it\n"
        f"    sys.exit(main({[*words, '--checkpoints', str(tmp_path)]!r}))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    end = time.monotonic() + 120
    while not list(tmp_path.glob("*.json")) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1)  # the process that was done with its chunk has the next one
    (os.killpg if whom == "all" else os.kill)(process.pid, signal.SIGINT)  # a terminal's Ctrl-C reaches them all
    try:
        _, said = process.communicate(timeout=20)  # until the last process has closed its stderr
        assert (process.returncode, said) == (130, "parity: interrupted\n")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    (kept,) = tmp_path.glob("*.json")
    assert json.loads(kept.read_text())["done"] == [0]


def test_a_caller_who_leaves_waits_for_no_process():
    task = dataclasses.replace(half_task(), runner=f"{PLANTED}:stuck")
    results = pool.processes(task, job.chunks(task), 2)
    assert next(results)["start"] == 0
    results.close()
    assert not multiprocessing.active_children()


def test_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("REFNET_NUM_THREADS", raising=False)
    task = half_task()
    list(pool.processes(task, job.chunks(task)[:1], 1))
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "REFNET_NUM_THREADS" not in os.environ


# dask.distributed: a real scheduler and two workers, each a process of its own, on loopback.


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def cluster(folder, workers=2, scheduler_path=ROOT):
    """Yield the scheduler's address and the workers' processes."""
    pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install 'refnet[dask]'")
    address = f"tcp://127.0.0.1:{free_port()}"

    def start(module, *arguments, path=ROOT):
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(path), "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    scheduler = start(
        "distributed.cli.dask_scheduler",
        *("--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard"),
        path=scheduler_path,
    )
    one = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60")
    running = [start("distributed.cli.dask_worker", address, *one) for _ in range(workers)]
    try:
        yield address, running
    finally:
        for process in (*running, scheduler):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    # A scheduler that a test has just started may take longer to answer on a busy machine than one that runs.
    monkeypatch.setattr(pool, "_PATIENCE", 45)


#: What dask itself warns of, whatever one does.
quietly = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::UserWarning")


@quietly
def test_a_cluster_that_loses_a_worker_midway_counts_as_this_process_does(right, tmp_path):
    task = half_task("slow")
    with cluster(tmp_path) as (address, workers):
        results = []
        for each in pool.on_cluster(task, job.chunks(task), address):
            results.append(each)
            if len(results) == 2:
                wait_for_both(address)
                os.kill(workers[0].pid, signal.SIGKILL)
    assert len(results) == 16
    assert total(results) == right
    assert workers[0].returncode == -signal.SIGKILL


def wait_for_both(address):
    import distributed

    with distributed.Client(address, timeout=30, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=30)


@quietly
def test_a_sweep_on_a_cluster_is_that_of_this_process(right, tmp_path):
    with cluster(tmp_path, workers=1) as (address, _):
        result = sweep(half_task(), Where(scheduler=address))
    assert result.tally == right
    assert result.commit is None  # the workers' is not known


@quietly
def test_a_scheduler_that_is_not_there_is_one_sentence(monkeypatch):
    pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install 'refnet[dask]'")
    monkeypatch.setattr(pool, "_PATIENCE", 1)
    task, began = half_task(), time.monotonic()
    with pytest.raises(
        pool.WorkerError, match=r"^scheduler 'tcp://127\.0\.0\.1:\d+' cannot be reached; accepted: [^.]*"
    ):
        list(pool.on_cluster(task, job.chunks(task), f"tcp://127.0.0.1:{free_port()}"))
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["nothing", "something else"])
@quietly
def test_something_else_at_the_address_is_one_sentence(monkeypatch, says):
    pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install 'refnet[dask]'")
    monkeypatch.setattr(pool, "_PATIENCE", 1)
    task = half_task()
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def answer():
            held.append(server.accept()[0])
            held[0].sendall(says)

        thread = threading.Thread(target=answer)
        thread.start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(pool.WorkerError, match="cannot be reached; accepted: the address of a running one"):
            list(pool.on_cluster(task, job.chunks(task), address))
        thread.join()
        held[0].close()


@quietly
def test_a_scheduler_without_workers_is_one_sentence(tmp_path, monkeypatch):
    task = half_task()
    with cluster(tmp_path, workers=0) as (address, _):
        reach(address)
        monkeypatch.setattr(pool, "_PATIENCE", 3)
        with pytest.raises(pool.WorkerError, match="has no workers; start some and try again"):
            list(pool.on_cluster(task, job.chunks(task), address))


@quietly
def test_a_scheduler_without_refnet_is_one_sentence(tmp_path):
    task, nothing = half_task(), tmp_path / "parity"
    nothing.mkdir()
    (nothing / "__init__.py").write_text("raise ImportError('not here')\n")
    said = "accepted: a scheduler and workers with the refnet of this process"
    with (
        cluster(tmp_path, workers=1, scheduler_path=tmp_path) as (address, _),
        pytest.raises(pool.WorkerError, match=said) as caught,
    ):
        list(pool.on_cluster(task, job.chunks(task)[:2], address))
    assert "\n" not in str(caught.value)


def gather(task, result):
    """Return what comes from a cluster whose every future gives what ``result`` gives."""
    distributed = types.SimpleNamespace(
        as_completed=lambda sent, loop: sent,
        KilledWorker=KeyError,
        comm=types.SimpleNamespace(CommClosedError=OSError),
    )
    client = types.SimpleNamespace(
        wait_for_workers=lambda count, timeout: None,
        submit=lambda *arguments, **options: types.SimpleNamespace(result=result, release=lambda: None),
        cancel=lambda sent: None,
        loop=None,
    )
    return list(pool._gather(distributed, client, task, job.chunks(task)[:1], "tcp://h:1"))


@pytest.mark.parametrize("raised", [TypeError("Task() got an unexpected\nargument"), ValueError("of dask")])
def test_whatever_a_cluster_raises_is_one_sentence(raised):
    def fails():
        raise raised

    said = rf"^scheduler 'tcp://h:1': a chunk cannot run there \({type(raised).__name__}: [^\n]*\); accepted: [^\n]*$"
    with pytest.raises(pool.WorkerError, match=said):
        gather(half_task(), fails)


@pytest.mark.parametrize(
    ("versions", "there", "here"),
    [
        ({"numpy": "1.0"}, "numpy 1.0", f"numpy {np.__version__}"),
        ({"numba": "0.1"}, "numba 0.1", "numba missing"),
        ({"numpy": "1", "refnet": "9"}, "numpy 1, refnet 9", f"numpy {np.__version__}, refnet {refnet.__version__}"),
    ],
)
def test_a_worker_of_other_versions_is_refused(versions, there, here):
    task = half_task()
    chunk = next(pool.here(task, job.chunks(task)))
    assert gather(task, lambda: chunk) == [chunk]
    said = f"scheduler 'tcp://h:1': a worker has {there}, this process {here}; accepted: the same versions on both"
    with pytest.raises(pool.WorkerError, match=f"^{re.escape(said)}$"):
        gather(task, lambda: chunk | {"versions": chunk["versions"] | versions})


def reach(address):
    import distributed

    distributed.Client(address, timeout=45, set_as_default=False).close()


def test_without_dask_its_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    task = half_task()
    with pytest.raises(Exception, match=r"--scheduler needs dask\.distributed: pip install 'refnet\[dask\]'"):
        list(pool.on_cluster(task, job.chunks(task), "tcp://127.0.0.1:1"))
