"""Holes in the half-hours are mended: the gateway against the simulated meter, in virtual time.

Whatever happens, what the server has in the end is what the meter measured, to the last count.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from house import START
from mending import TODAY, Mending, meter
from meterlab.household import DAY, JST
from meterlab.metering import Equipment

# -- what has to be mended


def test_a_new_installation_brings_home_99_days() -> None:
    """With the settings as they are by default."""

    async def story(h: Mending) -> None:
        # A day takes two uploads, a minute each, in 22 of 30 minutes.
        await h.mended(99, minutes=99 * 2 * 30 // 22)
        h.polite()
        got = h.got()
        assert len([t for t in got if t < START]) >= 99 * 48
        assert {row[9] for row in got.values()} >= {"E2", "inf"}
        asked = h.requests()
        assert asked[0xE2] == asked[0xE4] == asked[0xE5] == 99
        assert asked[0xEC] == 2, "one to see whether it is understood, and today's"
        # Live polling went on as ever: a reading each half minute.
        times = sorted(row[2] for row in h.server.kind("instant") if row[2] > START + 120)
        assert max(b - a for a, b in zip(times, times[1:], strict=False)) <= 33
        assert "history.silent" not in h.count
        # newest first, for that is what people look at
        days = [edt[0] for _, _, epc, edt in h.asked if epc == 0xE5 and edt]
        assert days == sorted(days)
        # and then it is at peace
        h.calm()
        before = len(h.asked)
        await asyncio.sleep(20 * 3600)
        assert len(h.asked) == before
        assert h.app.repair.told == {"missing": 0, "days": 99, "reading": None}
        assert h.server.statuses[-1]["repair"] == h.app.repair.told

    Mending(solar=4000).run(story, hours=48)


@meter(solar=4000, installed=TODAY - 10)
async def test_thirty_days_without_power_leave_no_hole(h: Mending) -> None:
    await h.mended(10)
    h.calm()
    await asyncio.sleep(26 * 3600)  # the map is kept once a day
    await h.cut()
    h.asked.clear()
    await asyncio.sleep(30 * DAY)
    h.switch_on()
    await h.mended(42)
    h.polite()
    # Only what was missing was read: today, 30 days, and what the power cut took of the map.
    assert 31 <= h.requests()[0xE2] <= 33
    assert h.requests()[0xE5] == h.requests()[0xE2]


@meter(equipment=Equipment(history_days=14), installed=TODAY - 40)
async def test_a_meter_that_keeps_14_days_and_says_nothing_of_the_rest(h: Mending) -> None:
    await h.mended(14)
    # What it does not know stays missing, and is not asked for again.
    await h.ended()
    assert h.requests()[0xE2] == 99
    assert min(h.got()) == (TODAY - 14) * DAY - JST
    h.asked.clear()
    h.calm()
    await asyncio.sleep(26 * 3600)
    assert h.requests()[0xE2] <= 1


@meter(equipment=Equipment(history_days=14, strict_days=True), installed=TODAY - 40)
async def test_a_meter_that_refuses_more_than_14_days(h: Mending) -> None:
    await h.mended(14)
    await h.ended()
    assert h.requests()[0xE2] == 14
    assert h.requests()[0xE5] == 15
    assert h.app.repair.told == {"missing": 0, "days": 14, "reading": None}
    assert h.app.store.get("history")[0] == 14
    # Each day it is asked once whether that still holds.
    h.calm()
    for _ in range(2):
        h.asked.clear()
        await asyncio.sleep(DAY)
        assert h.requests()[0xE5] <= 2


@meter(equipment=Equipment(slots=False), installed=TODAY - 40)
async def test_a_meter_that_tells_of_another_day(h: Mending) -> None:
    """Days that it does not have become its oldest one: that is not taken for the other day."""
    metering = h.world.meter.metering
    take = metering.setters[0xE5]
    metering.setters[0xE5] = lambda edt: take(bytes([min(edt[0], 5)]))
    await h.mended(5)
    await h.ended()
    assert h.app.repair.told["days"] == 5
    assert h.count["history.wrong-day"] >= 1
    assert min(h.got()) == (TODAY - 5) * DAY - JST


@meter(installed=TODAY - 6)
async def test_a_meter_that_forgets_the_day_now_and_then(h: Mending) -> None:
    metering = h.world.meter.metering
    take = metering.setters[0xE5]
    turn = [0]

    def forgetful(edt: bytes) -> bool:
        turn[0] += 1
        if turn[0] % 3 == 0:
            metering._day = 0xFF
            return True
        return take(edt)

    metering.setters[0xE5] = forgetful
    await h.mended(6)
    assert h.app.repair.told["days"] == 99


@meter(equipment=Equipment(release="R"), installed=TODAY - 3, solar=4000)
async def test_a_second_generation_meter_with_everything(h: Mending) -> None:
    await h.mended(3)
    assert not h.requests()[0xEE]


@meter(equipment=Equipment(reverse=False, slots=False), installed=TODAY - 20)
async def test_a_meter_without_reverse_direction_and_slots(h: Mending) -> None:
    await h.mended(20)
    assert set(h.requests()) == {0xE2, 0xE5}
    assert all(row[8] is None for row in h.got().values())


@meter(installed=TODAY - 3)
async def test_a_meter_that_has_e4_in_its_map_and_refuses_it(h: Mending) -> None:
    del h.world.meter.metering.getters[0xE4]
    h.world.meter.metering.getters[0x9F] = lambda: (
        b"\x0c" + bytes.fromhex("9FD7E0E1E2E3E4E7E8EAEBD3")
    )
    await h.until(lambda: len(h.got()) > 3 * 48, 120)
    past = [row for t, row in h.got().items() if t < START - 7200]
    assert all(row[7] is not None and row[8] is None for row in past)


NO_DAYS = frozenset((0xE2, 0xE4, 0xE5))


@meter(equipment=Equipment(lacks=NO_DAYS), installed=TODAY - 4, solar=4000)
async def test_a_meter_with_slots_only(h: Mending) -> None:
    """E2 is obligatory, but who knows."""
    await h.mended(4)
    assert h.requests()[0xEC] <= 100 * 4 + 3
    assert {row[9] for t, row in h.got().items() if t < START - 7200} == {"EC"}


def _backwards(h: Mending) -> None:
    """The entries of EC in the other order than ours."""
    metering = h.world.meter.metering
    right = metering.getters[0xEC]

    def other() -> bytes:
        edt = right()
        rows = [edt[7 + 8 * i : 15 + 8 * i] for i in range(edt[6])]
        return edt[:7] + b"".join(reversed(rows))

    metering.getters[0xEC] = other


@meter(installed=TODAY - 3, solar=4000)
async def test_a_meter_with_another_order_of_slots_is_found_out(h: Mending) -> None:
    _backwards(h)
    await h.mended(3)
    assert "EC" not in {row[9] for row in h.got().values()}
    assert h.app.store.get("history")[1] == 0


@meter(equipment=Equipment(lacks=NO_DAYS), installed=TODAY - 3, solar=4000)
async def test_slots_in_another_order_and_nothing_else(h: Mending) -> None:
    """One entry at a time cannot be in the wrong order."""
    _backwards(h)
    await h.until(lambda: len(h.got()) >= 3 * 48 + 12, 600)
    await h.ended()
    assert not h.holes(3)
    assert h.requests()[0xEC] <= 4 * 48 + 2 * 100


@meter(installed=TODAY - 3, solar=4000)
async def test_few_missing_slots_are_read_by_slot(h: Mending) -> None:
    await h.mended(3)
    h.do("manners.notify off")
    # Three hours in which the meter answers nobody.
    h.calm()
    await asyncio.sleep((24 * 3600 - h.utc() - JST) % DAY + 9 * 3600)
    h.asked.clear()
    h.do("meter.dead on")
    await asyncio.sleep(3 * 3600)
    h.do("meter.dead off")
    await h.mended(4, minutes=26 * 60)
    h.polite()
    assert h.requests()[0xEC] in (1, 2)
    assert not h.requests()[0xE2]
    origins = Counter(row[9] for row in h.got().values())
    assert origins["EC"] >= 5


@meter(
    equipment=Equipment(release="R", slots=False, lacks=NO_DAYS, minutes_kept=2880),
    installed=TODAY - 3,
    solar=4000,
)
async def test_a_second_generation_meter_tells_by_minutes(h: Mending) -> None:
    await h.mended(1)
    await h.ended()
    got = h.got()
    assert {row[9] for t, row in got.items() if t < START - 7200} == {"EE"}
    # It ends where the meter knows no more, and does not go on asking.
    assert h.requests()[0xEE] <= 3 * 48
    h.polite()
