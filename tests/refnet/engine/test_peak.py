from __future__ import annotations

from refnet.engine.peak import peak


def test_the_peak_is_a_rate_that_a_cpu_can_have():
    assert 1e8 < peak(0.02) < 1e13
