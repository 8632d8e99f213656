from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from parity import loading
from refnet.errors import ArgumentError, FileError, UnsupportedError

pytestmark = pytest.mark.keras

HERE = "tests.parity.models_for_cli"


@pytest.fixture
def saved(keras, tmp_path):
    from tests.parity import models_for_cli

    path = tmp_path / "good.keras"
    models_for_cli.good().save(path)
    return path


def test_a_file_goes_through_keras(keras, saved):
    model = loading.load(str(saved))
    assert isinstance(model, keras.Sequential)
    assert model.name == "good"


def test_the_older_format_is_taken_too(keras, tmp_path, caplog):
    from tests.parity import models_for_cli

    model = models_for_cli.good()
    model.save(tmp_path / "good.h5")
    loaded = loading.load(str(tmp_path / "good.h5"))
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_a_function_is_called(keras):
    assert loading.load(f"{HERE}:good").name == "good"


@pytest.mark.parametrize(
    ("what", "error", "message"),
    [
        ("nothing", FileError, "model 'nothing' is no file; accepted: a .keras or .h5 file, or module:function"),
        ("nothing.keras", FileError, "model file 'nothing.keras' does not exist"),
        ("no_such_module:f", ArgumentError, "module 'no_such_module' cannot be imported"),
        (f"{HERE}:godo", ArgumentError, "has no 'godo'; accepted: the name of a function; did you mean 'good'"),
        (f"{HERE}:failing", ArgumentError, "the function failed .KeyError: 'nothing here'"),
        (f"{HERE}:leaving", ArgumentError, "the function failed .SystemExit: 0"),
        (f"{HERE}:no_model", ArgumentError, "gave an object of type int; accepted: a function that returns a Keras"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_one_sentence(keras, what, error, message):
    with pytest.raises(error, match=message) as caught:
        loading.load(what)
    assert "\n" not in str(caught.value)


def test_damaged_files_are_said_in_one_sentence(keras, saved, tmp_path):
    whole = saved.read_bytes()
    cut = tmp_path / "cut.keras"
    cut.write_bytes(whole[: len(whole) // 2])
    text = tmp_path / "text.keras"
    text.write_text("no model")
    hdf5 = tmp_path / "text.h5"
    hdf5.write_text("no model")
    empty = tmp_path / "empty.keras"
    zipfile.ZipFile(empty, "w").close()
    other = tmp_path / "weights.keras"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Sequential"}))
    for path in (cut, text, hdf5, empty, other):
        with pytest.raises(FileError, match=path.name) as caught:
            loading.load(str(path))
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500


def test_other_files_and_folders_are_refused(keras, tmp_path):
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(FileError, match=r"no model file by its name \(.txt\)"):
        loading.load(str(tmp_path / "x.txt"))
    with pytest.raises(FileError, match="is a folder"):
        loading.load(str(tmp_path))


def test_a_lambda_layer_in_a_file_is_refused_by_name_before_keras_sees_it(keras, tmp_path):
    from tests.parity import models_for_cli

    path = tmp_path / "code.keras"
    models_for_cli.with_lambda().save(path)
    with pytest.raises(UnsupportedError, match=r"code\.keras': Lambda 'twice': a Lambda layer holds Python code"):
        loading.load(str(path))


def test_a_file_of_weights_alone_is_told_from_a_model(keras, tmp_path):
    from tests.parity import models_for_cli

    path = tmp_path / "good.weights.h5"
    models_for_cli.good().save_weights(path)
    with pytest.raises(FileError, match=r"it holds weights without a model; accepted: .* calls load_weights"):
        loading.load(str(path))
