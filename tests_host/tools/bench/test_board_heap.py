"""The whole gateway in a board's heap, with the module and the server that take the most, while
the meter's history is read."""

from __future__ import annotations

import time

import pytest

from bench.board_run import House, Order
from meterlab.runtimes import find_32_bit

HEAP = 102_400
POLLS = 12
DAY = 48  # half-hours
HALF_HOUR = 1800
JST = 9 * 3600


def ahead() -> int:
    """Seconds from now to a time at which history may be read: twelve past a half-hour, and not
    the last one of the day."""
    now = int(time.time())
    wait = 12 * 60 - now % HALF_HOUR
    return wait if (now + wait + JST + HALF_HOUR) % 86_400 > HALF_HOUR else wait + HALF_HOUR


@pytest.mark.timeout(300)
def test_j11_https_and_a_day_of_history_fit_into_100_kb() -> None:
    runtime = find_32_bit()
    if runtime is None:
        pytest.skip("no 32-bit MicroPython on this machine")
    order = Order(POLLS, 4, 2_000, upload_s=2, uploaded=POLLS // 2, slots=DAY)
    with House(paced=False, kind="bp35c0-j11", tls=True, ahead=ahead()) as house:
        run = house.run(runtime, HEAP, order, 240)
        assert house.handshakes, "the uploads came over TLS"
    assert run.trouble is None
    assert HEAP - 256 < run.free <= HEAP
    assert run.counters["poll.ok"] >= POLLS and run.counters["uploaded"] >= POLLS // 2 + DAY
    # Between the polls E5, E2 and E4 were asked, and what they told is at the server.
    assert run.counters["history.slots"] >= DAY
    assert not {"memory-error", "flash.failed"} & run.counters.keys()
    assert min(sample.largest for sample in run.samples) > 4096
