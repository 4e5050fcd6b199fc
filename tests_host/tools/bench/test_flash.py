"""A full outbox costs little to open; see also `make bench`."""

from __future__ import annotations

import pytest

from bench import flash
from meterlab.runtimes import Runtime, find_runtimes

MINUTES = 30 * 24 * 60
HALF_HOURS = 99 * 48
MOST = 200  # reads, and slots decoded; where the folder's log is long: turns to another block


@pytest.mark.timeout(300)
@pytest.mark.parametrize("runtime", find_runtimes(), ids=lambda r: r.name)
def test_opening_a_full_outbox_reads_little(runtime: Runtime) -> None:
    found = flash.measure(runtime, "opening")
    full = found["full"]
    assert MINUTES * 24 + HALF_HOURS * 32 < full["bytes"] <= full["room"]
    # Also when the numbers given away must be found out from the flash, and its files are damaged.
    for case in ("opening", "forgotten", "spoiled"):
        opened = found[case]
        assert full["readings"] == opened["known"] == MINUTES + HALF_HOURS
        assert opened["reads"] <= MOST and 0 < opened["decoded"] <= MOST, case
        assert opened["batch"] == 64
    # However long the folder's log is, and wherever a write of the index was cut.
    worst = found["worst"]
    assert worst["cuts"] > 8 and worst["turns"] <= MOST and 0 < worst["decoded"] <= MOST
    assert worst["reads"] <= 1000
    # Without its index it is opened with less; what lies there is found again by the first job.
    for case in ("damaged", "both"):
        opened = found[case]
        assert opened["turns"] <= MOST and opened["decoded"] <= MOST
        assert opened["known"] == 0 and opened["anew_known"] == full["readings"]
