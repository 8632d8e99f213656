from __future__ import annotations

import dataclasses
from typing import Any

from bench import speed_page
from bench.results import Measurement, Record, Row
from bench.statistics import summarize
from tests.bench.test_report import activation
from tests.bench.test_results import RECORD, ROW


def lines_of(page: str, begin: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith(begin)]


def entry(runner: str, misrounded: int, worst: float, **changed: Any) -> dict[str, Any]:
    classes = {name: {"worst": None} for name in ("subnormal", "overflow", "special")}
    classes["normal"] = {"worst": ["0x1", "0x1", "0x1", worst]}
    plain = {"activation": "elu", "parameters": {}, "dtype": "float32", "runner": runner, "exhaustive": True}
    return {**plain, "misrounded": misrounded, "classes": classes, **changed}


def test_every_peer_of_a_cell_the_fastest_other_in_bold() -> None:
    page = speed_page.page({"forward": RECORD}, [])
    assert "### 2 threads" in page
    assert lines_of(page, "| case") == [
        "| case | rows | refnet | keras call | XLA | NumPy | JAX | refnet is | of limit |"
    ]
    assert lines_of(page, "| `mnist`") == [
        "| `mnist` | 32 | 1.50 ms | 6.00 ms | **3.00 ms** | disagrees | not installed | 2.00× | 33% |"
    ]
    assert "- `mnist`: 784-512-512-10\n" in page
    assert "refnet is ahead of every other engine in 1 of 1 cells.\n" in page


def test_a_cell_that_is_behind_is_named() -> None:
    slow = Measurement("refnet", "timed", "", summarize([6e-3]))
    behind = dataclasses.replace(ROW, measurements=(slow, *ROW.measurements[1:]))
    page = speed_page.page({"forward": dataclasses.replace(RECORD, rows=(ROW, behind))}, [])
    assert "in 1 of 2 cells. Behind in:\n\n- `mnist`, 32 rows, 2 threads: 0.50× the speed of XLA\n" in page


def test_the_record_of_the_machine_is_named() -> None:
    page = speed_page.page({"forward": RECORD}, [])
    assert "- `python -m bench`: one (avx2), 2 cores, Linux 6, Python 3.11.0; 2026-01-01; refnet 0.1.0\n" in page
    assert "- limits of that run on 2 threads: 100 GFLOP/s (a kernel), copying 10.0 GB/s\n" in page


def keras(row: Row, seconds: float) -> Row:
    """Return a row in which Keras took so long, and a peer that is not Keras no time to speak of."""
    peers = (
        Measurement("tf.function", "timed", "", summarize([seconds])),
        Measurement("torch", "timed", "", summarize([1e-9])),
    )
    return dataclasses.replace(row, measurements=(*row.measurements[:1], *peers))


def record_of_activations() -> Record:
    rows = (activation("relu", 1, 2e-3), keras(activation("relu", 2, 1e-3), 3e-3))
    rows += (activation("elu", 1, 4e-3), keras(activation("elu", 2, 2e-3), 3e-3))
    return dataclasses.replace(RECORD, kind="activations", rows=rows)


def test_activations_are_held_against_keras_relu_and_copying() -> None:
    page = speed_page.page({"activations": record_of_activations()}, [])
    (line,) = [text for text in lines_of(page, "| `elu`") if "tf.function" in text]
    row = activation("elu", 2, 2e-3)
    assert row.limit
    assert "| 1.50× | 50% |" in line
    assert line.endswith(f"| {row.limit / 2e-3:.0%} |")
    assert f"| {row.elements / 4e-3 / 1e9:.2f} | {row.elements / 2e-3 / 1e9:.2f} | tf.function" in line


def test_accuracy_and_speed_stand_in_one_line() -> None:
    accuracy = [
        entry("refnet", 0, 0.5),
        entry("keras", 1234, -7.0),
        entry("keras", 99, 9.0, dtype="float16"),
        entry("refnet", 77, 1.0, exhaustive=False),
    ]
    page = speed_page.page({"activations": record_of_activations()}, accuracy)
    both = page.partition("right and fast")[2]
    (line,) = lines_of(both, "| `elu`")
    assert line.startswith("| `elu` | 0 | +0.5 | 1,234 | -7 | ")
    assert line.endswith("| 1.50× |")
    (line,) = lines_of(both, "| `relu`")
    assert line.startswith("| `relu` | – | – | – | – | ")


def test_new_processes_have_times_and_memory() -> None:
    measured = (
        Measurement("refnet", "timed", "", summarize([0.5]), None, 7 * 10**7),
        Measurement("keras call", "timed", "", summarize([8.0]), None, 7 * 10**8),
        Measurement("other", "failed", "it broke"),
    )
    start = Row("first", 0, 0, "first prediction", 0, 0, 0, None, "", measured)
    page = speed_page.page({"startup": dataclasses.replace(RECORD, kind="startup", limits=(), rows=(start,))}, [])
    assert lines_of(page, "| first") == [
        "| first prediction | refnet | 500 ms | – | 70 MB |",
        "| first prediction | keras call | 8.00 s | 16.0× | 700 MB |",
        "| first prediction | other | failed | – | – |",
    ]
