from __future__ import annotations

import json

import numpy as np
import pytest

from parity.sweep.tally import EDGES, KEPT, Class, Finding, Tally, add, read, write


def some(seed):
    rng = np.random.default_rng(seed)

    def finding():
        bits, got, right = (int(each) for each in rng.integers(0, 1 << 32, 3))
        return Finding(bits, got, right, float(rng.choice([-np.inf, np.inf, rng.normal(), 0.75])))

    classes = (*(Class(int(rng.integers(9)), int(rng.integers(5)), finding()) for _ in range(3)), Class())
    listed = tuple(sorted((finding() for _ in range(rng.integers(400))), key=lambda each: each.bits))
    return Tally(
        classes=classes,
        histogram=tuple(rng.integers(0, 99, len(EDGES) + 1).tolist()),
        **{key: int(rng.integers(1, 9)) for key in ("out_of_range", "out_of_order", "wrong_zero")},
        examples={"out_of_range": finding()} if seed % 2 else {},
        undecided=int(rng.integers(9)),
        misrounded=listed,
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_sum_depends_neither_on_order_nor_on_grouping(seed):
    a, b, c = some(seed), some(seed + 10), some(seed + 20)
    assert add(a, b) == add(b, a)
    assert add(add(a, b), c) == add(a, add(b, c))
    assert add(a, Tally()) == a
    everything = sorted(each.bits for one in (a, b, c) for each in one.misrounded)
    assert [each.bits for each in add(add(a, b), c).misrounded] == everything[:KEPT]
    for key in ("out_of_range", "out_of_order", "wrong_zero", "undecided"):
        assert getattr(add(a, b), key) == getattr(a, key) + getattr(b, key)


def test_counts_add_up_and_the_worst_is_kept():
    small, large = Finding(1, 2, 3, 0.25), Finding(4, 5, 6, -0.75)
    a = Tally(classes=(Class(2, 0, small), Class(), Class(), Class(1)))
    b = Tally(classes=(Class(2, 1, large), Class(1, 0, Finding(7, 8, 9, 0.5)), Class(), Class()))
    total = add(a, b)
    assert (total.count, total.misrounded_count, total.worst) == (6, 1, large)
    assert Tally().worst is None


def test_among_equal_errors_the_lowest_pattern_stays():
    a, b = (Tally(classes=(Class(1, 1, Finding(bits, 0, 0, 0.75)), *[Class()] * 3)) for bits in (9, 4))
    assert add(a, b).worst.bits == add(b, a).worst.bits == 4


@pytest.mark.parametrize("seed", range(5))
def test_what_is_written_is_read_back(seed):
    tally = some(seed)
    again = read(json.loads(json.dumps(write(tally))))
    assert again.histogram == tally.histogram
    assert [abs(each.error) for each in again.misrounded] == [abs(each.error) for each in tally.misrounded]
    assert write(again) == write(tally)


def test_what_is_no_tally_is_refused():
    with pytest.raises(KeyError):
        read({})
    with pytest.raises(TypeError):
        read(write(Tally()) | {"histogram": None})
    for wrong in ({"histogram": [0] * len(EDGES)}, {"undecided": -1}, {"wrong_zero": 1.0}, {"out_of_range": "1"}):
        with pytest.raises(ValueError):
            read(write(Tally()) | wrong)
