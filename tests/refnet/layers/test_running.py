from __future__ import annotations

import numpy as np
import pytest

from refnet import activations
from refnet.errors import ShapeError
from refnet.layers.operations import Activate, Call, Matmul
from refnet.layers.running import Mixed, Segment, Simple, make_plan, make_ready

KERNEL = np.eye(2, dtype=np.float32)
RELU = Activate(activations.get("relu"))


def test_a_matrix_makes_a_plan_and_nothing_else_does():
    assert not isinstance(make_plan(Segment((Matmul(KERNEL, None),), 2, "float32")), Simple)
    assert isinstance(make_plan(Segment((RELU,), 2, "float32")), Simple)
    assert isinstance(make_plan(Segment((), None, "float32")), Simple)


def test_simple_runs_any_shape_and_owns_its_result():
    simple = Simple((RELU, Call(np.negative, "negative")), np.dtype("float64"))
    x = np.array(-1.5)
    assert simple(x) == 0.0
    assert simple(np.ones((2, 1, 3), np.float32)).dtype == np.float64
    nothing = Simple((), np.dtype("float32"))
    y = np.ones(3, np.float32)
    assert not np.shares_memory(nothing(y), y)
    assert str(nothing) == "identity"
    assert str(simple).splitlines()[1] == "negative"


def test_simple_cannot_multiply():
    with pytest.raises(TypeError, match="cannot run"):
        Simple((Matmul(KERNEL, None),), np.dtype("float32"))(np.ones((1, 2), np.float32))


def test_segments_of_two_dtypes_make_a_chain():
    segments = [
        Segment((Matmul(KERNEL.astype(np.float64) / 3, None),), 2, "float64"),
        Segment((Matmul(KERNEL, None),), 2, "float32"),
    ]
    ready = make_ready(segments, (None, 2), "model")
    assert isinstance(ready.plan, Mixed)
    assert len(str(ready.plan).splitlines()) >= 2
    result = ready.run([[0.1, 0.2]])
    np.testing.assert_array_equal(result, (np.array([[0.1, 0.2]]) * (1 / 3)).astype(np.float32))
    with pytest.raises(ShapeError, match=r"^model: input has shape \(1, 3\)"):
        ready.run([[1, 2, 3]])


@pytest.mark.parametrize(
    "after",
    [
        Segment((RELU,), 2, "float32"),
        Segment((Matmul(np.ones((2, 2)), None),), 2, "float32"),
        Segment((Call(lambda z: np.full(z.shape, 1e300), "large"),), 2, "float32"),
        Segment((Matmul(KERNEL, None), Call(lambda z: np.full(z.shape, 1e300), "large")), 2, "float32"),
    ],
)
def test_numbers_beyond_the_next_dtype_become_infinities_without_a_warning(after):
    ready = make_ready([Segment((Call(lambda z: z * 1e200, "grow"),), 2, "float64"), after], (None, 2), "model")

    np.testing.assert_array_equal(ready.run([[1e100, 1e100]]), [[np.inf, np.inf]])


def test_a_plan_checks_for_itself():
    ready = make_ready([Segment((Matmul(KERNEL, None),), 2, "float32")], (None, 2), "model")
    x = np.ones((3, 2), np.float32)
    assert ready.run(x).tobytes() == ready.plan(x).tobytes()
    with pytest.raises(ShapeError, match=r"^model: "):
        ready.run(np.zeros((1, 1, 2)))


def test_integers_are_cut_first_where_the_input_says_so():
    ready = make_ready([Segment((Matmul(KERNEL, None),), 2, "float32")], (None, 2), "model", "int32")
    np.testing.assert_array_equal(ready.run([[1.7, -1.7]]), [[1, -1]])
