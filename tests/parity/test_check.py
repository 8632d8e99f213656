from __future__ import annotations

import numpy as np
import pytest

import refnet
from parity import check, to_keras
from refnet import activations, layers
from refnet.errors import ArgumentError, DTypeError, NotBuiltError, ShapeError, UnsupportedError
from tests.parity.nets import build

pytestmark = pytest.mark.keras


def small(**kwargs):
    return build([5, 10, 3], ["tanh", "softmax"], "float32", 1, **kwargs)


def found(report):
    return {finding.name for finding in report.findings}


def test_the_name_means_the_function():
    import parity.check

    assert callable(parity.check)


def test_a_report_tells_all(keras):
    report = check(small(), batch=7, seed=3)
    assert report.verdict == "explained by rounding"
    assert report.agree
    assert report.exit_code == 0
    assert report.cause is None
    assert report.model == "net"
    assert report.input_shape == (7, 5)
    assert report.input_text == "normal, seed 3"
    assert [layer.name for layer in report.layers] == ["dense_0", "dense_1"]
    assert [layer.activation for layer in report.layers] == ["tanh", "softmax"]
    assert [out.runner for out in report.outputs] == ["call", "predict"]
    for layer in report.layers:
        for comparison in (layer.isolated, layer.cumulative):
            assert comparison.elements == np.prod(layer.output_shape)
            assert sum(comparison.histogram) == comparison.elements
            assert 0 <= comparison.ratio <= 1
            assert comparison.max_abs <= 2 * comparison.bound + 1e-6
            assert 0 <= comparison.equal <= 1
            assert comparison.own_closer + comparison.peer_closer <= comparison.elements
    assert {"keras", "numpy", "python", "tensorflow"} <= set(report.environment["versions"])


def test_the_same_check_gives_the_same_report(keras):
    model = small()
    first, again = check(model, seed=1), check(model, seed=1)
    assert first.to_dict()["layers"] == again.to_dict()["layers"]


def test_a_keras_model_is_checked_too(keras):
    assert check(to_keras(small()), through=("call",)).agree


@pytest.mark.parametrize("runner", ["call", "predict", "predict_on_batch", "tf-function", "xla", "numpy", "refnet"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_way_of_running_agrees(keras, runner, dtype):
    model = build([5, 20, 12, 3], ["gelu", "silu", "softmax"], dtype, 1)
    report = check(model, through=(runner,))
    assert report.agree
    assert report.outputs[0].comparison.elements == 32 * 3


def test_no_rows_work_and_predict_says_why_not(keras):
    report = check(small(), batch=0)
    assert report.agree
    assert report.outputs[1].comparison is None
    assert "0 rows" in report.outputs[1].note


def test_inputs_of_every_real_kind_are_taken_and_never_modified(keras):
    model = small()
    base = np.arange(10).reshape(2, 5)
    for x in (base, base.astype(bool), base.astype(np.float16), base.astype(">f8"), np.asfortranarray(base * 0.1)):
        x.flags.writeable = False
        copy = x.copy()
        assert check(model, x, through=("call",)).agree
        assert np.array_equal(x, copy)
    assert check(model, base.tolist(), through=("call",)).input_text == "given"


def test_a_file_is_taken(keras, tmp_path):
    np.save(tmp_path / "x.npy", np.ones((4, 5)))
    report = check(small(), tmp_path / "x.npy", through=("call",))
    assert report.input_text == "file x.npy"
    assert check(small(), str(tmp_path / "x.npy"), through=("call",)).input_shape == (4, 5)


def test_inputs_of_higher_rank_work(keras):
    model = refnet.Sequential([refnet.Input((3, 4)), layers.Dense(5, "relu"), layers.Softmax(axis=1), layers.Flatten()])
    assert check(model).agree
    assert check(model, "special").agree


def test_two_dtypes_in_one_model_work(keras):
    model = refnet.Sequential(
        [refnet.Input((4,)), layers.Dense(5, "tanh", dtype="float64"), layers.Dense(3, "relu", dtype="float32")]
    )
    assert check(model, through=("call",)).agree


def test_nan_weights_are_accepted_and_said(keras):
    model = small()
    kernel, bias = model.layers[0].get_weights()
    kernel[0, 0] = np.nan
    bias[3] = np.inf
    model.layers[0].set_weights([kernel, bias])
    report = check(model)
    assert report.agree
    assert "Dense 'dense_0': kernel holds 1 NaN value" in report.notes
    assert "Dense 'dense_0': bias holds 1 infinite value" in report.notes
    assert report.sentence.endswith("; 1 weight is NaN")
    model.layers[0].set_weights([kernel * np.nan, bias])
    assert check(model).sentence.endswith(f"; {kernel.size} weights are NaN")
    assert check(small()).nan_weights == 0


def nonfinite(columns):
    return np.resize(np.float32([np.nan, 1.0, np.inf, -np.inf, 2.0, -3.0, 0.5]), (9, columns))


@pytest.mark.parametrize("name", [n for n in activations.names() if not activations.get(n).required])
def test_nan_and_infinities_are_explained_or_known_for_every_activation(keras, name):
    model = build([4, 6, 4], [name if name != "glu" else "tanh", name], "float32", 1)
    report = check(model, nonfinite(4))
    assert report.agree, str(report)


def test_known_differences_are_found_by_name(keras):
    wide = np.random.default_rng(0).standard_normal((64, 6)).astype(np.float32)
    layer = refnet.Sequential([refnet.Input((6,)), layers.Activation("elu")])
    assert found(check(layer, wide * 1e-8, through=("call",))) == {"exp(x) - 1"}
    layer = refnet.Sequential([refnet.Input((6,)), layers.Activation("gelu")])
    assert found(check(layer, -np.abs(wide) * 2 - 4, through=("call",))) == {"gelu tail"}
    layer = refnet.Sequential([refnet.Input((6,)), layers.Activation("softplus")])
    assert found(check(layer, wide * 1e-4 - 13.945, through=("call",))) == {"softplus threshold"}
    layer = refnet.Sequential([refnet.Input((6,)), layers.Activation("exponential")])
    assert found(check(layer, wide * 0.1 - 89, through=("call",))) == {"subnormal flush"}
    layer = refnet.Sequential([refnet.Input((6,)), layers.Activation("silu")])
    assert found(check(layer, nonfinite(6), through=("call",))) == {"NaN at infinity"}


def test_what_predict_does_is_found_by_name(keras):
    model = build([6, 8, 4], ["relu", "relu"], "float32", 1)
    report = check(model, nonfinite(6))
    assert report.outputs[0].comparison.findings == ()
    assert {finding.name for finding in report.outputs[1].comparison.findings} == {"NaN lost in fused relu"}
    wide = build([6, 8, 4], ["tanh", "tanh"], "float64", 1)
    report = check(wide)
    assert report.outputs[0].comparison.verdict == "explained by rounding"
    assert {finding.name for finding in report.outputs[1].comparison.findings} == {"input in float32"}


def test_keras_wrong_sparsemax_is_known_by_its_issue(keras):
    report = check(build([6, 8], ["sparsemax"], "float32", 1), through=("call",))
    assert report.verdict == "known difference"
    assert [finding.issue for finding in report.findings] == ["keras#23425"]


def test_bad_use_is_refused_in_one_sentence(keras):
    model = small()
    for arguments, error, message in [
        ((3,), DTypeError, "check was given an object of type int; accepted: a model of refnet or of Keras"),
        ((model, np.ones((2, 4))), ShapeError, r"model 'net': input of shape \(2, 4\) does not fit"),
        ((model, [["a"] * 5]), DTypeError, "dtype <U1"),
        ((refnet.Sequential([layers.Dense(2)], name="u"),), NotBuiltError, "model 'u' is not built"),
    ]:
        with pytest.raises(error, match=message):
            check(*arguments)
    with pytest.raises(ArgumentError, match=r"runner 'cal' unknown; .*did you mean 'call'"):
        check(model, through=("cal",))
    with pytest.raises(ArgumentError, match=r"batch 1\.5 and seed 0 given; accepted: integers"):
        check(model, batch=1.5)
    with pytest.raises(ArgumentError, match=r"batch 32 and seed 'a' given; accepted: integers"):
        check(model, seed="a")
    with pytest.raises(ArgumentError, match="batch -1 is negative"):
        check(model, batch=-1)
    with pytest.raises(ArgumentError, match="two models of one library"):
        check(model, peer=model)
    with pytest.raises(ArgumentError, match="the models differ in their layers: Dense, Dense against Dense"):
        check(model, peer=to_keras(build([5, 3], ["relu"], "float32", 1)))


def test_a_users_function_cannot_be_judged(keras):
    model = refnet.Sequential([refnet.Input((3,)), layers.Dense(2, activation=lambda x: x * 2, name="d")])
    with pytest.raises(UnsupportedError, match="Dense 'd': activation '<lambda>' is a function of its own"):
        check(model)


@pytest.mark.parametrize("entry", ["float16", "bfloat16", "float32", "int32", "uint8", "bool"])
def test_an_input_narrower_than_the_model_is_rounded_for_both(keras, entry):
    hidden = keras.layers.Dense(4, "tanh", dtype="float64")
    model = keras.Sequential([keras.Input((5,), dtype=entry), hidden, keras.layers.Dense(2, dtype="float64")])
    report = check(model)
    assert report.agree
    assert not report.findings
    assert report.notes == (f"the input is converted to {entry} first, as the model's Input has it",)


@pytest.mark.parametrize("name", ["隠れ層", "hidden layer"])
def test_a_name_that_tensorflows_graphs_refuse_is_said(keras, name):
    model = refnet.Sequential([refnet.Input((4,)), layers.Dense(2, name=name)])
    report = check(model)
    assert report.agree
    assert [out.comparison is None for out in report.outputs] == [False, True]
    assert report.outputs[1].note == (
        f"TensorFlow's graphs take no layer or model named {name!r}; accepted: letters of ASCII, digits, . and -,"
        " and _ but not first"
    )
    model = refnet.Sequential([refnet.Input((4,)), layers.Dense(2)], name=name)
    assert repr(name) in check(model).outputs[1].note


def test_layers_that_differ_within_the_bound_are_said_in_the_verdict(keras):
    model = small()
    peer = to_keras(model)
    kernel, *others = model.get_weights()
    kernel[2, 3] = np.nextafter(kernel[2, 3], np.float32(9))
    model.set_weights([kernel, *others])
    report = check(model, peer=peer)
    assert report.agree
    assert report.sentence.endswith("; but layer 'dense_0' is not the same on both sides")
    assert any(note.startswith("Dense 'dense_0': weights differ") for note in report.notes)

    relu, relu6 = (build([5, 4], [name], "float32", 1) for name in ("relu", "relu6"))
    report = check(relu6, np.ones((2, 5)), peer=to_keras(relu))
    assert report.agree  # no number of this batch reaches 6
    assert report.unlike == ("dense_0",)
    assert "Dense 'dense_0': the activation differs: relu6 in refnet, relu in Keras" in report.notes
    assert check(small()).unlike == ()


def test_models_of_other_shapes_are_refused_in_one_sentence(keras):
    peer = to_keras(build([5, 4, 3], ["relu", "relu"], "float32", 1))
    for sizes, message in [
        ([7, 4, 3], r"differ in their input: shape \(None, 7\) in refnet and \(None, 5\) in Keras"),
        ([5, 9, 3], r"Dense 'dense_0' gives shape \(32, 9\) in refnet and \(32, 4\) in Keras"),
    ]:
        with pytest.raises(ShapeError, match=message):
            check(build(sizes, ["relu", "relu"], "float32", 1), peer=peer)
