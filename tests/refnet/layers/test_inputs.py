from __future__ import annotations

import numpy as np
import pytest

from refnet.errors import DTypeError, ShapeError
from refnet.layers.inputs import as_input, as_real_array, check_shape

WHO = "Sequential 'm'"
X = np.random.default_rng(1).standard_normal((3, 5))


def in_many_forms() -> dict[str, np.ndarray]:
    """Return the same numbers, exact in float16, in many layouts and types."""
    plain = np.round(X * 8) / 8
    readonly = plain.copy()
    readonly.flags.writeable = False
    wide = np.zeros((6, 10))
    wide[::2, ::2] = plain
    raw = np.zeros(plain.nbytes + 1, np.uint8)
    unaligned = raw[1:].view(np.float64).reshape(plain.shape)
    unaligned[...] = plain
    return {
        "float64": plain,
        "float32": plain.astype(np.float32),
        "float16": plain.astype(np.float16),
        "longdouble": plain.astype(np.longdouble),
        "big-endian": plain.astype(">f8"),
        "big-endian float32": plain.astype(">f4"),
        "fortran": np.asfortranarray(plain),
        "strided": wide[::2, ::2],
        "reversed": plain[::-1, ::-1][::-1, ::-1],
        "read-only": readonly,
        "unaligned": unaligned,
    }


@pytest.mark.parametrize("form", in_many_forms())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_form_gives_the_same_array_and_is_left_alone(form, dtype):
    x = in_many_forms()[form]
    before = x.tobytes()
    result = as_input(x, (None, 5), dtype, WHO)
    np.testing.assert_array_equal(result, in_many_forms()["float64"].astype(dtype))
    assert result.dtype == dtype
    assert result.dtype.isnative
    assert result.flags.c_contiguous
    assert result.flags.aligned
    assert x.tobytes() == before


@pytest.mark.parametrize("x", [[[1, 2]], [(1.0, 2.0)], np.array([[1, 2]]), np.array([[1, 2]], np.uint8)])
def test_lists_and_integers(x):
    np.testing.assert_array_equal(as_input(x, (None, 2), "float32", WHO), np.array([[1, 2]], np.float32))


def test_booleans():
    np.testing.assert_array_equal(as_input([[True, False]], (None, 2), "float32", WHO), [[1, 0]])


def test_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 needs ml_dtypes")
    x = np.array([[1.5, -2.0]], ml_dtypes.bfloat16)
    np.testing.assert_array_equal(as_input(x, (None, 2), "float32", WHO), [[1.5, -2.0]])


def test_what_fits_is_not_copied():
    x = np.zeros((3, 5), np.float32)
    assert as_input(x, (None, 5), "float32", WHO) is x


def test_subclasses_become_plain_arrays():
    class Mine(np.ndarray):
        pass

    assert type(as_input(np.zeros((1, 2), np.float32).view(Mine), (None, 2), "float32", WHO)) is np.ndarray


def test_numbers_beyond_float32_become_infinite_without_a_warning():
    np.testing.assert_array_equal(as_input([[1e300, -1e300]], (None, 2), "float32", WHO), [[np.inf, -np.inf]])


def test_any_number_of_axes_where_only_the_last_counts():
    assert as_input(np.zeros((2, 3, 5)), (None, 5), "float32", WHO, any_rank=True).shape == (2, 3, 5)


def test_zero_rows_and_zero_axes():
    assert as_input(np.zeros((0, 5)), (None, 5), "float32", WHO).shape == (0, 5)
    assert as_input(1.5, None, "float32", WHO).shape == ()


class Tensor:
    """Something that NumPy can read, as a tensor of another library is."""

    def __array__(self, dtype=None, copy=None):
        return np.ones((2, 5), dtype)


class Stubborn:
    def __init__(self, error=RuntimeError):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error("on another device")


def test_array_likes():
    assert as_input(Tensor(), (None, 5), "float32", WHO).shape == (2, 5)


@pytest.mark.parametrize(
    ("x", "found"),
    [
        ("abc", "input is text (str)"),
        (b"abc", "input is text (bytes)"),
        ([["a", "b"]], "input of text (<U1)"),
        (np.zeros((3, 5), complex), "input of complex numbers (complex128)"),
        ([[10**400]], "input of an integer beyond 64 bits is not accepted"),
        (np.zeros((3, 5), object), "input of Python objects"),
        ([[1, None]], "input of Python objects"),
        (None, "input of type NoneType"),
        ({1: 2}, "input of type dict"),
        (iter([1]), "input of type list_iterator"),
        (np.zeros(3, "datetime64[s]"), "input of dtype datetime64[s]"),
        (np.zeros(3, [("a", "f4")]), "input of dtype [('a', '<f4')]"),
        (np.ma.zeros((3, 5)), "input is a masked array"),
        (Stubborn(), "input of type Stubborn cannot be read as numbers"),
        (Stubborn(ValueError), "input of type Stubborn cannot be read as numbers"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_numbers_is_refused(x, found):
    with pytest.raises(DTypeError) as caught:
        as_real_array(x, WHO)
    message = str(caught.value)
    assert message.startswith(f"{WHO}: {found}")
    assert "accepted: an array of real numbers" in message
    assert "\n" not in message


@pytest.mark.parametrize("x", [[[1, 2], [3]], [[1], 2], ([1, 2], [[3]])])
def test_ragged_lists_are_refused(x):
    with pytest.raises(ShapeError, match=r"^Sequential 'm': input is ragged .*; accepted: a rectangular array$"):
        as_real_array(x, WHO)


def test_another_word_for_the_input():
    with pytest.raises(DTypeError, match=r"^Dense 'd': kernel of complex numbers"):
        as_real_array(np.zeros(3, complex), "Dense 'd'", "kernel")


@pytest.mark.parametrize(
    ("found", "accepted", "any_rank"),
    [
        ((3, 5), (None, 5), False),
        ((3, 5), (7, 5), False),
        ((3, 9), (None, None), False),
        ((3, 2, 5), (None, None, 5), False),
        ((3, 2, 5), (None, 5), True),
        ((3, 5), (None, 5), True),
        ((3,), (None,), False),
    ],
)
def test_shapes_that_fit(found, accepted, any_rank):
    check_shape(found, accepted, WHO, any_rank=any_rank)


@pytest.mark.parametrize(
    ("found", "accepted", "any_rank", "message"),
    [
        (
            (5,),
            (None, 5),
            False,
            "input has one axis, of size 5; accepted: shape (rows, 5) (for one row, x[np.newaxis, :])",
        ),
        ((), (None, 5), False, "input has 0 axes, shape (); accepted: shape (rows, 5)"),
        ((), (None,), True, "input has 0 axes, shape (); accepted: shape (rows,)"),
        ((3, 4), (None, 5), False, "input has shape (3, 4); accepted: shape (rows, 5)"),
        ((3, 4, 5), (None, 2, 5), False, "input has shape (3, 4, 5); accepted: shape (rows, 2, 5)"),
        ((2, 3, 5), (None, 5), False, "input has 3 axes, shape (2, 3, 5); accepted: shape (rows, 5)"),
        ((2, 5), (None, None, 5), False, "input has 2 axes, shape (2, 5); accepted: shape (rows, any, 5)"),
        ((2, 3, 4), (None, 5), True, "input has shape (2, 3, 4); accepted: shape (rows, ..., 5)"),
        ((2, 3), (None,), False, "input has 2 axes, shape (2, 3); accepted: shape (rows,)"),
    ],
)
def test_shapes_that_do_not_fit(found, accepted, any_rank, message):
    with pytest.raises(ShapeError) as caught:
        check_shape(found, accepted, WHO, any_rank=any_rank)
    assert str(caught.value) == f"{WHO}: {message}"
