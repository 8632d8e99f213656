"""Input that is converted in blocks: small ones here, so that few rows make many."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import numpy as np
import pytest

from refnet.engine import blocks, threads, workers
from refnet.engine.plan import Chain, Plan
from refnet.errors import DTypeError, ShapeError
from refnet.layers.operations import Call

#: The plan's tiles have so many rows, and its blocks too.
TILE = 256


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "team", lambda work: 1)


@pytest.fixture
def plan(net, monkeypatch) -> Plan:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)
    plan = Plan(net([7, 9, 4], ["relu", "softmax"]), 7, "float32", "Sequential 'm'")
    assert plan.parts[0].tile == TILE
    return plan


@pytest.fixture
def given(monkeypatch) -> list[np.ndarray]:
    """Return a list of what chains are called with from now on."""
    arrays: list[np.ndarray] = []
    run = Chain.__call__
    monkeypatch.setattr(Chain, "__call__", lambda self, x, y=None: (arrays.append(x), run(self, x, y))[1])
    return arrays


def random(*shape: int) -> np.ndarray:
    """Return numbers that float16 has, too."""
    return np.random.default_rng(0).integers(-99, 99, shape).astype(np.float32) / 16


def strided(x: np.ndarray) -> np.ndarray:
    return np.repeat(x, 2, axis=-1)[..., ::2]


def unaligned(x: np.ndarray) -> np.ndarray:
    return np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)


CHANGES = {
    "float64": np.float64,
    "float16": np.float16,
    "longdouble": np.longdouble,
    "byteorder": lambda x: x.astype(x.dtype.newbyteorder()),
    "fortran": np.asfortranarray,
    "strided": strided,
    "reversed": lambda x: x[::-1].copy()[::-1],
    "unaligned": unaligned,
    "subclass": lambda x: np.asfortranarray(x).view(type("Mine", (np.ndarray,), {})),
    "list": np.ndarray.tolist,
}


@pytest.mark.parametrize("rows", [TILE, TILE + 1, 2 * TILE, 3 * TILE - 5])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_bits_are_those_of_plain_rows(plan, change, rows):
    x = random(rows, 7)
    other = change(x)
    before = np.array(other)

    y = plan(other)

    assert (type(y), y.dtype, y.flags.carray, y.flags.owndata) == (np.ndarray, plan.dtype, True, True)
    assert y.tobytes() == plan(x).tobytes()
    assert np.array_equal(other, before)


@pytest.mark.parametrize(
    "lead", [(600, 1), (5, 300), (300, 5), (2, 2, 300), (2, 300, 2), (2, 256), (2, 257), (0, 300), (300, 0), (3, 0, 2)]
)
@pytest.mark.parametrize("change", [np.float64, strided, np.asfortranarray], ids=["float64", "strided", "fortran"])
def test_rows_may_have_any_shape_in_front(plan, change, lead):
    x = random(*lead, 7)

    y = plan(change(x))

    assert (y.shape, y.flags.carray) == ((*lead, 4), True)
    assert y.tobytes() == plan(x.reshape(-1, 7)).tobytes()


@pytest.mark.parametrize("shape", [(1000, 7), (9, 100, 7), (2, 700, 7)])
def test_no_block_has_more_rows_than_a_tile(plan, given, shape):
    plan(np.float64(random(*shape)))

    assert sum(x.size for x in given) == np.prod(shape)
    assert max(len(x) for x in given) <= TILE < len(given) * TILE


def test_a_block_has_a_tile_for_each_thread(plan, given, monkeypatch):
    monkeypatch.setattr(blocks, "team", lambda work: 3)
    plan(np.float64(random(1000, 7)))

    assert [len(x) for x in given] == [3 * TILE, 1000 - 3 * TILE]


def test_threads_do_not_change_a_bit(plan, monkeypatch):
    monkeypatch.setattr("refnet.engine.plan.PARALLEL_WORK", 0)
    monkeypatch.setattr(blocks, "team", workers.team)
    monkeypatch.setattr(threads, "cores", functools.cache(lambda: 8))
    x, expected = np.float64(random(3000, 7)), plan(random(3000, 7)).tobytes()
    for n in (1, 2, 3, 8):
        monkeypatch.setattr(threads, "_chosen", n)

        assert plan(x).tobytes() == expected


def test_narrow_rows_fill_a_block(net, given):
    plan = Plan(net([1, 2], ["relu"]), 1, "float32")
    plan(np.zeros((1_000_000, 1)))

    assert blocks.BLOCK_BYTES / 2 < given[0].nbytes <= blocks.BLOCK_BYTES


@pytest.mark.parametrize("shape", [(1000, 7), (20, 50, 7)])
def test_a_read_only_array_is_read_where_it_is(plan, given, shape):
    x = random(*shape)
    expected = plan(x).tobytes()
    given.clear()
    x.flags.writeable = False

    assert plan(x).tobytes() == expected
    assert [np.shares_memory(each, x) for each in given] == [True]


def test_rows_without_numbers(net, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)
    plan = Plan(net([0, 3], ["linear"]), 0, "float32")

    assert plan(np.zeros((600, 0))).tobytes() == plan(np.zeros((600, 0), np.float32)).tobytes()


@pytest.mark.filterwarnings("error")
def test_special_values_in_every_block(net, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)
    plan = Plan(net([1, 1], ["linear"], bias=False), 1, "float32")
    x = np.resize([np.nan, np.inf, -1e300, 1e-300], (4 * TILE, 1))
    with np.errstate(over="ignore", under="ignore"):
        plain = x.astype(np.float32)

    assert plan(x).tobytes() == plan(plain).tobytes()
    assert np.isnan(plan(x)).sum() == TILE


@pytest.mark.parametrize(
    ("x", "error"),
    [
        (np.zeros((1000, 8)), ShapeError),
        (np.zeros(1000), ShapeError),
        (np.zeros((1000, 7), complex), DTypeError),
        ([[0.0] * 7] * 999 + [[0.0] * 6], ShapeError),
        ([[0.0] * 7] * 999 + [["text"] * 7], DTypeError),
    ],
)
def test_what_does_not_fit_is_found_before_anything_is_computed(plan, given, x, error):
    with pytest.raises(error, match=r"^Sequential 'm': [^\n]*$"):
        plan(x)
    assert not given


def test_a_python_function_sees_the_whole_batch(net, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)
    shapes: list[Any] = []
    seen = Call(lambda y: (shapes.append(y.shape), y - y.mean(axis=0))[1], "centred")
    operations = [*net([7, 9], ["relu"]), seen, *net([9, 4], ["softmax"])]
    x = random(1000, 7)

    assert Plan(operations, 7, "float32")(np.float64(x)).tobytes() == Plan(operations, 7, "float32")(x).tobytes()
    assert shapes == [(1000, 9)] * 2
    Plan([seen], 7, "float32")(np.float64(x))
    assert shapes.pop() == (1000, 7)


def test_ctrl_c_comes_between_two_blocks(plan, monkeypatch):
    x, expected = np.float64(random(1000, 7)), plan(random(1000, 7)).tobytes()
    turns, convert = itertools.count(), blocks.as_plain

    def interrupted(*arguments: Any) -> Any:
        if next(turns) == 2:
            raise KeyboardInterrupt
        return convert(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(blocks, "as_plain", interrupted)
        with pytest.raises(KeyboardInterrupt):
            plan(x)

    assert plan(x).tobytes() == expected
