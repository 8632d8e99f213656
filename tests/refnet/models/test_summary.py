from __future__ import annotations

import numpy as np
import pytest

from refnet import Input, Sequential, layers
from refnet.errors import ArgumentError
from refnet.models.summary import _memory


def text_of(model: Sequential, **arguments) -> str:
    texts: list[str] = []
    model.summary(print_fn=texts.append, **arguments)
    assert len(texts) == 1
    return texts[0]


def cells(text: str) -> list[list[str]]:
    """Return the rows of a summary's table, the headings first."""
    lines = [line.replace("┃", "│") for line in text.splitlines()]
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]


@pytest.fixture
def model():
    inner = Sequential([layers.Dense(3, "tanh", name="one")], name="inner")
    stack = [
        Input((5,)),
        layers.Dense(10, "relu"),
        layers.Dropout(0.1),
        inner,
        layers.Dense(4, "softmax", trainable=False),
    ]
    return Sequential(stack, name="m")


def test_the_table(model):
    assert cells(text_of(model)) == [
        ["Layer (type)", "Output Shape", "Param #", "Activation"],
        ["dense (Dense)", "(None, 10)", "60", "relu"],
        ["dropout (Dropout)", "(None, 10)", "0", "-"],
        ["inner (Sequential)", "(None, 3)", "33", "-"],
        ["dense_1 (Dense)", "(None, 4)", "16", "softmax"],
    ]


def test_the_totals(model):
    assert text_of(model).splitlines()[-3:] == [
        " Total params: 109 (436.00 B)",
        " Trainable params: 93 (372.00 B)",
        " Non-trainable params: 16 (64.00 B)",
    ]
    assert text_of(model).startswith('Model: "m"\n')


def test_nested_layers(model):
    names = [row[0] for row in cells(text_of(model, expand_nested=True))]
    assert names[4] == "└ one (Dense)"
    assert len(names) == 6


def test_trainable(model):
    table = cells(text_of(model, show_trainable=True, line_length=120))
    assert [row[-1] for row in table] == ["Trainable", "Y", "-", "Y", "N"]


def test_a_range_of_layers(model):
    for pair in (("dropout", "inner"), ["inner", "dropout"], ("drop.*", "inn")):
        assert [row[0] for row in cells(text_of(model, layer_range=pair))][1:] == [
            "dropout (Dropout)",
            "inner (Sequential)",
        ]


def test_unbuilt_and_empty():
    unbuilt = Sequential([layers.Dense(3), layers.ReLU()], name="u")
    assert cells(text_of(unbuilt))[1:] == [
        ["dense (Dense)", "?", "0 (unbuilt)", "linear"],
        ["re_lu (ReLU)", "?", "0", "relu"],
    ]
    assert len(cells(text_of(Sequential(name="e")))) == 1


def test_line_length_and_positions(model):
    for length in (60, 100, 130):
        lines = text_of(model, line_length=length).splitlines()
        assert max(map(len, lines)) == length
    wide = text_of(model, line_length=76, positions=[0.5, 0.7, 0.85, 1.0]).splitlines()[1]
    keras = text_of(model, line_length=76, positions=[0.45, 0.8, 1.0]).splitlines()[1]
    assert wide.index("┳") > keras.index("┳")


@pytest.mark.parametrize(
    "arguments",
    [
        {"line_length": 10},
        {"positions": [1.0]},
        {"positions": [0.1, 0.11, 0.2, 1.0]},
        {"layer_range": ["dense"]},
        {"layer_range": "dense"},
        {"layer_range": [1, 2]},
        {"layer_range": ["zz", "dense"]},
    ],
)
def test_arguments_that_are_refused(model, arguments):
    with pytest.raises(ArgumentError, match=r"^summary: ") as caught:
        model.summary(**arguments)
    assert "\n" not in str(caught.value)


def test_names_with_brackets_are_no_markup():
    model = Sequential([layers.Dense(3, name="[bold]x")], name="[red]m")
    text = text_of(model)
    assert "[red]m" in text
    assert "[bold]x (Dense)" in text


def test_it_prints_to_stdout_by_default(model, capsys):
    model.summary()
    out, err = capsys.readouterr()
    assert "softmax" in out
    assert err == ""


def test_a_layer_that_stands_twice_is_counted_once():
    layer = layers.Dense(5)
    text = text_of(Sequential([Input((5,)), layer, layer]))
    assert len(cells(text)) == 3
    assert " Total params: 30 (120.00 B)" in text


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, "0.00 B"), (1023, "1023.00 B"), (1024, "1.00 KB"), (2040, "1.99 KB"), (5 << 30, "5.00 GB")],
)
def test_memory(size, expected):
    assert _memory(size) == expected


def test_float64_takes_twice_the_memory():
    model = Sequential([Input((5,)), layers.Dense(3, dtype="float64")])
    assert " Total params: 18 (144.00 B)" in text_of(model)
    assert np.dtype(model.weights[0].dtype).itemsize == 8


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"line_length": "x"}, "line_length is 'x'"),
        ({"line_length": float("nan")}, "line_length is nan"),
        ({"positions": 5}, "positions is 5"),
        ({"positions": ["a", "b", "c"]}, "positions is"),
        ({"positions": [np.nan, np.nan, np.nan]}, "positions is"),
        ({"positions": [np.inf, np.inf, np.inf]}, "positions is"),
        ({"positions": [30, 60, 90]}, "shares of the line"),
        ({"layer_range": ["(", "dense"]}, "regular expression"),
        ({"layer_range": ["*", "dense"]}, "regular expression"),
    ],
)
def test_an_argument_of_another_kind_is_refused_in_one_sentence(model, arguments, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        model.summary(**arguments)


def test_a_line_of_a_broken_length_and_positions_in_an_array(model):
    assert text_of(model, line_length=90.5) == text_of(model, line_length=90)
    assert text_of(model, positions=np.array([0.4, 0.7, 1.0])) == text_of(model, positions=[0.4, 0.7, 1.0])


def test_a_model_that_is_set_untrainable_shows_so_in_every_row(model):
    model.trainable = False
    rows = cells(text_of(model, show_trainable=True, expand_nested=True, line_length=120))[1:]
    assert {row[-1] for row in rows} == {"N", "-"}
    model.trainable = True
    assert {row[-1] for row in cells(text_of(model, show_trainable=True, line_length=120))[1:]} == {"Y", "-"}
