from __future__ import annotations

import dataclasses
import json

from parity.sweep import job, tally
from tests.parity.sweep.common import half_task, row_task
from tests.parity.sweep.planted import PLACES


def whole(task):
    plain = json.loads(json.dumps(dataclasses.asdict(task)))  # as a cluster would get it
    total = tally.Tally()
    for start, stop in job.chunks(task):
        result = job.run_chunk(plain, start, stop)
        assert result["start"] == start
        total = tally.add(total, tally.read(result["tally"]))
    return total


def test_planted_errors_are_found_whatever_the_size_of_the_chunks():
    one, many = whole(half_task(size=1 << 16)), whole(half_task(size=1 << 13))
    for found in (one, many):
        # 0xBC01 is -1 and a bit, where relu6 gives 0 and the fault a subnormal.
        assert sorted(each.bits for each in found.misrounded) == sorted(PLACES)
        assert found.count == 1 << 16
        assert found.out_of_range == 1  # above 6
    assert tally.write(one) == tally.write(many) | {"undecided": tally.write(one)["undecided"]}


def test_chunks_of_rows_give_one_tally_whatever_their_size():
    one, many = whole(row_task(size=200)), whole(row_task(size=7))
    assert one == many
    assert one.misrounded_count > 0
