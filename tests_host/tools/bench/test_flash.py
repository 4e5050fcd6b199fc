"""A full outbox costs little to open; see also `make bench`."""

from __future__ import annotations

import pytest

from bench import flash
from meterlab.runtimes import Runtime, find_runtimes

MINUTES = 30 * 24 * 60
HALF_HOURS = 99 * 48


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
        assert opened["reads"] <= 200 and 0 < opened["decoded"] <= 200, case
        assert opened["batch"] == 64
