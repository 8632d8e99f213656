from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from bench import report
from bench.results import Measurement, Record, Row
from bench.statistics import summarize
from tests.bench.test_results import RECORD, ROW


def shown(record: Record, width: int = 140) -> str:
    to = Console(file=io.StringIO(), width=width, highlight=False)
    report.show(record, to)
    return to.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1e-9, "1.00 ns"),
        (9.994e-7, "999 ns"),
        (1e-6, "1.00 µs"),
        (2.5e-3, "2.50 ms"),
        (1.0, "1.00 s"),
        (123.4, "123 s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert report.duration(seconds) == text


def test_a_forward_record_has_a_table_per_case_and_a_summary_per_thread_count() -> None:
    one = dataclasses.replace(ROW, threads=1)
    other = dataclasses.replace(ROW, name="deep")
    text = shown(dataclasses.replace(RECORD, rows=(one, ROW, other)))
    assert text.count("time of a pass") == 3
    assert text.count("refnet against the best peer") == 2
    assert "1.50 ms" in text
    assert "4.00×" in text  # keras call
    assert "33%" in text  # of the limit
    assert "100 GFLOP/s (a kernel)" in text
    assert "refnet 0.1.0" in text


def test_what_was_not_timed_is_said_once_with_its_reason() -> None:
    text = shown(dataclasses.replace(RECORD, rows=(ROW, dataclasses.replace(ROW, name="deep"))))
    assert text.count("needs jax") == 1
    assert "JAX: not installed: needs jax" in text
    partly = dataclasses.replace(ROW, name="deep", measurements=ROW.measurements[:3])
    assert "NumPy in mnist:32: disagrees" in shown(dataclasses.replace(RECORD, rows=(ROW, partly)))


def test_refnet_that_failed_has_no_ratios() -> None:
    failed = (Measurement("refnet", "failed", "it broke"), *ROW.measurements[1:])
    text = shown(dataclasses.replace(RECORD, rows=(dataclasses.replace(ROW, measurements=failed),)))
    assert "refnet: failed: it broke" in text


def activation(name: str, threads: int, seconds: float) -> Row:
    measurements = [Measurement("refnet", "timed", "", summarize([seconds]))]
    if threads == 2:
        measurements.append(Measurement("XLA", "timed", "", summarize([4e-3])))
        measurements.append(Measurement("torch", "lacks", "PyTorch has none"))
    return Row(name, 1 << 20, threads, "", 1 << 20, 0, 1 << 23, 1e-3, "memory", tuple(measurements))


def test_activations_are_rated_against_keras_and_relu() -> None:
    rows = (
        activation("relu", 1, 2e-3),
        activation("relu", 2, 1e-3),
        activation("elu", 1, 4e-3),
        activation("elu", 2, 2e-3),
    )
    text = shown(dataclasses.replace(RECORD, kind="activations", rows=rows))
    line = next(line for line in text.splitlines() if " elu " in line)
    assert line.replace("│", " ").split() == ["elu", "0.26", "0.52", "0.26", "–", "2.00×", "50%"]
    assert "moving as many bytes" in text


def test_starts_are_listed_with_their_memory() -> None:
    measurements = (
        Measurement("refnet", "timed", "", summarize([0.2]), None, 5 * 10**7),
        Measurement("keras call", "timed", "", summarize([8.0]), None, 7 * 10**8),
    )
    row = Row("first", 0, 0, "first prediction", 0, 0, 0, None, "", measurements)
    text = shown(dataclasses.replace(RECORD, kind="startup", rows=(row,), limits=()))
    assert "40.0×" in text
    assert "700 MB" in text


def test_every_table_fits_a_terminal_of_eighty_columns() -> None:
    assert max(len(line) for line in shown(RECORD, 80).splitlines()) <= 80
