"""Holes in the half-hours are mended: the gateway against the simulated meter, in virtual time.

Whatever happens, what the server has in the end is what the meter measured, to the last count.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import date
from typing import Any

from house import REFUSED, START, House
from meterlab import frames
from meterlab.household import DAY, JST
from meterlab.metering import NO_DATA, SLOT, Equipment

TODAY = (START + JST) // DAY
HISTORIES = {0xE2, 0xE4, 0xEC, 0xEE, 0xE5, 0xED, 0xEF}
_BY_DAY = 600 - 60  # s from midnight; the meter's clock is known to the minute
# Uploads and polls as an owner may set them, so that a story takes less of the test's time.
BRISK = {"poll.interval": 300, "server.interval": 30}


class Mending(House):
    """Listens to what the meter is asked of its history, and judges what the server got."""

    def build(self) -> None:
        super().build()
        self.asked: list[tuple[int, int, int, bytes]] = []  # UTC, service, EPC, EDT
        self.rivals: list[Any] = []  # servers that are no more
        answer = self.world.meter.answer

        def heard(payload: bytes) -> bytes | None:
            message = frames.parse(payload)
            assert message is not None
            for epc, edt in message.properties:
                if epc in HISTORIES and message.target == frames.METER:
                    self.asked.append((self.utc(), message.service, epc, edt))
            return answer(payload)

        self.world.meter.answer = heard

    def utc(self) -> int:
        return self.scheduler.utc_ms() // 1000

    def truth(self, t: int) -> tuple[int | None, int | None]:
        """(normal, reverse) in 0.1 Wh as the meter's counters stood at `t`."""
        kit = self.world.meter.metering.equipment
        count = 10 ** {1: 3, 2: 2}[kit.unit] * (kit.coefficient or 1)
        normal, reverse = self.world.meter.metering.slot(t)
        return (
            None if normal == NO_DATA else normal * count,
            None if reverse == NO_DATA else reverse * count,
        )

    def got(self) -> dict[int, list[Any]]:
        """The half-hours at the server; each value is the truth, or this fails."""
        slots: dict[int, list[Any]] = {}
        for row in self.server.kind("half-hour"):
            normal, reverse = self.truth(row[2])
            assert row[7] in (None, normal) and row[8] in (None, reverse), row
            assert row[3] == "meter" and row[4:7] == [None, None, None]
            have = slots.setdefault(row[2], row)
            have[7:9] = [b if a is None else a for a, b in zip(have[7:9], row[7:9], strict=True)]
        return slots

    def holes(self, days: int = 99, until: int | None = None) -> list[int]:
        """Half-hours of the last `days` (and today) that the server lacks, wholly or in part."""
        got = self.got()
        first = (self.utc() + JST) // DAY - days
        last = self.utc() - 3600 if until is None else until
        found: list[int] = []
        for t in range(first * DAY - JST, last, SLOT):
            normal, reverse = self.truth(t)
            row = got.get(t)
            if normal is not None and (row is None or row[7] != normal or row[8] != reverse):
                found.append(t)
        return found

    def requests(self) -> Counter[int]:
        """How often each EPC was asked for, or set."""
        return Counter(epc for _, _, epc, _ in self.asked)

    async def mended(self, days: int = 99, minutes: float = 600) -> None:
        """Wait until nothing is missing."""
        for _ in range(int(minutes)):
            await asyncio.sleep(60)
            told = self.app.repair.told
            # What an own look costs is a hundred times as much.
            if told and not told["missing"] and not self.holes(days):
                return
        raise AssertionError(f"{len(self.holes(days))} holes left; {self.app.repair.told}")

    async def ended(self) -> None:
        """Wait for the end of the round."""
        for _ in range(1200):
            await asyncio.sleep(30)
            if self.app.repair.at is None and self.app.repair.told:
                return
        raise AssertionError(f"the round does not end: {self.app.repair.told}")

    def calm(self) -> None:
        """From now on uploads are rare: a story that lasts for days."""
        self.app.uplink.interval = 900

    async def cut(self) -> None:
        """The power goes: nothing is kept that was not kept before."""
        await self.switch_off()
        await self.app.supervisor.stop()

    def polite(self) -> None:
        """History was never asked for around a half-hour or around midnight."""
        for utc, _, epc, _ in self.asked:
            assert 360 <= utc % SLOT < 1740, f"{epc:02X} {utc % SLOT} s after the half-hour"
            assert _BY_DAY <= (utc + JST) % DAY < DAY - _BY_DAY


def meter(story: Any = None, settings: dict[str, Any] | None = None, **choices: Any) -> Any:
    """A decorator: plays the story below as a test."""

    def wrap(story: Any) -> Any:
        def test() -> None:
            Mending({**BRISK, **(settings or {})}, **choices).run(story, hours=24 * 120)

        test.__doc__ = story.__doc__
        return test

    return wrap


# -- what has to be mended


def test_a_new_installation_brings_home_99_days() -> None:
    """With the settings as they are by default."""

    async def story(h: Mending) -> None:
        await h.mended(99, minutes=240)
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
