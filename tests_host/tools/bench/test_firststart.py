"""The time to the first reading, as the benchmarks measure it."""

from __future__ import annotations

import pytest

from bench.firststart import seconds


@pytest.mark.parametrize("kind", ["bp35a1", "bp35c0-j11"])
def test_a_known_meter_is_read_sooner(kind: str) -> None:
    new, again = seconds(kind, 1)
    assert 2.5 < again < new < 120
