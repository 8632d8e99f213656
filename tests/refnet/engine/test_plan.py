from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import refnet.engine.threads as engine_threads
from refnet import activations
from refnet.engine.machine import machine
from refnet.engine.pack import panel_columns
from refnet.engine.plan import LARGE_TILE_ROWS, LARGE_WEIGHT, Chain, Plan, buffers
from refnet.errors import DTypeError, ShapeError
from refnet.layers.operations import Activate, Call, Columnwise, Matmul, affine
from refnet.layers.prelu import prelu


def rows(plan: Plan, n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, plan.in_features)).astype(plan.dtype)


def in_float64(operations: list, x: np.ndarray) -> np.ndarray:
    y = x.astype(np.float64)
    for operation in operations:
        if isinstance(operation, Matmul):
            y = y @ operation.weight.astype(np.float64)
            y = y if operation.bias is None else y + operation.bias
        else:
            y = operation.activation.numpy(y)
    return y


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(1, 130), min_size=2, max_size=5),
    dtype=st.sampled_from(["float32", "float64"]),
    bias=st.booleans(),
    data=st.data(),
)
def test_each_row_has_the_same_bits_in_every_batch(net, sizes, dtype, bias, data):
    names = [data.draw(st.sampled_from(["relu", "softmax", "tanh", "linear"])) for _ in sizes[1:]]
    plan = Plan(net(sizes, names, dtype, bias), sizes[0], dtype)
    n = data.draw(st.integers(1, 70))
    x = rows(plan, n)
    expected = plan(x)
    first = data.draw(st.integers(0, n - 1))
    last = data.draw(st.integers(first + 1, n))

    actual = plan(x[first:last])

    assert actual.tobytes() == expected[first:last].tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", [[5, 10, 10, 10], [784, 512, 10], [1, 1], [300, 49, 97], [2000, 3], [3, 2000]])
def test_result_is_within_the_bound_of_the_float64_truth(net, dtype, sizes):
    operations = net(sizes, ["linear"] * (len(sizes) - 1), dtype)
    plan = Plan(operations, sizes[0], dtype)
    x = rows(plan, 33)
    wide = np.longdouble
    y, bound = x.astype(wide), np.zeros(x.shape, wide)
    unit = wide(np.finfo(dtype).eps) / 2
    for operation in operations[::2]:
        w, b = operation.weight.astype(wide), operation.bias.astype(wide)
        k = len(w) + 1
        gamma = k * unit / (1 - k * unit)
        bound = bound @ np.abs(w) + gamma * ((np.abs(y) + bound) @ np.abs(w) + np.abs(b))
        y = y @ w + b

    error = np.abs(plan(x) - y)

    assert (error <= bound).all()


def test_error_is_no_worse_than_numpys_matmul_on_average(net):
    """NumPy's BLAS sums in other orders for one row (many lanes: better), a few, and many (long sums: worse)."""
    ratios: dict[int, list[float]] = {1: [], 8: [], 64: []}
    for inner in (64, 100, 256, 512, 784, 1024, 2048, 4096):
        operations = net([inner, 200], ["linear"])
        plan, weight, bias = Plan(operations, inner, "float32"), operations[0].weight, operations[0].bias
        for batch, found in ratios.items():
            ours, numpys = 0.0, 0.0
            for part in np.split(rows(plan, 64), 64 // batch):
                truth = part.astype(np.float64) @ weight + bias
                ours += np.abs(plan(part) - truth).mean()
                numpys += np.abs(part @ weight + bias - truth).mean()
            found.append(ours / numpys)
    means = {batch: float(np.mean(found)) for batch, found in ratios.items()}
    print("mean error, NumPy's = 1, by rows:", means)

    assert np.mean([*means.values()]) <= 1.0


def test_threads_do_not_change_a_bit(net, monkeypatch):
    monkeypatch.setattr("refnet.engine.plan.PARALLEL_WORK", 0)
    plan = Plan(net([64, 96, 10], ["tanh", "softmax"]), 64, "float32")
    x = rows(plan, 1003)
    monkeypatch.setattr(engine_threads, "_chosen", 1)
    expected = plan(x)
    for n in range(2, 9):
        monkeypatch.setattr(engine_threads, "_chosen", n)

        assert plan(x).tobytes() == expected.tobytes()


def test_many_threads_may_run_one_plan(net):
    plan = Plan(net([20, 300, 10], ["sigmoid", "softmax"]), 20, "float32")
    x = rows(plan, 200)
    expected = plan(x).tobytes()
    start = threading.Barrier(8)

    def work(_: int) -> bool:
        start.wait()
        return all(plan(x).tobytes() == expected for _ in range(30))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: x[::-1][::-1],
        lambda x: x.astype(x.dtype.newbyteorder()),
        lambda x: x.astype(np.float64),
        lambda x: x.tolist(),
    ],
    ids=["fortran", "strided", "reversed", "byteorder", "float64", "list"],
)
def test_any_layout_gives_the_same_bits_and_is_not_modified(net, change):
    plan = Plan(net([7, 9, 4], ["relu", "softmax"]), 7, "float32")
    x = rows(plan, 12)
    given_x = change(x)
    before = np.array(given_x, copy=True)

    assert plan(given_x).tobytes() == plan(x).tobytes()
    assert np.array(given_x).tobytes() == before.tobytes()


def test_read_only_input(net):
    plan = Plan(net([7, 4], ["relu"]), 7, "float32")
    x = rows(plan, 3)
    expected = plan(x)
    x.flags.writeable = False

    assert plan(x).tobytes() == expected.tobytes()


@pytest.mark.parametrize("lead", [(0,), (3, 0), (2, 3)])
def test_rows_may_have_any_shape_in_front(net, lead):
    plan = Plan(net([7, 4], ["relu"]), 7, "float32")
    x = np.random.default_rng(0).standard_normal((*lead, 7)).astype(np.float32)

    y = plan(x)

    assert y.shape == (*lead, 4)
    assert y.tobytes() == plan(x.reshape(-1, 7)).tobytes()


def test_no_inputs_and_no_columns():
    weight, bias = np.zeros((0, 3), np.float32), np.array([1, 2, 3], np.float32)
    assert Plan([Matmul(weight, bias)], 0, "float32")(np.zeros((2, 0), np.float32)).tolist() == [[1, 2, 3]] * 2


def test_without_operations_the_result_is_a_copy():
    x = np.ones((2, 3), np.float32)
    y = Plan([], 3, "float32")(x)

    assert y.tolist() == x.tolist()
    assert not np.shares_memory(x, y)


def test_only_activations(net):
    x = np.array([[-1.0, 0.0, 2.0]], np.float32)
    plan = Plan([Activate(activations.get("relu")), Activate(activations.get("tanh"))], 3, "float32")

    assert plan(x).tobytes() == activations.get("tanh")(activations.get("relu")(x)).tobytes()
    assert x.tolist() == [[-1.0, 0.0, 2.0]]


def test_python_functions_stand_between_chains(net):
    first, second = net([5, 6], ["relu"]), net([12, 2], ["softmax"])
    doubled = Call(lambda y: np.concatenate([y, y], axis=-1), "twice")
    plan = Plan([*first, doubled, *second], 5, "float32")
    x = rows(plan, 4)
    middle = Plan(first, 5, "float32")(x)

    expected = Plan(second, 12, "float32")(np.concatenate([middle, middle], axis=-1))

    assert plan(x).tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "name", [name for name in activations.names() if activations.REGISTRY[name].kind != "elementwise"]
)
def test_rows_of_an_activation_are_those_that_it_gives_alone(name, dtype):
    block = activations.get(name)
    weight = np.random.default_rng(0).standard_normal((150, 37)).astype(dtype)
    inner = 75 if block.kind == "gated" else 150
    plan = Plan([Activate(block), Matmul(weight[:inner], None), Activate(activations.get("relu"))], 150, dtype)
    x = rows(plan, 300)

    assert [type(part) for part in plan.parts] == [Chain]
    assert (
        plan(x).tobytes()
        == Plan([Matmul(weight[:inner], None), Activate(activations.get("relu"))], inner, dtype)(block(x)).tobytes()
    )


def test_an_activation_after_a_python_function():
    plan = Plan([Call(lambda y: y[:, :2], "cut"), Activate(activations.get("relu"))], 3, "float32")
    assert plan(np.array([[-1.0, 2.0, 3.0]], np.float32)).tolist() == [[0.0, 2.0]]


def test_special_values_flow_through():
    plan = Plan([Matmul(np.eye(4, dtype=np.float32), None), Activate(activations.get("relu"))], 4, "float32")
    x = np.array([[np.nan, 1.0, 2.0, 3.0], [-0.0, 1e-45, np.finfo(np.float32).max, -1.0]], np.float32)

    y = plan(x)

    assert np.isnan(y[0]).all()  # NaN times zero is NaN
    assert y[1].tolist() == [0.0, float(np.float32(1e-45)), float(np.finfo(np.float32).max), 0.0]


@pytest.mark.parametrize(
    ("x", "error"),
    [
        (np.zeros((2, 6), np.float32), ShapeError),
        (np.zeros(5, np.float32), ShapeError),
        (np.zeros((2, 5), np.complex64), DTypeError),
        (np.array([["a"] * 5]), DTypeError),
        ([[1.0] * 5, [1.0] * 4], ShapeError),
    ],
)
def test_bad_input_is_one_sentence_that_names_the_model(net, x, error):
    plan = Plan(net([5, 2], ["relu"]), 5, "float32", "Sequential 'my_model'")
    with pytest.raises(error, match=r"^Sequential 'my_model': [^\n]*$"):
        plan(x)


def test_the_plan_tells_its_story(net):
    slopes = Columnwise(prelu, (np.zeros(100),))
    plan = Plan([*net([5, 100, 3], ["relu", "softmax"])[:2], slopes], 5, "float32", "Sequential 'm'")
    head, tiles, *lines = str(plan).splitlines()

    assert head.startswith("Plan of Sequential 'm': float32 on ")
    assert tiles == "  tiles of 256 rows through"
    panel, height = panel_columns(4), machine().tile[0]
    assert lines == [
        f"    x -> 1   z = x W + b   (5, 100)   panels {-(-100 // panel)} x {panel}   blocks {height} x 3 vectors",
        "    1 -> 2   <activation relu: max(x, 0)>   (100,)   relu-float32-fixed",
        "    2 -> y   prelu, (100,) per column   (100,)   prelu-float32",
    ]


@pytest.mark.parametrize("columns", [1, 2, 6])
def test_the_plan_tells_a_products_kernel(net, columns):
    lanes = machine().lanes(8)
    blocks = f"blocks {machine().tile[0]} x {-(-columns // lanes)} vectors"
    expected = f"panels 1 x {columns}   {blocks if columns > 1 else f'{lanes} rows as lanes'}"
    assert str(Plan(net([5, columns], ["linear"], "float64"), 5, "float64")).endswith(expected)


@given(st.lists(st.integers(0, 6), max_size=12), st.integers(0, 2))
def test_no_step_writes_what_another_still_reads(spans, rest):
    last = [step + 1 + span for step, span in enumerate(spans)]
    found = buffers(last, rest)
    for step, number in enumerate(found):
        for before in range(step):
            assert found[before] != number or last[before] + rest < step
    # As few as the steps at which most results wait: those of one step, and its own.
    waiting = [sum(last[before] + rest >= step for before in range(step)) + 1 for step in range(len(last))]
    assert len(set(found)) == max(waiting, default=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("columns", [1, 7, 8, 9, 63, 64, 65, 300])
def test_steps_with_parameters_per_column(net, dtype, columns):
    rng = np.random.default_rng(columns)
    alpha, scale, shift = rng.standard_normal((3, columns)).astype(dtype)
    product = net([5, columns], ["linear"], dtype)[0]
    plan = Plan([product, Columnwise(affine, (scale, shift)), Columnwise(prelu, (alpha,))], 5, dtype)
    x = rows(plan, 37)

    z = Plan([product], 5, dtype)(x)
    exact = [
        [
            Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
            for a, b, c in zip(row, scale, shift, strict=True)
        ]
        for row in z
    ]
    y = np.array(exact, np.float64).astype(dtype)

    assert plan(x).tobytes() == np.where(y > 0, y, y * alpha + y.dtype.type(0)).tobytes()
    assert plan(x[3:4]).tobytes() == plan(x)[3:4].tobytes()


def test_affine_is_rounded_once():
    scale, shift = np.float32([1 + 2.0**-12]), np.float32([-1 - 2.0**-11])
    plan = Plan([Columnwise(affine, (scale, shift))], 4, "float32")
    x = np.full((2, 4), 1 + 2.0**-12, np.float32)
    assert (plan(x) == np.float32(2.0**-24)).all()  # 0 if the product were rounded first


@pytest.mark.parametrize(
    ("misfit", "sentence"),
    [
        (Matmul(np.ones((4, 3)), np.ones(3)), "weight of shape (4, 3); accepted: (6, columns)"),
        (Matmul(np.ones((7, 3)), None), "weight of shape (7, 3); accepted: (6, columns)"),
        (Matmul(np.ones(6), None), "weight of shape (6,); accepted: (6, columns)"),
        (Matmul(np.ones((6, 30)), np.ones(3)), "bias of shape (3,); accepted: (30,)"),
        (Matmul(np.ones((6, 3)), np.ones((1, 3))), "bias of shape (1, 3); accepted: (3,)"),
        (Columnwise(prelu, (np.ones(5),)), "parameter of shape (5,); accepted: (6,)"),
        (Columnwise(affine, (np.ones(6), np.ones(2))), "parameter of shape (2,); accepted: (6,)"),
    ],
)
def test_a_step_that_does_not_fit_is_refused(misfit, sentence):
    fits = Matmul(np.ones((5, 6)), np.ones(6))
    with pytest.raises(ShapeError, match=re.escape(f"my net: step 2 has a {sentence}")):
        Plan([fits, misfit], 5, "float32", "my net")


def test_a_gate_needs_rows_of_an_even_length():
    halved = [Matmul(np.ones((5, 7)), None), Activate(activations.get("glu"))]
    with pytest.raises(ShapeError, match="step 2 has a glu of rows of 7; accepted: rows of an even length"):
        Plan(halved, 5, "float32")


def test_what_a_python_function_gives_is_measured():
    widened = Call(lambda x: np.ones((len(x), 5)), "widened")
    plan = Plan([widened, Matmul(np.ones((4, 3)), None)], 4, "float32")
    with pytest.raises(ShapeError, match="the model: rows of 5 numbers reach a step; accepted: 4"):
        plan(np.ones((2, 4), np.float32))


@pytest.mark.parametrize("width", [1, 50, 1000, 10_000])
def test_scratch_memory_does_not_grow_with_the_batch(net, width):
    chain = Chain(net([width, width, width], ["relu", "relu"]), width, np.dtype("float32"))
    assert chain.tile >= 8
    assert chain.tile % 8 == 0
    least = LARGE_TILE_ROWS if 4 * width * width > LARGE_WEIGHT else 8
    assert chain.scratch_bytes <= max(3 * 256 * 1024, 2 * least * width * 4 + 8 * 6 * width + 64 * 1024)


def test_a_width_of_numpy_and_a_shape_set_meanwhile():
    weight = np.ones((5, 3), np.float32)
    chain = Chain([Matmul(weight, None)], np.int64(5), np.dtype("float32"))
    x = np.arange(20, dtype=np.float32).reshape(4, 5)
    expected = chain(x).tobytes()

    assert chain(x.reshape(20, 1)).tobytes() == expected  # as many rows as fit, and none beyond
