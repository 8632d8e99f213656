from __future__ import annotations

import numpy as np

from parity.bounds import Enclosure
from parity.compare import compare, within
from parity.report.records import HISTOGRAM_EDGES

F32 = np.dtype("float32")


def enclosure(value, own=1e-7, peer=1e-7, granted=None, rooms=None):
    value = np.asarray(value, np.float64)
    full = np.full(value.shape, 1.0)
    return Enclosure(value, own * full, peer * full, (peer if granted is None else granted) * full, F32, rooms or {})


def f32(*values):
    return np.array([values], np.float32)


def test_equal_bits_are_explained_whatever_the_truth():
    result = compare(f32(1, 2), f32(1, 2), enclosure([[5, 6]])).comparison
    assert result.verdict == "explained by rounding"
    assert result.equal == 1.0
    assert result.ratio == 0.0
    assert result.outside == ()
    assert result.histogram == (2, *[0] * (len(HISTOGRAM_EDGES) - 1))


def test_neighbours_within_the_bound_are_explained():
    a, b = f32(1.0), np.nextafter(f32(1.0), f32(2.0))
    result = compare(a, b, enclosure([[1.0]], own=2e-7, peer=2e-7)).comparison
    assert result.verdict == "explained by rounding"
    assert result.max_ulp == 1
    assert result.equal == 0.0
    assert result.closer == "refnet"
    assert (result.own_closer, result.peer_closer) == (1, 0)
    assert (result.own_ulps, result.peer_ulps) == (0.0, 1.0)
    assert result.histogram[1] == 1
    assert result.bound == 4e-7
    assert result.ratio == 2.0**-23 / 4e-7


def test_an_element_outside_its_bound_is_not_explained_and_shown():
    result = compare(f32(1.0, 1.0), f32(1.0, 1.1), enclosure([[1.0, 1.0]])).comparison
    assert result.verdict == "not explained"
    assert result.unexplained == 1
    assert result.outside == ("peer",)
    assert result.worst.index == (0, 1)
    assert result.worst.peer == float(np.float32(1.1))
    assert result.ratio > 1


def test_each_side_is_held_to_its_own_bound():
    """The two are close enough to each other here, but one is further from the truth than it may be."""
    result = compare(f32(1.0 + 1.5e-6), f32(1.0 + 1.5e-6 + 4e-7), enclosure([[1.0]], own=1e-6, peer=1e-6)).comparison
    assert result.verdict == "not explained"
    assert result.outside == ("refnet", "peer")
    assert 1.8 < result.ratio < 2.0


def test_a_room_names_the_known_difference():
    rooms = {"gelu tail": np.full((1, 1), 0.2)}
    result = compare(f32(1.0), f32(1.1), enclosure([[1.0]], granted=0.2, rooms=rooms)).comparison
    assert result.verdict == "known difference"
    assert [finding.name for finding in result.findings] == ["gelu tail"]
    assert "pytorch#187806" in result.findings[0].issue
    assert result.unexplained == 0


def test_no_known_difference_excuses_refnet():
    rooms = {"gelu tail": np.full((1, 1), 0.2)}
    result = compare(f32(1.1), f32(1.0), enclosure([[1.0]], granted=0.2, rooms=rooms)).comparison
    assert result.verdict == "not explained"
    assert result.outside == ("refnet",)


def test_a_sum_of_rooms_is_named_after_what_was_found_before():
    result = compare(f32(1.0), f32(1.1), enclosure([[1.0]], granted=0.2), inherited=("sparsemax",)).comparison
    assert [finding.name for finding in result.findings] == ["sparsemax"]
    alone = compare(f32(1.0), f32(1.1), enclosure([[1.0]], granted=0.2)).comparison
    assert [finding.name for finding in alone.findings] == ["several at once"]


def test_a_signature_spoils_its_row_and_only_its_row():
    own, peer = np.float32([[1, 2], [1, 2]]), np.float32([[np.nan, 2], [1, 2]])
    mask = np.array([[True, True], [True, True]])
    judged = compare(own, peer, enclosure([[1, 2], [1, 2]]), shown={"NaN at infinity": mask})
    assert judged.comparison.verdict == "known difference"
    assert judged.comparison.findings[0].elements == 1
    assert judged.spoiled.tolist() == [True, False]
    after = compare(own, peer + 5, enclosure([[1, 2], [1, 2]]), spoiled=judged.spoiled).comparison
    assert after.unexplained == 2
    assert after.outside == ("peer",)


def test_what_follows_a_spoiled_row_is_no_one_s_fault_and_stays_spoiled():
    own, peer = np.float32([[1, 2], [1, 2]]), np.float32([[9, 9], [1, 2]])
    judged = compare(own, peer, enclosure([[1, 2], [1, 2]]), spoiled=np.array([True, False]), inherited=("sparsemax",))
    assert judged.comparison.verdict == "known difference"
    assert judged.comparison.outside == ()
    assert judged.spoiled.tolist() == [True, False]
    mask = np.array([[True, False], [False, False]])
    both = compare(own, peer, enclosure([[1, 2]] * 2), spoiled=np.array([True, False]), shown={"sparsemax": mask})
    assert [(each.name, each.elements) for each in both.comparison.findings] == [
        ("sparsemax", 1),
        ("several at once", 1),
    ]


def test_an_element_is_counted_for_one_cause():
    """The first that explains it: an overflow on the way, then signatures and rooms in order, then the sum of rooms."""
    everywhere = np.ones((1, 1), bool)
    masks = {"NaN at infinity": everywhere, "sparsemax": everywhere}
    one = compare(f32(1.0), f32(9.0), enclosure([[1.0]]), shown=masks).comparison
    assert [finding.name for finding in one.findings] == ["NaN at infinity"]
    boundless = enclosure([[1.0]], own=np.inf, peer=np.inf)
    overflow = compare(f32(1.0), f32(9.0), boundless, shown=masks).comparison
    assert [finding.name for finding in overflow.findings] == ["overflow inside a sum"]
    mask = np.array([[True, False]])
    both = compare(
        f32(1, 1), f32(9, 1.1), enclosure([[1, 1]], granted=0.2), shown={"gelu tail": mask}, inherited=("gelu tail",)
    )
    assert [(finding.name, finding.elements) for finding in both.comparison.findings] == [("gelu tail", 2)]


def test_a_grant_without_limit_excuses_nothing():
    assert compare(f32(1.0), f32(9.0), enclosure([[1.0]], granted=np.inf)).comparison.unexplained == 1


def test_the_worst_element_is_unexplained_and_the_furthest_beyond_its_bound():
    rooms = {"gelu tail": np.array([[0.2, 0.0]])}
    named = compare(f32(1, 1), f32(1.15, 1.1), enclosure([[1, 1]], rooms=rooms)).comparison
    assert named.worst.index == (0, 1)
    unequal = compare(f32(1, 1), f32(1.01, 1.02), enclosure([[1, 1]], peer=np.array([1e-7, 1e-3]))).comparison
    assert unequal.worst.index == (0, 0)


def test_differences_are_relative_to_the_larger_number():
    result = compare(f32(1.0), f32(2.0), enclosure([[1.5]])).comparison
    assert (result.max_abs, result.max_rel) == (1.0, 0.5)
    assert (result.own_closer, result.peer_closer, result.closer) == (0, 0, "equal")


def test_nan_for_a_number_is_as_far_as_can_be():
    result = compare(f32(1.0), f32(np.nan), enclosure([[np.nan]])).comparison
    assert (result.max_abs, result.max_rel, result.max_ulp) == (np.inf, np.inf, 2**63 - 1)
    assert (result.own_ulps, result.peer_ulps, result.ratio, result.equal) == (np.inf, 0.0, np.inf, 0.0)
    assert result.histogram[-1] == 1


def test_kinds_are_compared_by_kind():
    own = f32(np.nan, np.inf, -np.inf, 1.0)
    same = compare(own, own.copy(), enclosure(own, own=0, peer=0)).comparison
    assert (same.verdict, same.max_abs, same.max_rel, same.max_ulp) == ("explained by rounding", 0.0, 0.0, 0)
    result = compare(own, f32(0.0, np.inf, np.inf, np.nan), enclosure(own, own=0, peer=0)).comparison
    assert result.unexplained == 3
    assert result.max_abs == np.inf


def test_zeros_of_both_signs_are_the_same_number_but_not_the_same_bits():
    result = compare(f32(0.0), f32(-0.0), enclosure([[0.0]], own=0, peer=0)).comparison
    assert result.verdict == "explained by rounding"
    assert result.equal == 0.0
    assert result.max_ulp == 0


def test_the_edge_of_overflow_goes_either_way():
    top = float(np.finfo(np.float32).max)
    truth = np.array([[top * (1 + 1e-9)]])
    assert within(np.float32([[np.inf]]), truth, np.full((1, 1), top * 1e-7)).all()
    assert within(np.float32([[top]]), truth, np.full((1, 1), top * 1e-7)).all()
    assert not within(np.float32([[-np.inf]]), truth, np.full((1, 1), top * 1e-7)).any()
    assert within(f32(top, -top), np.array([[np.inf, np.inf]]), np.zeros((1, 2))).tolist() == [[True, False]]
    assert within(f32(np.inf), np.array([[-1.0]]), np.full((1, 1), 2 * top)).all()
    for y, true in ((np.inf, 1.0), (1.0, np.inf), (top, 1.0), (1.0, 1.1 * top)):
        assert not within(f32(y), np.array([[true]]), np.full((1, 1), 0.5)).any()


def test_a_bound_may_be_used_up():
    assert within(f32(1.5, 1.5), np.array([[1.0, 1.0]]), np.array([[0.5, 0.49]])).tolist() == [[True, False]]


def test_no_bound_turns_a_number_into_nan():
    assert not within(f32(1.0), np.array([[np.nan]]), np.full((1, 1), np.inf)).any()


def test_without_a_bound_a_difference_is_an_overflow_on_the_way():
    judged = compare(f32(1.0), f32(np.inf), enclosure([[1.0]], own=np.inf, peer=np.inf))
    assert [finding.name for finding in judged.comparison.findings] == ["overflow inside a sum"]
    assert judged.comparison.ratio == 0.0
    assert judged.spoiled.tolist() == [True]
    one = compare(f32(1.0), np.nextafter(f32(1.0), f32(2.0)), enclosure([[1.0]], own=np.inf, peer=1e-6)).comparison
    assert [finding.name for finding in one.findings] == ["overflow inside a sum"]


def test_nothing_to_compare_is_explained():
    empty = np.zeros((0, 3), np.float32)
    judged = compare(empty, empty, enclosure(np.zeros((0, 3))))
    assert judged.comparison.verdict == "explained by rounding"
    assert (judged.comparison.elements, judged.comparison.equal) == (0, 1.0)
    assert judged.comparison.histogram == (0,) * len(HISTOGRAM_EDGES)
    assert judged.comparison.worst is None
    assert judged.spoiled.shape == (0,)
