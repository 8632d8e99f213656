from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from parity.sweep import checkpoint, run, tally
from parity.sweep.run import Where, sweep, task_for
from refnet import activations
from refnet.errors import ArgumentError, DTypeError, FileError, ShapeError
from tests.parity.sweep.common import ELEMENTWISE, PLANTED, ROOT, complete, half_task
from tests.parity.sweep.planted import PLACES


def test_a_sweep_finds_the_planted_errors_and_no_others(monkeypatch):
    monkeypatch.setattr(run, "commit", lambda: "0123abc")
    told = []
    result = sweep(half_task(), tell=lambda progress, chunks: told.append((len(progress.done), chunks)))
    assert [each.bits for each in result.tally.misrounded] == sorted(PLACES)
    assert told == [(done, 16) for done in range(17)]
    plain = json.loads(json.dumps(result.plain()))
    assert (plain["inputs"], plain["misrounded"], plain["exhaustive"], plain["runner"]) == (
        1 << 16,
        len(PLACES),
        True,
        f"{PLANTED}:off_by_one",
    )
    assert plain["max_ulp"] == 1.0
    assert plain["versions"]["numpy"] == np.__version__
    assert plain["commit"] == "0123abc"
    assert plain["cpu"]


def test_the_worst_results_are_written_as_bits_and_in_decimals():
    result = sweep(half_task()).plain()
    some = [each for each in result["classes"].values() if each["worst"]]
    assert len(some) == 3  # relu6 has no results near overflow
    for found in some:
        for bits, decimal in zip(found["worst"], found["worst_decimal"], strict=False):
            assert np.float16(decimal).tobytes() == np.uint16(int(bits, 16)).tobytes()
    assert tally.read(json.loads(json.dumps(result))) == sweep(half_task()).tally


def test_a_sample_says_how_large_it_is_and_its_seed():
    plain = sweep(task_for(activations.REGISTRY["relu6"], "float32", "refnet", seed=7, samples=10)).plain()
    assert (plain["exhaustive"], plain["samples"], plain["seed"]) == (False, 1024, 7)
    assert not {"samples", "seed"} & set(sweep(half_task()).plain())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_engine_is_correctly_rounded_on_all_inputs_of_sixteen_bits(name, dtype):
    pytest.importorskip("ml_dtypes", reason="bfloat16 is a dtype of the package ml_dtypes")
    tally = sweep(task_for(complete(name), dtype, "refnet")).tally
    assert tally.count == 1 << 16
    assert (tally.misrounded_count, tally.out_of_range, tally.out_of_order, tally.wrong_zero) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("dtype", "alpha"),
    [("float32", 1e39), ("float32", -1e39), ("float64", float("inf")), ("float64", float("-inf")), ("float16", 1e6)],
)
def test_elu_is_right_where_alpha_is_infinite_or_the_dtype_makes_it_so(dtype, alpha):
    tally = sweep(task_for(activations.elu.with_parameters(alpha=alpha), dtype, "refnet", samples=10)).tally
    assert (tally.misrounded_count, tally.out_of_range, tally.out_of_order, tally.wrong_zero) == (0, 0, 0, 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sampled_sweep_takes_as_many_inputs_as_asked_for_and_the_places(dtype):
    task = task_for(activations.REGISTRY["relu6"], dtype, "refnet", samples=12)
    tally = sweep(task).tally
    assert len(task.places) < tally.count <= (1 << 12) + len(task.places)
    assert tally.misrounded_count == 0


def interrupted(folder, chunks):
    """Run a slow sweep in a process of its own and kill it once it has done so many chunks."""
    code = (
        "from parity.sweep.run import Where, sweep\n"
        "from tests.parity.sweep.common import half_task\n"
        f"sweep(half_task('slow'), Where(folder={str(folder)!r}))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    path = checkpoint.path_of(folder, half_task("slow"))
    try:
        for _ in range(1000):
            with contextlib.suppress(OSError):
                if len(json.loads(path.read_text())["done"]) >= chunks:
                    break
            assert process.poll() is None
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        assert process.wait() == -signal.SIGKILL
    return path


def test_a_sweep_killed_midway_goes_on_where_it_was(tmp_path):
    path = interrupted(tmp_path, 3)
    done = json.loads(path.read_text())["done"]
    assert 3 <= len(done) < 16
    told = []
    resumed = sweep(
        half_task("slow"), Where(folder=tmp_path, resume=True), lambda progress, chunks: told.append(progress.done)
    )
    assert sorted(told[0]) == done  # no chunk is lost
    assert len(told) == 1 + 16 - len(done)  # and none runs again
    assert resumed.tally == sweep(half_task()).tally


def test_a_checkpoint_in_the_way_is_not_overwritten(tmp_path):
    task = half_task()
    sweep(task, Where(folder=tmp_path))
    with pytest.raises(ArgumentError, match="has 16 of 16 chunks of relu6; go on with --resume, or delete it"):
        sweep(task, Where(folder=tmp_path))
    again = sweep(task, Where(folder=tmp_path, resume=True))
    assert again.tally.count == 1 << 16


def test_a_damaged_checkpoint_stops_the_sweep(tmp_path):
    task = half_task()
    checkpoint.path_of(tmp_path, task).write_text("{")
    with pytest.raises(FileError, match="is not JSON; delete it to begin again"):
        sweep(task, Where(folder=tmp_path, resume=True))


@pytest.mark.parametrize(
    ("runner", "error", "words"),
    [
        ("other_dtype", DTypeError, "dtype float64 came back for float16"),
        ("other_shape", ShapeError, r"shape \(4095,\) came back for \(4096,\)"),
        ("nothing_to_call", ArgumentError, "has no function 'nothing_to_call'"),
    ],
)
def test_a_runner_that_does_not_do_what_it_should_is_named(runner, error, words):
    with pytest.raises(error, match=words):
        sweep(half_task(runner))
