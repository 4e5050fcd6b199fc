"""Meters of the second generation, and meters that lack things."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from meterlab import frames, vtime
from meterlab.frames import CONTROLLER, METER
from meterlab.household import Household
from meterlab.meter import Meter
from meterlab.metering import METERS, NO_DATA, Equipment
from meterlab.scheduler import LoopScheduler

START = int(datetime(2026, 11, 7, 5, 20, 30, tzinfo=UTC).timestamp())  # 14:20:30 in Japan


def with_meter(story, equipment: Equipment, installed: int = 20_600):
    async def main():
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=START * 1000)
        household = Household(1, solar=3_000, installed=installed)
        return story(Meter(scheduler, household, equipment=equipment))

    return vtime.run(main())


def ask(meter, service, *properties):
    reply = meter.answer(frames.build(1, CONTROLLER, METER, service, properties))
    message = frames.parse(reply)
    assert message is not None
    return message.service, dict(message.properties)


def get(meter, epc):
    service, values = ask(meter, frames.GET, (epc, b""))
    assert service == frames.GET_RES
    return values[epc]


def test_the_value_of_the_last_minute():
    def story(meter):
        edt = get(meter, 0xD0)
        assert edt[:7] == bytes.fromhex("07EA0B070E1400")
        energy = meter.metering.household.energy(START - 30)
        return struct.unpack(">II", edt[7:]), tuple(e // 36_000 % 10**7 for e in energy)

    told, known = with_meter(story, METERS["second"])
    assert told == known and told[0] > 0 and told[1] > 0


def test_history_by_minutes_goes_backwards_from_the_time_asked_for():
    def story(meter):
        assert get(meter, 0xEE) == b"\xff" * 6 + b"\x01" + struct.pack(">II", NO_DATA, NO_DATA)
        assert get(meter, 0xEF) == b"\xff" * 6 + b"\x01"
        assert ask(meter, frames.SETC, (0xEF, bytes.fromhex("07EA0B070E1604")))[0] == 0x71
        edt = get(meter, 0xEE)
        assert edt[:7] == bytes.fromhex("07EA0B070E1604")
        pairs = [struct.unpack_from(">II", edt, 7 + 8 * i) for i in range(4)]
        energy = [meter.metering.household.energy(START - 30 - 60 * i) for i in range(2)]
        return pairs, [tuple(e // 36_000 for e in both) for both in energy]

    pairs, known = with_meter(story, METERS["second"])
    assert pairs[:2] == [(NO_DATA, NO_DATA)] * 2  # 14:22 and 14:21 are still to come
    assert pairs[2:] == known


@pytest.mark.parametrize(
    "edt",
    ["07EA0B070E1400", "07EA0B070E140B", "07EA0D070E1401", "07EA0B070E3C01", "07EA0B070E14"],
)
def test_times_that_there_are_not(edt):
    def story(meter):
        service, values = ask(meter, frames.SETC, (0xEF, bytes.fromhex(edt)))
        return service, values[0xEF].hex().upper()

    assert with_meter(story, METERS["second"]) == (0x51, edt)


def test_minutes_that_are_forgotten_or_were_never_measured():
    def story(meter):
        def minute(text):
            assert ask(meter, frames.SETC, (0xEF, bytes.fromhex(text)))[0] == 0x71
            return struct.unpack(">II", get(meter, 0xEE)[7:])

        kept, forgotten = minute("07EA0B070D1401"), minute("07EA0B070D1301")
        one_way = replace(METERS["second"], reverse=False)
        return kept, forgotten, one_way

    kept, forgotten, one_way = with_meter(story, replace(METERS["second"], minutes_kept=60))
    assert kept[0] != NO_DATA and forgotten == (NO_DATA, NO_DATA)

    def lone(meter):
        return struct.unpack(">II", get(meter, 0xD0)[7:])

    assert with_meter(lone, one_way)[1] == NO_DATA


def test_the_second_generation_says_so():
    def story(meter):
        bits = get(meter, 0x9F)
        there = {
            0x80 + 16 * bit + i for i in range(16) for bit in range(8) if bits[1 + i] >> bit & 1
        }
        return get(meter, 0x82), get(meter, 0xC0), get(meter, 0x9E), there

    version, number, settable, there = with_meter(story, METERS["second"])
    assert version == b"\x00\x00R\x04"
    assert len(number) == 16 and number[:4] == b"\x00\x00\x00\x16"
    assert settable == bytes.fromhex("0481E5EDEF")
    assert {0xC0, 0xD0, 0xEE, 0xEF, 0xE2, 0xEC} <= there


def test_the_first_generation_has_none_of_it():
    def story(meter):
        epcs = (0xC0, 0xD0, 0xEE, 0xEF)
        return ask(meter, frames.GET, *((epc, b"") for epc in epcs))

    assert with_meter(story, METERS["full"]) == (
        0x52,
        {0xC0: b"", 0xD0: b"", 0xEE: b"", 0xEF: b""},
    )


@pytest.mark.parametrize("epc", [0x8D, 0xD3, 0xE2, 0xE4, 0xE5, 0xEC, 0xED, 0xEB])
def test_what_a_meter_is_made_to_lack(epc):
    def story(meter):
        assert ask(meter, frames.GET, (epc, b"")) == (0x52, {epc: b""})
        service, values = ask(meter, frames.SETC, (epc, b"\x01"))
        assert service == 0x51 and values[epc] == b"\x01"
        return meter.metering.get(0x9F)[0]

    assert with_meter(story, Equipment(lacks=frozenset((epc,)))) == 25 - 1


def test_a_day_beyond_what_is_kept():
    def day(meter, day):
        service, _ = ask(meter, frames.SETC, (0xE5, bytes([day])))
        return service, struct.unpack(">H48I", get(meter, 0xE2))

    def story(meter):
        return day(meter, 14), day(meter, 15)

    (first, kept), (second, gone) = with_meter(story, METERS["14-days"])
    assert (first, second) == (0x71, 0x71)
    assert kept[0] == 14 and NO_DATA not in kept
    assert gone == (15, *[NO_DATA] * 48)
    (first, kept), (second, still) = with_meter(story, METERS["bare"])
    assert (first, second) == (0x71, 0x51) and kept == still


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"release": "Q"}, "F or R, not 'Q'"),
        ({"history_days": 100}, "0 to 99 days"),
        ({"lacks": frozenset((0x9F,))}, "no meter lacks 9F"),
    ],
)
def test_equipment_that_cannot_be(wrong, says):
    with pytest.raises(ValueError, match=says):
        Equipment(**wrong)
