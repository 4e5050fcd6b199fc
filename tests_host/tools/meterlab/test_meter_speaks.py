"""What a meter says unasked: half-hour values, and how it insists on a receipt."""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime

from meterlab import frames, vtime
from meterlab.frames import CONTROLLER, METER
from meterlab.household import Household
from meterlab.meter import Manners, Meter
from meterlab.metering import Equipment
from meterlab.scheduler import LoopScheduler

START = 1_794_000_000  # 2026-11-07 05:20 UTC


def _heard(manners=None, *, hours: float = 24, answer=None, solar=0, equipment=None):
    """What a meter says unasked in so many hours: (UTC seconds, message)."""
    said = []

    async def main():
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=START * 1000)
        home = Household(1, solar=solar, installed=20_600)
        meter = Meter(scheduler, home, manners=manners, equipment=equipment)

        def notify(frame, multicast):
            message = frames.parse(frame)
            said.append((meter.scheduler.utc_ms() / 1000, message))
            if answer:
                meter.answer(answer(message))
            return True

        meter.on_notify = notify
        meter.start()
        await asyncio.sleep(hours * 3600)
        meter.stop()
        return meter.counters

    return said, vtime.run(main())


def test_every_half_hour_is_announced_within_five_minutes():
    said, counters = _heard(solar=4_000)
    assert len(said) in (47, 48) and counters["notified"] == len(said)
    tids = [message.tid for _, message in said]
    assert tids == list(range(tids[0], tids[0] + len(tids)))
    for at, message in said:
        slot = at // 1_800 * 1_800
        assert 0 <= at - slot <= 300
        assert (message.service, message.source, message.target) == (0x73, METER, CONTROLLER)
        (ea, normal), (eb, reverse) = message.properties
        assert (ea, eb) == (0xEA, 0xEB) and normal[:7] == reverse[:7]
        year, month, day, hour, minute, second = struct.unpack(">HBBBBB", normal[:7])
        utc = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp() - 9 * 3600
        assert utc == slot


def test_announcements_of_other_meters():
    said, _ = _heard(Manners(apart=True), hours=1)
    assert [m.properties[0][0] for _, m in said] == [0xEA, 0xEB] * 2
    said, _ = _heard(equipment=Equipment(reverse=False), hours=1)
    assert [[epc for epc, _ in m.properties] for _, m in said] == [[0xEA]] * 2
    assert _heard(Manners(notify=False))[0] == []


def test_infc_is_repeated_until_it_is_confirmed():
    said, counters = _heard(Manners(confirm=True), hours=0.3)
    assert [m.service for _, m in said] == [0x74] * 3
    assert len({m.tid for _, m in said}) == 3
    assert counters["unconfirmed"] == 3

    def receipt(message):
        epcs = [(epc, b"") for epc, _ in message.properties]
        return frames.build(message.tid, CONTROLLER, METER, frames.INFC_RES, epcs)

    said, counters = _heard(Manners(confirm=True), hours=0.3, answer=receipt)
    assert len(said) == 1 and not counters["unconfirmed"]


def test_what_nobody_is_there_to_hear_counts_as_missed():
    async def main():
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=START * 1000)
        meter = Meter(scheduler, Household(1, installed=20_600))
        meter.on_notify = lambda frame, multicast: False
        meter.start()
        await asyncio.sleep(3_600)
        return meter.counters

    counters = vtime.run(main())
    assert counters["missed"] == 2 and not counters["notified"]
