"""No kernel reads or writes outside its arrays: every array stands against a page that may not be touched."""

from __future__ import annotations

import ctypes
import itertools
import signal
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest

import refnet
from refnet import activations
from refnet.engine import apply as engine_apply, plan as engine_plan
from refnet.engine.apply import PARALLEL_ELEMENTS, apply
from refnet.engine.pack import pack, panel_columns
from refnet.engine.plan import Plan
from refnet.layers.operations import Activate, Columnwise, Matmul, affine
from refnet.layers.prelu import prelu
from tests.refnet.engine.apart import with_cores
from tests.refnet.engine.guards import run_guarded
from tests.refnet.engine.test_gemm import INNER
from tests.refnet.engine.test_halves import STEP, compiled as in_halves, without_a_jump

LENGTHS = [*range(70), *range(126, 131), *range(254, 259), *range(1022, 1027), 2049]
ROWS = [*range(1, 18), *range(31, 34), *range(255, 258), 513]
WIDTHS = [*range(1, 100), *range(127, 130), *range(191, 194), *range(255, 258)]
DTYPES = ("float32", "float64")


def compiled(kind: str) -> Iterator[activations.Activation]:
    for name in activations.names():
        activation = activations.get(name)
        if activation.kind == kind:
            yield activation.with_parameters(**dict.fromkeys(activation.required, 0.5))
            yield from (activation.with_parameters(**{flag: True}) for flag in activation.flags)


def numbers(*shape: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def elementwise() -> None:
    for activation in compiled("elementwise"):
        for dtype in (*DTYPES, "float16"):
            print(activation, dtype)
            for length in LENGTHS:
                activation(numbers(length, dtype=dtype))


def row_counts(columns: int) -> tuple[int, ...]:
    """Return how many rows to try: around a step's lanes, and more than are computed together."""
    return (0, 1, 2, 3, 7, *((16, 17, 33, 64, 150, 300) if columns < 70 else (4,)), *((2100,) if columns < 9 else ()))


def rowwise() -> None:
    for activation in compiled("rowwise"):
        for dtype in (*DTYPES, "float16"):
            for columns in LENGTHS[1:]:  # the work space is kept until a longer row comes: its end is that of this row
                print(activation, dtype, columns)
                for rows in row_counts(columns):
                    activation(numbers(rows, columns, dtype=dtype))


def array() -> None:
    for activation in compiled("array"):
        for dtype in (*DTYPES, "float16"):
            for columns in LENGTHS[1:]:
                print(activation, dtype, columns)
                for rows in row_counts(columns):
                    activation(numbers(rows, columns, dtype=dtype))


def gated() -> None:
    for activation in compiled("gated"):
        for dtype in (*DTYPES, "float16"):
            for half in LENGTHS:
                print(activation, dtype, half)
                for rows in (0, 1, 2, 3, 7, *((64, 97) if half < 70 else (4,))):
                    activation(numbers(rows, 2 * half, dtype=dtype))


def streaming() -> None:
    engine_apply.STREAMED_BYTES = 0
    for activation in compiled("elementwise"):
        for dtype in DTYPES:
            print(activation, dtype)
            for length in LENGTHS:
                apply(activation, numbers(length, dtype=dtype))


def columnwise() -> None:
    for dtype in DTYPES:
        for columns in LENGTHS[1:]:
            alpha, scale, shift = (numbers(columns, dtype=dtype) for _ in range(3))
            steps = [Columnwise(affine, (scale, shift)), Columnwise(prelu, (alpha,))]
            print(dtype, columns)
            every_row_count(Plan(steps, columns, dtype), (1, 2, 9))


def matrix() -> None:
    for dtype in DTYPES:
        for columns in WIDTHS:
            for inner in (0, 1, 2, 5):
                bias = numbers(columns, dtype=dtype) if inner % 2 else None
                every_row_count(Plan([Matmul(numbers(inner, columns, dtype=dtype), bias)], inner, dtype))


def long_sums() -> None:
    for dtype in DTYPES:
        for inner in (*LENGTHS[1:], *INNER, 3000):
            for columns in (1, 17, 50):
                weight, bias = numbers(inner, columns, dtype=dtype), numbers(columns, dtype=dtype)
                every_row_count(Plan([Matmul(weight, bias)], inner, dtype), (1, 3, 9, 17))


def walk() -> None:
    names = [activation for kind in ("elementwise", "rowwise", "gated", "array") for activation in compiled(kind)]
    rng = np.random.default_rng(1)
    for case in range(150):
        dtype = DTYPES[case % 2]
        sizes = rng.choice(WIDTHS, rng.integers(2, 5))
        operations: list[Matmul | Activate] = []
        for inner, columns in itertools.pairwise(sizes):
            activation = names[rng.integers(len(names))]
            units = 2 * columns if activation.kind == "gated" else columns
            operations.append(Matmul(numbers(inner, units, dtype=dtype), numbers(units, dtype=dtype)))
            operations.append(Activate(activation))
        print(sizes, operations[1::2])
        every_row_count(Plan(operations, sizes[0], dtype), (1, 2, *rng.choice(ROWS, 3)))


def threads() -> None:
    refnet.set_num_threads(3)
    with_cores(3)
    engine_plan.PARALLEL_WORK = 0
    for dtype in DTYPES:
        for rows, inner, columns in ((401, 64, 100), (2049, 47, 33), (1, 2000, 2003), (3, 1999, 1025)):
            print(dtype, rows, inner, columns)
            weight, bias = numbers(inner, columns, dtype=dtype), numbers(columns, dtype=dtype)
            activation = Activate(activations.get("softmax" if rows % 3 else "sigmoid"))
            every_row_count(Plan([Matmul(weight, bias), activation], inner, dtype), (rows,))
        activations.get("tanh")(numbers(PARALLEL_ELEMENTS + 1, dtype=dtype))
        activations.get("softmax")(numbers(PARALLEL_ELEMENTS // 101 + 2, 101, dtype=dtype))


def columns() -> None:
    """Few rows, whose columns are shared in units of one panel: widths around the edges of panels and of vectors."""
    refnet.set_num_threads(3)
    with_cores(3)
    engine_plan.PARALLEL_WORK, engine_plan.UNIT_WORK = 0, 1
    engine_plan._cost_by_columns = lambda steps: 0  # type: ignore[assignment]
    for dtype in DTYPES:
        panel = panel_columns(np.dtype(dtype).itemsize)
        for width in (1, 2, 5, panel - 1, panel, panel + 1, 2 * panel - 1, 2 * panel + 3, 3 * panel, 5 * panel + 7):
            for inner in (1, 2, 37, 300):
                for name in ("relu", "softmax"):
                    weights = numbers(inner, width, dtype=dtype), numbers(width, 19, dtype=dtype)
                    activation = Activate(activations.get(name))
                    operations = [Matmul(weights[0], numbers(width, dtype=dtype)), activation, Matmul(weights[1], None)]
                    plan = Plan(operations[: 3 if inner % 2 else 2], inner, dtype)
                    assert plan._only is not None
                    assert plan._only._part(1, 3) == 0
                    every_row_count(plan, range(1, 9))
                every_row_count(plan, (13, 17, 63))


def every_row_count(plan: Plan, counts: Iterable[int] = ROWS) -> None:
    """Run a plan on so many rows each; the first and the last row are as they are alone."""
    for rows in counts:
        print(*str(plan).splitlines()[2:], plan.dtype, rows)
        x = numbers(rows, plan.in_features, dtype=plan.dtype.name)
        y = plan(x)
        for row in (0, rows - 1):
            assert y[row].tobytes() == plan(x[row : row + 1]).tobytes()


def steps_in_halves() -> None:
    """On every processor, also where its kernels are not cut."""
    run = in_halves(without_a_jump, halves=True)
    for count in (STEP, STEP + 3, 2 * STEP, 5 * STEP):
        print(count)
        run(numbers(count), np.empty(count, np.float32))


KINDS = [elementwise, rowwise, array, gated, columnwise, streaming, matrix, long_sums, walk, threads, columns]


@pytest.mark.parametrize("end", [True, False], ids=["end", "start"])
@pytest.mark.parametrize("function", [*KINDS, steps_in_halves])
def test_nothing_outside_the_arrays_is_touched(function: Callable[[], None], end: bool):
    run_guarded(function, end)


def one_too_far() -> None:
    x = numbers(5)
    print("behind")
    ctypes.string_at(x.ctypes.data, x.nbytes + 1)


def one_weight_too_far() -> None:
    packed = pack(numbers(5, 3))
    print("behind")
    ctypes.string_at(packed.ctypes.data, packed.nbytes + 1)


def one_too_early() -> None:
    x = numbers(5)
    print("before")
    ctypes.string_at(x.ctypes.data - 1, 1)


@pytest.mark.parametrize(("function", "end"), [(one_too_far, True), (one_weight_too_far, True), (one_too_early, False)])
def test_a_guard_ends_the_process(function, end):
    with pytest.raises(AssertionError, match=rf"exit code {-signal.SIGSEGV} after printing \['be"):
        run_guarded(function, end)
