from __future__ import annotations

import dataclasses
import itertools

import mpmath
import numpy as np
import pytest

from parity import truth
from parity.sweep.judge import verdict
from parity.sweep.model import Model
from parity.sweep.pieces import evaluate
from parity.ulp import FORMATS, from_bits, to_bits
from refnet import activations
from tests.parity.sweep.common import ELEMENTWISE, complete


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_error_bound_of_a_piece_holds(name, dtype):
    model = Model(complete(name), FORMATS[dtype])
    one = 127 << 23 if dtype == "float32" else 1023 << 52
    rng = np.random.default_rng(5)
    for negative in (False, True):
        for magnitude in rng.integers(one - (3 << (model.kind.precision - 1)), one + one // 100, 3).tolist():
            (piece,) = model.pieces(negative, magnitude, magnitude + 1)
            x = from_bits([magnitude], dtype) * (-1 if negative else 1)
            wide = evaluate(piece, x.astype(model.wide))[0]
            true = truth.value(model.activation, float(x[0]), model.parameters, model.kind, 200)
            if np.isfinite(piece.error):
                with mpmath.workprec(300):
                    high = float(wide)
                    value = mpmath.mpf(high) + mpmath.mpf(float(wide - model.wide(high)))
                    bound = mpmath.mpf(float(piece.error)) * 1.0001
                    if piece.divisor != 1:  # exact but for the division at the end, which rounds once
                        bound += mpmath.ldexp(abs(true), -model.width)
                    assert abs(value - true) <= bound


def test_pieces_end_at_kinks_and_cover_what_is_asked_for():
    model = Model(activations.REGISTRY["hard_sigmoid"], FORMATS["float32"])
    start, stop = 0x3F800000, 0x41000000
    found = model.pieces(True, start, stop)
    assert found[0].start <= start < found[0].stop
    assert found[-1].start < stop <= found[-1].stop
    assert all(a.stop == b.start for a, b in itertools.pairwise(found))
    three = int(np.float32(3).view(np.uint32))
    assert any(three in (piece.start, piece.stop) for piece in found)


def test_pieces_of_straight_lines_are_exact():
    model = Model(activations.REGISTRY["relu"], FORMATS["float32"])
    assert all(piece.error == 0 for piece in model.pieces(False, 1, 0x7F800000))


def some_places(dtype: str, count: int) -> list[tuple[bool, int]]:
    """Return signs and magnitudes: anywhere, and where activations bend."""
    kind = FORMATS[dtype]
    generator = np.random.default_rng(5)
    anywhere = generator.integers(1, kind.infinity, count, dtype=np.uint64).tolist()
    near = to_bits(np.abs(generator.normal(size=2 * count) * 10).astype(kind.dtype)).tolist()
    return [(bool(generator.integers(2)), int(each)) for each in anywhere + near]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_every_piece_keeps_its_bound_and_rounds_right(name, dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes", reason="bfloat16 is a dtype of the package ml_dtypes")
    activation, kind = complete(name), FORMATS[dtype]
    model = Model(activation, kind)
    for negative, place in some_places(dtype, 5 if dtype == "float64" else 12):
        (piece,) = model.pieces(negative, place, place + 1)
        number = model.number(negative, place)
        x = np.array([number]).astype(kind.dtype)
        rounded, _ = truth.truth_at(activation, number, model.parameters, kind)
        with np.errstate(all="ignore"):
            found = verdict(model, piece, x)
            y = evaluate(piece, x.astype(model.wide))[0]
        assert float(found.right[0]) == rounded
        true = truth.value(activation, number, model.parameters, kind, 150)
        m = truth.context(400)
        edge = m.ldexp(1, kind.emax + 8)
        if np.isfinite(piece.error) and abs(true) < edge:
            high = float(y)
            wide = m.mpf(high) + m.mpf(float(y - model.wide(high)))
            slack = m.ldexp(1, kind.etiny - 39)  # tiny values are held at this size
            assert abs(wide - true) <= m.mpf(float(piece.error)) + slack + abs(true) * m.ldexp(1, 1 - model.width)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_pieces_cover_all_magnitudes_once(name):
    kind = FORMATS["float16"]
    model = Model(complete(name), kind)
    for negative in (False, True):
        pieces = model.pieces(negative, 1, kind.infinity)
        ends = [1, *(piece.stop for piece in pieces)]
        assert [piece.start for piece in pieces] == ends[:-1]
        assert ends[-1] == kind.infinity


def test_long_stretches_of_float64_are_one_piece():
    model = Model(complete("sigmoid"), FORMATS["float64"])
    far = int(np.float64(1e100).view(np.uint64))
    (piece,) = model.pieces(False, far, far + 1)
    assert piece.error == 0
    assert piece.stop - piece.start == 64 << 52
    assert evaluate(piece, np.array([1e100], model.wide)) == 1


def test_where_float64_is_only_passed_on_it_is_one_piece():
    model = Model(complete("gelu"), FORMATS["float64"])
    far = int(np.float64(1e100).view(np.uint64))
    (piece,) = model.pieces(False, far, far + 1)
    assert piece.error == 0
    assert piece.stop - piece.start == 64 << 52
    x = from_bits([far, piece.start, piece.stop - 1], "float64").astype(model.wide)
    assert evaluate(piece, x).tolist() == x.tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_zero_throughout_a_binade_is_one_piece(dtype):
    model = Model(complete("squareplus").with_parameters(0.0), FORMATS[dtype])
    size = 1 << (model.kind.precision - 1)
    for start in (1, size):
        (piece,) = model.pieces(True, start, start + size - 1)
        assert evaluate(piece, -from_bits([start], dtype).astype(model.wide)) == 0


def test_what_is_too_steep_for_a_piece_is_known_from_five_values(monkeypatch):
    model = Model(complete("exponential"), FORMATS["float64"])
    asked, clamped = [], model._clamped
    monkeypatch.setattr(model, "_clamped", lambda x: asked.append(x) or clamped(x))
    start, stop = (int(np.float64(each).view(np.uint64)) for each in (256, 512))
    assert model._fit(True, start, stop) is None
    assert len(asked) == 5


def test_an_undeclared_kink_is_found():
    bent = dataclasses.replace(complete("relu"), exact=lambda m, x, **_: m.exp(x) if x < 1.3 else m.exp(1.3), kinks=())
    model = Model(bent, FORMATS["float32"])
    place = int(np.float32(1.3).view(np.uint32))
    pieces = model.pieces(False, place - 1000, place + 1000)
    assert min(piece.stop - piece.start for piece in pieces) <= 8
    x = from_bits(np.arange(place - 50, place + 50), "float32")
    for piece in pieces:
        bits = np.arange(max(piece.start, place - 50), min(piece.stop, place + 50))
        if bits.size:
            inside = from_bits(bits, "float32")
            assert to_bits(verdict(model, piece, inside).right).tolist() == to_bits(truth.right(bent, inside)).tolist()
    assert x.size == 100


def test_no_real_value_is_nan():
    rooted = dataclasses.replace(complete("relu"), exact=lambda m, x, **_: m.sqrt(x), kinks=())
    model = Model(rooted, FORMATS["float32"])
    (piece,) = model.pieces(True, 0x3F800000, 0x3F800001)
    assert np.isnan(evaluate(piece, np.array([-1.0]))).all()
