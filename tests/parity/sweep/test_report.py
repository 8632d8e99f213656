from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from parity.sweep import report
from parity.sweep.run import sweep, task_for
from refnet import activations
from tests.parity.sweep.common import half_task, row_task
from tests.parity.sweep.planted import PLACES


@pytest.fixture(scope="module")
def wrong():
    return sweep(half_task())


@pytest.fixture(scope="module")
def fine():
    return sweep(task_for(activations.REGISTRY["relu6"], "float16", "refnet"))


def shown(what):
    console = Console(width=200, file=io.StringIO())
    console.print(what)
    return console.file.getvalue()


def test_the_summary_has_a_row_per_function(wrong, fine):
    rows = shown(report.summary([wrong, fine])).splitlines()
    bad, good = (row.split() for row in rows if row.strip().startswith("relu6"))
    assert bad[:4] == ["relu6", "65,536", str(len(PLACES)), "+1"]
    assert "0x123" in bad  # the first of the equally bad
    assert good[:3] == ["relu6", "65,536", "0"]


def test_details_name_the_classes_and_the_errors(wrong):
    text = "".join(shown(part) for part in report.details(wrong))
    for word in ("normal", "subnormal", "overflow", "special", "error in ulp"):
        assert word in text
    assert "0x3c37" in text


def test_correct_rounding_passes_and_a_step_does_not(wrong, fine):
    assert report.passed(fine, None)
    assert not report.passed(wrong, None)
    assert not report.passed(wrong, 1.0)  # one result is above the range
    inside = dataclasses.replace(wrong, tally=dataclasses.replace(wrong.tally, out_of_range=0, out_of_order=0))
    assert report.passed(inside, 1.0)
    assert not report.passed(inside, 0.75)
    zero = dataclasses.replace(fine, tally=dataclasses.replace(fine.tally, wrong_zero=1))
    assert not report.passed(zero, 1.0)


@pytest.fixture(scope="module")
def of_rows():
    return sweep(row_task())


def test_a_row_is_named_where_a_number_has_its_bits(of_rows):
    text = shown(report.summary([of_rows]))
    assert ", length 17, row 0, " in text
    assert "entry 5" in text
    assert "0x" not in text
    outside = dataclasses.replace(of_rows.tally, out_of_range=1, examples={"out_of_range": of_rows.tally.misrounded[0]})
    (line,) = report.violations(dataclasses.replace(of_rows, tally=outside))
    assert line.startswith("softmax: 1 outside the range, first at normal 0.1, length 17, row 0, entry 5: ")


def test_each_function_is_held_to_what_is_promised_of_it(wrong, fine, of_rows):
    assert report.verdicts([fine], None) == (["1 of 1 correctly rounded throughout"], True)
    assert report.verdicts([fine, wrong, of_rows], None) == (
        ["1 of 2 correctly rounded throughout; not: relu6", "0 of 1 within 1 ulp throughout; not: softmax"],
        False,
    )
    assert report.verdicts([fine, of_rows], 3.0) == (["2 of 2 within 3 ulp throughout"], True)


def test_the_bar_leaves_nothing_behind():
    console = Console(width=100, force_terminal=False, file=io.StringIO())
    with report.bar(console) as bar:
        line = bar.add_task("tanh", total=10)
        bar.update(line, completed=5)
    assert console.file.getvalue().strip() == ""
