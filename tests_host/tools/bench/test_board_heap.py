"""The whole gateway in a board's heap, with the module and the server that take the most."""

from __future__ import annotations

import pytest

from bench.board_run import House, Order
from meterlab.runtimes import find_32_bit

HEAP = 102_400
POLLS = 12


@pytest.mark.timeout(240)
def test_a_j11_module_and_https_fit_into_100_kb() -> None:
    runtime = find_32_bit()
    if runtime is None:
        pytest.skip("no 32-bit MicroPython on this machine")
    with House(paced=False, kind="bp35c0-j11", tls=True) as house:
        run = house.run(runtime, HEAP, Order(POLLS, 4, 500, upload_s=2, uploaded=POLLS // 2), 180)
        assert house.handshakes, "the uploads came over TLS"
    assert run.trouble is None
    assert HEAP - 256 < run.free <= HEAP
    assert run.counters["poll.ok"] >= POLLS and run.counters["uploaded"] >= POLLS // 2
    assert not {"memory-error", "flash.failed"} & run.counters.keys()
    assert min(sample.largest for sample in run.samples) > 4096
