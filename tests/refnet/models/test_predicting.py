from __future__ import annotations

import io

import numpy as np
import pytest

from refnet import Input, Sequential, layers
from refnet.errors import ArgumentError, ShapeError
from refnet.models import predicting

X = np.random.default_rng(0).standard_normal((23, 5))


@pytest.fixture
def model():
    return Sequential([Input((5,)), layers.Dense(8, "tanh"), layers.Dense(3, "softmax")], name="m")


@pytest.mark.parametrize("size", [None, 1, 2, 7, 22, 23, 24, 10**9])
def test_no_batch_size_changes_a_bit(model, size):
    np.testing.assert_array_equal(model.predict(X, batch_size=size, verbose=0), model(X))


def test_other_forms_of_input(model):
    for x in (X.astype(">f4"), np.asfortranarray(X), X[::2], X[:0], X.tolist()):
        np.testing.assert_array_equal(model.predict(x, batch_size=4), model(x))


def test_shapes_are_checked_before_anything_runs(model):
    with pytest.raises(ShapeError, match=r"^Sequential 'm': input has shape \(23, 4\)"):
        model.predict(X[:, :4], batch_size=2)


@pytest.mark.parametrize("verbose", ["x", 3, True, None, -1, np.array([1, 2]), [1]])
def test_verbose_values_that_are_refused(model, verbose):
    with pytest.raises(ArgumentError, match=r"^Sequential 'm': verbose is "):
        model.predict(X, verbose=verbose)


@pytest.mark.parametrize("argument", [{"steps": 3}, {"callbacks": []}])
def test_arguments_for_datasets_are_refused(model, argument):
    with pytest.raises(ArgumentError, match="steps or callbacks"):
        model.predict(X, **argument)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("verbose", "patience", "terminal", "shown"),
    [
        ("auto", -1.0, True, True),
        (1, -1.0, True, True),
        (0, -1.0, True, False),
        ("auto", -1.0, False, False),
        ("auto", 1e9, True, False),
    ],
)
def test_a_bar_appears_only_on_a_terminal_and_on_long_work(
    model, monkeypatch, capsys, verbose, patience, terminal, shown
):
    stderr = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setattr(predicting, "PATIENCE", patience)
    monkeypatch.setenv("TERM", "xterm")
    result = model.predict(X, batch_size=2, verbose=verbose)
    np.testing.assert_array_equal(result, model(X))
    assert ("predict" in stderr.getvalue()) is shown
    assert capsys.readouterr().out == ""


def test_one_batch_never_has_a_bar(model, monkeypatch):
    stderr = Terminal()
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setattr(predicting, "PATIENCE", -1.0)
    model.predict(X, batch_size=100)
    assert stderr.getvalue() == ""


def test_weights_that_change_meanwhile_wait_for_the_next_call(model, monkeypatch):
    expected = model(X)
    real = predicting._Bar.reach

    def reach(bar, row):
        model.set_weights([array * 0 for array in model.get_weights()])
        real(bar, row)

    monkeypatch.setattr(predicting._Bar, "reach", reach)
    np.testing.assert_array_equal(model.predict(X, batch_size=2), expected)
    assert not np.array_equal(model(X), expected)


def test_ctrl_c_stops_between_batches_and_takes_the_bar_away(model, monkeypatch):
    stderr = Terminal()
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setattr(predicting, "PATIENCE", -1.0)
    monkeypatch.setenv("TERM", "xterm")
    real = predicting._Bar.reach
    bars = []

    def reach(bar, row):
        real(bar, row)
        bars.append(bar)
        if row > 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(predicting._Bar, "reach", reach)
    with pytest.raises(KeyboardInterrupt):
        model.predict(X, batch_size=2)
    assert bars[-1].progress.finished is False
    assert not bars[-1].progress.live.is_started
