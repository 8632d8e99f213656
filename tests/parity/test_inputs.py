from __future__ import annotations

import numpy as np
import pytest

from parity.inputs import KINDS, fit, from_file, make
from refnet.errors import ArgumentError, DTypeError, FileError, ShapeError


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_batch_is_the_same_for_the_same_seed(kind, dtype):
    first, again, other = (make(kind, (50, 4), seed=seed, dtype=dtype) for seed in (1, 1, 2))
    assert first.dtype == dtype
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()
    assert np.isfinite(first).all() == (kind != "nonfinite")


def test_special_values_hold_what_engines_get_wrong():
    x = make("special", (2000, 3))
    assert ((x == 0) & np.signbit(x)).any()
    assert ((x != 0) & (np.abs(x) < np.finfo(np.float32).tiny)).any()
    assert (np.abs(x) > 1e18).any()
    everything = make("nonfinite", (2000, 3))
    assert np.isnan(everything).any()
    assert np.isposinf(everything).any()
    assert np.isneginf(everything).any()


def test_no_rows_are_a_batch_too():
    assert make("normal", (0, 5)).shape == (0, 5)


def test_an_unknown_kind_names_the_nearest():
    with pytest.raises(ArgumentError, match=r"input 'norml' unknown; accepted: .*did you mean 'normal'"):
        make("norml", (1, 1))
    with pytest.raises(ArgumentError, match="seed -1 is negative"):
        make("normal", (1, 1), seed=-1)


def test_files_are_read(tmp_path):
    x = np.arange(6.0).reshape(2, 3)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x)
    assert np.array_equal(from_file(tmp_path / "x.npy"), x)
    assert np.array_equal(from_file(str(tmp_path / "x.npz")), x)


def test_bad_files_are_refused_in_one_sentence(tmp_path):
    np.savez(tmp_path / "two.npz", a=1, b=2)
    np.save(tmp_path / "complex.npy", np.ones(2, complex))
    np.save(tmp_path / "objects.npy", np.array([{}], object))
    (tmp_path / "broken.npy").write_bytes(b"no array")
    (tmp_path / "broken.npz").write_bytes(b"PK no archive")
    (tmp_path / "x.txt").write_text("1 2 3")
    for name, error, message in [
        ("none.npy", FileError, "does not exist"),
        ("two.npz", FileError, "holds 2 arrays; accepted: exactly one"),
        ("complex.npy", DTypeError, "holds dtype complex128"),
        ("objects.npy", FileError, "damaged or holds Python objects"),
        ("broken.npy", FileError, "damaged or holds Python objects"),
        ("broken.npz", FileError, "damaged or holds Python objects"),
        ("x.txt", FileError, "ends in '.txt'; accepted: a .npy or .npz file"),
    ]:
        with pytest.raises(error, match=message) as caught:
            from_file(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_an_input_is_converted_once_and_never_modified():
    given = np.arange(6, dtype=">f8").reshape(2, 3, order="F")
    copy = given.copy()
    x = fit(given, (None, 3), np.dtype("float32"), "model 'm'")
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    assert x.dtype.isnative
    assert np.array_equal(given, copy)
    assert fit([[True, False, True]], (None, 3), np.dtype("float64"), "m").tolist() == [[1.0, 0.0, 1.0]]


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([[1, 2]], ShapeError, r"model 'm': input of shape \(1, 2\) does not fit; accepted: \(any number of rows, 3\)"),
        ([1, 2, 3], ShapeError, "does not fit"),
        ([[1, 2, 3], [1]], ShapeError, "ragged"),
        ([["a", "b", "c"]], DTypeError, "dtype <U1 is not accepted"),
        ([[1j, 2, 3]], DTypeError, "complex128"),
    ],
)
def test_what_does_not_fit_is_named(x, error, message):
    with pytest.raises(error, match=message):
        fit(x, (None, 3), np.dtype("float32"), "model 'm'")
