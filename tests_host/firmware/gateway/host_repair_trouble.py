"""Holes in the half-hours are mended whatever gets in the way, and nothing is invented."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from typing import Any

from house import REFUSED, START
from mending import _BY_DAY, TODAY, Mending, meter
from meterlab.household import DAY, JST
from meterlab.metering import NO_DATA, SLOT, Equipment

# -- what gets in the way


@meter(installed=TODAY - 12, solar=4000)
async def test_a_restart_in_the_midst(h: Mending) -> None:
    await h.until(lambda: len(h.got()) > 5 * 48, 120)
    await h.cut()
    await h.app.leave()
    before = h.requests()[0xE2]
    h.switch_on()
    await h.mended(12)
    # What was fetched is not fetched again; the one day in the outbox may be.
    assert h.requests()[0xE2] <= 100 + 2, before


@meter(installed=TODAY - 30)
async def test_a_power_cut_in_the_midst_costs_an_hours_reading_at_most(h: Mending) -> None:
    await asyncio.sleep(5400)
    done = h.app.repair.told["missing"]
    assert done < 70 * 48
    await h.cut()
    h.switch_on()
    await asyncio.sleep(600)
    assert h.app.repair.told["missing"] < 99 * 48
    await h.mended(30)


@meter(installed=TODAY - 8, settings={"server.interval": 60})
async def test_a_dead_server_stops_the_reading_but_loses_nothing(h: Mending) -> None:
    await h.until(lambda: len(h.got()) > 2 * 48, 120)
    h.server.raises = REFUSED
    await asyncio.sleep(600)
    asked = len(h.asked)
    queue = len(h.app.outbox)
    await asyncio.sleep(2 * 3600)
    assert len(h.asked) - asked <= 3, "history is read although nothing is delivered"
    assert queue < h.app.outbox.capacity
    h.server.raises = None
    await h.mended(8)


@meter(installed=TODAY - 40, settings={"poll.interval": 30})
async def test_midnight_is_kept_clear(h: Mending) -> None:
    # Such that it is in the midst of the mending at midnight.
    await h.cut()
    await asyncio.sleep((-START - JST - 1500) % DAY)
    h.switch_on()
    await h.mended(41)
    h.polite()
    days = [utc for utc, *_ in h.asked]
    midnight = (days[0] + JST) // DAY * DAY + DAY - JST
    assert days[0] < midnight < days[-1]


@meter(equipment=Equipment(clock_offset=1500), installed=TODAY - 20)
async def test_the_days_are_those_of_the_meters_own_clock(h: Mending) -> None:
    """It is 25 minutes fast: its day begins before ours."""
    await h.cut()
    await asyncio.sleep((-START - JST - 4000) % DAY)
    h.switch_on()
    await h.mended(20)
    for utc, _, _, _ in h.asked:
        assert _BY_DAY <= (utc + 1500 + JST) % DAY < DAY - _BY_DAY
    assert h.count["time.meter-off"] >= 1
    assert h.app.clock.quality == "ntp"


@meter(installed=TODAY - 8, solar=4000)
async def test_a_fifth_of_everything_is_lost(h: Mending) -> None:
    h.do("link.loss 0.2")
    await h.mended(8, minutes=3000)
    h.polite()


@meter(installed=TODAY - 3)
async def test_a_meter_that_never_answers_a_history(h: Mending) -> None:
    """Live readings hardly suffer, and it is tried again all the same."""
    answer = h.world.meter.answer

    def mute(payload: bytes) -> bytes | None:
        reply = answer(payload)
        return None if reply and reply[12] in (0xE2, 0xEC) else reply

    h.world.meter.answer = mute
    h.calm()
    await asyncio.sleep(DAY)
    lost = h.count["history.silent"]
    assert 3 <= lost <= 20
    assert h.status.worst() == (None, None, None)
    assert len(h.server.kind("instant")) >= 286 - lost
    h.world.meter.answer = answer
    await h.mended(4, minutes=1000)


@meter(installed=TODAY - 2, solar=4000)
async def test_a_direction_that_did_not_come_is_read(h: Mending) -> None:
    """The meter announces EA and EB in two frames, and each EB is lost on its way."""
    await h.mended(2)
    h.do("manners.apart on")
    metering = h.world.meter.metering
    whole = metering.fixed_time
    metering.fixed_time = lambda way, utc=None: b"" if way and utc is not None else whole(way, utc)
    del metering.getters[0xEB]
    h.calm()
    before = len(h.holes(2))
    await asyncio.sleep(3 * 3600)
    assert len(h.holes(2)) > before + 3
    await h.mended(3, minutes=26 * 60)


# -- the server's wish


def _iso(day: int) -> str:
    return str(date.fromordinal(date(1970, 1, 1).toordinal() + day))


def _wants(h: Mending, *days: str) -> None:
    def reply(message: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        answer = json.loads(h.server.accept(message))
        answer["want"] = list(days)
        return 200, {}, json.dumps(answer).encode()

    h.server.reply = reply


@meter(installed=TODAY - 6, settings={"server.interval": 60})
async def test_what_a_new_server_wants_is_read_again(h: Mending) -> None:
    await h.mended(6)
    await h.ended()
    h.server.rows.clear()
    h.asked.clear()
    _wants(h, _iso(TODAY - 2), _iso(TODAY - 4), "2026-02-30", "yesterday", "1999-01-01")
    await asyncio.sleep(6 * 3600)
    got = h.got()
    for day in (TODAY - 2, TODAY - 4):
        assert all(day * DAY - JST + SLOT * k in got for k in range(48))
    assert TODAY * DAY - DAY - JST not in got
    # It wants them still; they are read once.
    assert h.requests()[0xE2] == 2
    h.calm()
    await asyncio.sleep(2 * DAY)
    assert h.requests()[0xE2] <= 2 + 2 * 2


@meter(installed=TODAY - 6)
async def test_a_wish_in_the_midst_of_the_mending(h: Mending) -> None:
    await h.until(lambda: len(h.got()) > 3 * 48, 120)
    h.server.rows = {s: r for s, r in h.server.rows.items() if r[2] < (TODAY - 1) * DAY - JST}
    _wants(h, _iso(TODAY - 1))
    yesterday = [(TODAY - 1) * DAY - JST + SLOT * k for k in range(48)]
    await h.until(lambda: all(t in h.got() for t in yesterday), 600)


# -- nothing is invented


@meter(installed=TODAY - 4)
async def test_what_the_meter_does_not_know_stays_missing(h: Mending) -> None:
    metering = h.world.meter.metering
    gap = range((TODAY - 2) * DAY - JST, (TODAY - 2) * DAY - JST + 5 * SLOT, SLOT)
    right = metering._remembered

    def dark(utc: int) -> tuple[int, int]:
        return (NO_DATA, NO_DATA) if utc in gap else right(utc)

    metering._remembered = dark
    await h.until(lambda: len(h.got()) >= 4 * 48 - 5, 120)
    await h.ended()
    assert not set(gap) & set(h.got())
    assert h.app.repair.told["missing"] == 0, "what cannot be had is not waited for"
    h.asked.clear()
    h.calm()
    await asyncio.sleep(26 * 3600)
    assert h.requests()[0xE2] + h.requests()[0xEC] <= 2
