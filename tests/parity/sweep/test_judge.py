from __future__ import annotations

import functools

import mpmath
import numpy as np
import pytest

from parity import truth
from parity.sweep.checks import extent
from parity.sweep.judge import border, judge
from parity.sweep.model import Model
from parity.sweep.tally import Tally
from parity.ulp import FORMATS, from_bits, to_bits
from refnet import activations
from tests.parity.exact import exact_error
from tests.parity.sweep.common import ELEMENTWISE, complete

ANYWHERE = (-np.inf, np.inf)
NORMAL, SUBNORMAL, OVERFLOW, SPECIAL = range(4)


def model_of(name, dtype="float32"):
    return Model(complete(name), FORMATS[dtype])


def bits_of(*numbers):
    return np.sort(to_bits(np.float32(numbers)).astype(np.uint64))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_verdict_is_that_of_mpmath_alone(name):
    """The exact form in 700 bits, rounded by mpmath to the 24 of float32, at random normal numbers."""
    model = model_of(name)
    x = np.random.default_rng(3).normal(0, 3, 25).astype(np.float32)
    m = mpmath.MPContext()
    m.prec = 700
    right = []
    for number in x.tolist():
        parameters = {key: m.mpf(each) for key, each in model.parameters.items()}
        true = m.mpf(model.activation.exact(m, m.mpf(number), **parameters))
        short = mpmath.MPContext()
        short.prec = 24
        right.append(float(+short.mpf(true)))
    y = np.float32(right)
    assert np.all((y == 0) | (np.abs(y) >= 2.0**-126))
    order = np.argsort(to_bits(x), kind="stable")
    bits = to_bits(x)[order].astype(np.uint64)
    exact = y[order] + np.float32(0)  # the sign of zeros is another test's
    found = judge(model, bits, exact, ANYWHERE)
    assert (found.count, found.misrounded_count, found.out_of_range, found.out_of_order) == (25, 0, 0, 0)
    assert found.worst is None or abs(found.worst.error) <= 0.5
    shifted = np.nextafter(exact, np.float32(np.inf))
    shifted[::2] = np.nextafter(exact[::2], np.float32(-np.inf))
    assert judge(model, bits, shifted, ANYWHERE).misrounded_count == 25


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["sigmoid", "gelu", "relu6"])
def test_every_fiftieth_number_of_sixteen_bits_is_judged_as_truth_judges_it(name, dtype):
    pytest.importorskip("ml_dtypes", reason="bfloat16 is a dtype of the package ml_dtypes")
    model = model_of(name, dtype)
    bits = np.arange(0, 1 << 16, 50, dtype=np.uint64)
    bits = bits[bits % (1 << 15) <= model.kind.infinity]  # casting a signalling NaN warns
    x = from_bits(bits, dtype)
    found = judge(model, bits, truth.right(model.activation, x), extent(model))
    assert found.count == bits.size
    assert (found.misrounded_count, found.out_of_range, found.out_of_order, found.wrong_zero) == (0, 0, 0, 0)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "gelu", "elu"])
def test_planted_errors_are_found_and_no_others(name):
    model = model_of(name)
    bits = np.sort(np.random.default_rng(1).integers(0x3F000000, 0x3F010000, 300, np.uint64))
    bits = np.unique(bits)
    y = truth.right(model.activation, from_bits(bits, "float32"))
    places = [3, 100, 101, 250]
    y[places] = np.nextafter(y[places], np.float32(9))
    found = judge(model, bits, y, ANYWHERE)
    assert [each.bits for each in found.misrounded] == bits[places].tolist()
    assert found.misrounded_count == 4
    assert 0.5 < found.worst.error <= 1.5
    assert found.worst.right + 1 == found.worst.got


def test_nan_infinities_and_zeros_are_judged_bit_by_bit():
    model = model_of("tanh")
    bits = np.array([0, 0x7F800000, 0x7FC00001, 0x80000000, 0xFF800000, 0xFFC00000], np.uint64)
    right = np.float32([0.0, 1.0, np.nan, -0.0, -1.0, np.nan])
    found = judge(model, bits, right, (-1.0, 1.0))
    assert (found.classes[3].count, found.misrounded_count, found.wrong_zero) == (6, 0, 0)
    found = judge(model, bits, np.float32([-0.0, 1.0, 7.0, -0.0, np.nan, np.nan]), (-1.0, 1.0))
    assert (found.misrounded_count, found.wrong_zero) == (2, 1)
    assert [each.bits for each in found.misrounded] == [0x7FC00001, 0xFF800000]
    assert found.worst.error == np.inf


def test_results_out_of_range_and_out_of_order_are_counted():
    model = model_of("sigmoid")
    bits = bits_of(1.0, 2.0, 3.0, 30.0)
    y = truth.right(model.activation, from_bits(bits, "float32"))
    assert judge(model, bits, y, (0.0, 1.0)).out_of_order == 0
    y[1], y[2] = y[2], y[1]
    y[3] = np.nextafter(np.float32(1), np.float32(2))
    found = judge(model, bits, y, (0.0, 1.0))
    assert (found.out_of_order, found.out_of_range, found.misrounded_count) == (1, 1, 3)
    assert found.examples["out_of_range"].bits == int(bits[3])


def test_order_is_judged_across_the_border_of_two_chunks():
    model = model_of("sigmoid", "float16")
    bits = np.array([0x3BFF, 0x3C00], np.uint64)
    y = truth.right(model.activation, from_bits(bits, "float16"))
    assert border(model, bits, y) == Tally()
    y[1] = y[0] - np.float16(0.01)
    assert border(model, bits, y).out_of_order == 1
    nan = np.array([0x7BFF, 0x7C00], np.uint64)
    assert border(model, nan, from_bits(nan, "float16")) == Tally()


def test_results_are_counted_by_class():
    model = model_of("exponential")
    bits = bits_of(1.0, 88.5, -100.0, 0.0)
    y = truth.right(model.activation, from_bits(bits, "float32"))
    assert [each.count for each in judge(model, bits, y, ANYWHERE).classes] == [1, 1, 1, 1]


def test_an_empty_run_gives_an_empty_tally():
    model = model_of("tanh")
    none = np.empty(0, np.uint64)
    assert judge(model, none, np.empty(0, np.float32), ANYWHERE) == Tally()


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_engine_is_correctly_rounded_on_a_few_random_inputs(name):
    model = model_of(name)
    bits = np.unique(np.random.default_rng(8).integers(0x3E000000, 0x41000000, 400, np.uint64))
    found = judge(model, bits, complete(name)(from_bits(bits, "float32")), ANYWHERE)
    assert found.misrounded_count == 0


def test_the_range_is_that_of_the_function():
    assert extent(model_of("tanh")) == (-1.0, 1.0)
    assert extent(model_of("relu6")) == (0.0, 6.0)
    low, high = extent(model_of("gelu"))
    assert high == np.inf
    assert low == pytest.approx(-0.16997120747990369, abs=2.0**-26)  # the minimum, known from its derivative's zero
    assert activations.REGISTRY["gelu"].kind == "elementwise"


@functools.cache
def everything(name):
    """Return the model in float16, all bit patterns, and the right results by mpmath alone (which takes seconds)."""
    model, bits = model_of(name, "float16"), np.arange(1 << 16, dtype=np.uint64)
    right = truth.right(model.activation, from_bits(bits, "float16"))
    right.flags.writeable = False
    return model, bits, right


@pytest.mark.parametrize("name", ["tanh", "elu"])
def test_planted_errors_are_found_exactly(name):
    """Among them some where the true value is a hair below 1 or above -1, and the ulp is that of the binade below."""
    model, bits, right = everything(name)
    generator = np.random.default_rng(9)
    x = from_bits(bits, "float16").astype(np.float64)
    chosen = generator.choice(np.flatnonzero((abs(x) < 100) & (x != 0)), 100, replace=False)
    places = np.union1d(chosen, np.flatnonzero(np.isin(x, [-40.0, 40.0])))
    got = right.copy()
    got[places] = np.nextafter(right[places], np.float16(2), dtype=np.float16)
    found = judge(model, bits, got, extent(model))
    assert found.misrounded_count == places.size
    assert [each.bits for each in found.misrounded] == places.tolist()
    assert [each.got for each in found.misrounded] == to_bits(got[places]).tolist()
    assert [each.right for each in found.misrounded] == to_bits(right[places]).tolist()
    for each in found.misrounded:
        number = float(x[each.bits])
        true = truth.value(model.activation, number, model.parameters, model.kind, bits=400)
        result = float(from_bits([each.got], "float16").astype(np.float64)[0])
        assert each.error == pytest.approx(exact_error(result, true, "float16"), rel=1e-6)


def test_special_values_are_judged_bit_by_bit():
    model, bits, right = everything("silu")
    got = right.copy()
    got[0x7E00] = 1.0  # NaN in, a number out
    got[0x7C00] = np.nan  # inf in, NaN out
    got[0x8000] = 0.0  # -0.0 in, 0.0 out
    got[0x0000] = 1.0
    found = judge(model, bits, got, extent(model))
    assert found.classes[SPECIAL].misrounded == 3
    assert found.misrounded_count == 3
    assert found.wrong_zero == 1
    assert found.examples["wrong_zero"].bits == 0x8000
    assert np.isinf(found.classes[SPECIAL].worst.error)


def test_nan_for_a_number_is_infinitely_wrong():
    model, bits, right = everything("sigmoid")
    got = right.copy()
    got[0x3C00] = np.nan
    found = judge(model, bits, got, extent(model))
    assert found.misrounded_count == 1
    assert np.isinf(found.worst.error)
    assert found.histogram[-1] == 1
    assert found.out_of_range == 1


def test_wrong_zeros_of_results_that_underflow():
    model, bits, right = everything("silu")
    got = np.where(right == 0, np.float16(0), right)
    found = judge(model, bits, got, extent(model))
    negative = (right == 0) & np.signbit(right)
    assert found.wrong_zero == int(negative.sum())
    assert found.misrounded_count == 0


def test_flushed_subnormals_fall_into_their_class():
    model, bits, right = everything("sigmoid")
    tiny = (np.abs(right) < 2.0**-14) & (right != 0)
    found = judge(model, bits, np.where(tiny, np.float16(0), right), extent(model))
    assert found.classes[SUBNORMAL].misrounded == int(tiny.sum())
    assert found.undecided == 1  # of sigmoid's 65,536 results; mpmath decided it
    assert found.classes[NORMAL].misrounded == 0


def test_overflow_edge_has_its_class():
    model, bits, right = everything("exponential")
    top = np.isfinite(right) & (right.astype(np.float64) >= 2.0**15)
    got = right.copy()
    got[top] = np.inf
    found = judge(model, bits, got, extent(model))
    assert found.classes[OVERFLOW].misrounded == int(top.sum())
    assert found.classes[OVERFLOW].count > int(top.sum())


def test_errors_of_rational_functions_in_float64_are_fractional():
    """0.3 x for subnormal x lies between two numbers: its error is neither 0 nor 1."""
    model = Model(activations.REGISTRY["leaky_relu"].with_parameters(negative_slope=0.3), FORMATS["float64"])
    bits = np.arange((1 << 63) + 1, (1 << 63) + 12, dtype=np.uint64)
    y = truth.right(model.activation, from_bits(bits, "float64"))
    found = judge(model, bits, y, ANYWHERE)
    assert found.misrounded_count == 0
    assert 0.3 < abs(found.worst.error) <= 0.5


def test_what_lies_a_hair_beside_midpoints_is_decided_by_the_side():
    """silu(x) is x/2 + x^2/4 - ..., so that half of the subnormal numbers come to lie just above a midpoint."""
    model = model_of("silu")
    for sign in (0, 1 << 31):
        bits = np.arange(sign + 1, sign + 200, dtype=np.uint64)
        y = truth.right(model.activation, from_bits(bits, "float32"))
        found = judge(model, bits, y, ANYWHERE)
        assert (found.misrounded_count, found.undecided) == (0, 0)


def test_subnormal_truths_in_float64_are_not_rounded_twice():
    """0.3 (e^x - 1) for subnormal x is a little less than 0.3 x; one unit more would look like an error of one."""
    model = Model(activations.REGISTRY["elu"].with_parameters(alpha=0.3), FORMATS["float64"])
    bits = np.arange((1 << 63) + 1, (1 << 63) + 200, dtype=np.uint64)
    y = truth.right(model.activation, from_bits(bits, "float64"))
    found = judge(model, bits, y, ANYWHERE)
    assert (found.misrounded_count, found.out_of_order) == (0, 0)
    assert 0.4 < abs(found.worst.error) <= 0.5


def test_a_block_s_edges_follow_its_parameters_in_the_format():
    """0.3 (-0 - 0.1) of relu in float32 is that of 0.3 and 0.1 rounded to it."""
    model = Model(activations.relu.with_parameters(negative_slope=0.3, threshold=0.1), FORMATS["float32"])
    bits = np.array([1 << 31, (1 << 31) + 1], np.uint64)
    found = judge(model, bits, model.activation(from_bits(bits, "float32")), ANYWHERE)
    assert found.misrounded_count == 0


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("leaky_relu", {"negative_slope": -0.7}),
        ("leaky_relu", {"negative_slope": 0.0}),
        ("relu", {"negative_slope": -0.3}),
        ("relu", {"threshold": 0.3}),
        ("elu", {"alpha": -2.7}),
        ("elu", {"alpha": 0.0}),
        ("celu", {"alpha": -0.5}),
    ],
)
def test_a_falling_line_through_0_turns_the_signs_of_both_zeros(name, parameters):
    model = Model(activations.get(name).with_parameters(**parameters), FORMATS["float16"])
    bits = np.union1d(np.arange(200), np.arange(1 << 15, (1 << 15) + 200)).astype(np.uint64)
    x = from_bits(bits, "float16")
    got = model.activation(x)
    found = judge(model, bits, got, ANYWHERE)
    assert (found.wrong_zero, found.misrounded_count) == (0, 0)
    for zero in np.flatnonzero(x == 0):
        other = got.copy()
        other[zero] = -got[zero]
        assert judge(model, bits, other, ANYWHERE).wrong_zero == 1
