from __future__ import annotations

import dataclasses

import pytest

from parity.report.records import HISTOGRAM_EDGES, Report, worst
from tests.parity.report.example import CLEAN, KNOWN, WRONG, report


def test_the_worst_verdict_counts():
    assert report().verdict == "explained by rounding"
    assert report(isolated=KNOWN).verdict == "known difference"
    assert report(cumulative=WRONG).verdict == "not explained"
    assert report(output=WRONG).verdict == "not explained"
    assert report(output=None).verdict == "explained by rounding"
    assert worst([]) == "explained by rounding"


@pytest.mark.parametrize(("made", "code"), [(report(), 0), (report(isolated=KNOWN), 0), (report(isolated=WRONG), 1)])
def test_exit_codes(made, code):
    assert made.exit_code == code
    assert made.agree is (code == 0)


def test_the_cause_is_the_first_layer_that_fails_by_itself():
    assert report(isolated=WRONG).cause.name == "two"
    assert report(cumulative=WRONG).cause is None
    assert report().cause is None


def test_the_sentence_says_what_and_where():
    assert report().sentence == "agree: every difference is explained by rounding; at most 12% of the bound"
    assert report(isolated=KNOWN).sentence.endswith("is explained by rounding or is known (gelu tail)")
    failed = report(isolated=WRONG).sentence
    assert failed == "differ: layer 'two' is the first that fails by itself (weights <differ>)"
    assert "what has added up by layer 'two'" in report(cumulative=WRONG).sentence
    assert report(output=WRONG).sentence == "differ: every layer agrees, but not the output of Keras model(x)"


def test_findings_are_collected_once_with_their_largest_count():
    more = dataclasses.replace(KNOWN, findings=(dataclasses.replace(KNOWN.findings[0], elements=9),))
    assert [(f.name, f.elements) for f in report(isolated=KNOWN, cumulative=more).findings] == [("gelu tail", 9)]


def test_who_is_closer():
    assert CLEAN.closer == "refnet"
    assert dataclasses.replace(CLEAN, own_closer=0).closer == "Keras"
    assert dataclasses.replace(CLEAN, own_closer=1).closer == "equal"


def test_reports_are_values():
    with pytest.raises(dataclasses.FrozenInstanceError):
        report().model = "other"
    assert len(CLEAN.histogram) == len(HISTOGRAM_EDGES)
    assert isinstance(report(), Report)


def test_forms_are_written_whole(tmp_path):
    made = report()
    assert made.to_json(tmp_path / "r.json") == (tmp_path / "r.json").read_text()
    assert made.to_html(tmp_path / "r.html") == (tmp_path / "r.html").read_text()
    assert made.to_dict()["model"] == "my_model"
