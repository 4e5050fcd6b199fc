"""The meter as an ECHONET Lite node: what it answers, what it refuses, what it says unasked."""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime
from typing import Any

import pytest

from meterlab import frames, vtime
from meterlab.frames import CONTROLLER, METER, NODE
from meterlab.household import Household
from meterlab.meter import Manners, Meter
from meterlab.metering import NO_DATA, Equipment, property_map
from meterlab.scheduler import LoopScheduler

START = int(datetime(2026, 11, 7, 5, 20, tzinfo=UTC).timestamp())  # 14:20 in Japan
INSTALLED = 20_600
MINIMUM = "808182888A8D97989D9E9FD7E0E1E2E5E7E8EA"


def with_meter(story, *, seconds: float = 1, start: int = START, **options):
    """Run `story(meter)` with a meter of the given parts in virtual time."""
    solar = options.pop("solar", 0)

    async def main():
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=start * 1000)
        meter = Meter(scheduler, Household(1, solar=solar, installed=INSTALLED), **options)
        return await story(meter)

    return vtime.run(main(), limit_s=seconds)


def ask(
    meter, service, *properties, target=METER, source=CONTROLLER, tid=0x1234, more=None
) -> Any:
    items = [p if isinstance(p, tuple) else (p, b"") for p in properties]
    reply = meter.answer(frames.build(tid, source, target, service, items, more))
    if reply is None:
        return None
    message = frames.parse(reply)
    assert message is not None
    assert (message.tid, message.source, message.target) == (tid, target or METER, source)
    return message.service, message.properties, message.more


def get(meter, *epcs, **options) -> Any:
    return ask(meter, frames.GET, *epcs, **options)


def values(meter, *epcs):
    return dict(get(meter, *epcs)[1])


def test_identity_and_maps_are_those_of_a_captured_meter():
    async def story(meter):
        known = values(meter, 0x80, 0x81, 0x82, 0x88, 0x8A, 0x8D)
        known |= values(meter, 0x9D, 0x9E, 0x9F, 0xD3, 0xD7, 0xE1)
        return {epc: edt.hex().upper() for epc, edt in known.items()}

    assert with_meter(story) == {
        0x80: "30", 0x81: "61", 0x82: "00004600", 0x88: "42", 0x8A: "000016",
        0x8D: "4B3234413031323334350000", 0x9D: "03808188", 0x9E: "0381E5ED",
        0x9F: "1941414160404000624300414040430202", 0xD3: "00000001", 0xD7: "07", 0xE1: "02",
    }  # fmt: skip


def test_property_maps_change_form_at_sixteen():
    assert property_map(()) == b"\0"
    assert property_map(range(0x80, 0x8F)) == bytes([15, *range(0x80, 0x8F)])
    bitmap = property_map(range(0x80, 0x90))
    assert bitmap == bytes([16]) + b"\x01" * 16
    assert property_map((*range(0xE0, 0xF0), 0xFF))[16] == 0b11000000


@pytest.mark.parametrize(
    ("equipment", "missing"),
    [
        (Equipment(), ""),
        (Equipment(coefficient=None), "D3"),
        (Equipment(reverse=False), "E3E4EB"),
        (Equipment(slots=False), "ECED"),
        (Equipment(coefficient=None, reverse=False, slots=False), "D3E3E4EBECED"),
    ],
)
def test_what_a_meter_lacks_is_not_in_its_map_and_answered_with_sna(equipment, missing):
    lacking = bytes.fromhex(missing)

    async def story(meter):
        for epc in range(0x80, 0x100):
            service, [(code, edt)], _ = get(meter, epc)
            readable = epc in meter.metering.getters
            assert code == epc
            assert (service, bool(edt)) == ((0x72, True) if readable else (0x52, False))
        return set(meter.metering.getters)

    assert with_meter(story, equipment=equipment) == set(
        bytes.fromhex(MINIMUM + "D3E3E4EBECED")
    ) - set(lacking)


def test_a_partial_success_carries_what_there_is():
    async def story(meter):
        return get(meter, 0xE0, 0xEB, 0x83)

    service, properties, _ = with_meter(story, equipment=Equipment(reverse=False))
    assert service == 0x52
    assert [(epc, len(edt)) for epc, edt in properties] == [(0xE0, 4), (0xEB, 0), (0x83, 0)]


@pytest.mark.parametrize(("asked", "limit"), [(6, 6), (7, 6), (9, 6), (8, 7)])
def test_too_many_properties_are_cut_off(asked, limit):
    epcs = (0xE7, 0xE8, 0xE0, 0xE3, 0xEA, 0xEB, 0x97, 0x98, 0xD7)[:asked]

    async def story(meter):
        return get(meter, *epcs)

    service, properties, _ = with_meter(story, manners=Manners(limit=limit))
    assert service == (0x72 if asked <= limit else 0x52)
    assert [epc for epc, _ in properties] == list(epcs[:limit])
    assert all(edt for _, edt in properties)


def test_a_property_asked_for_twice_is_answered_twice():
    async def story(meter):
        return get(meter, 0xE1, 0xE1)

    assert with_meter(story)[1] == [(0xE1, b"\x02"), (0xE1, b"\x02")]


def test_setting():
    async def story(meter):
        day = (0xE5, b"\x03")
        assert ask(meter, frames.SETC, day) == (0x71, [(0xE5, b"")], [])
        assert values(meter, 0xE5) == {0xE5: b"\x03"}
        assert ask(meter, frames.SETI, (0xE5, b"\x04")) is None
        assert values(meter, 0xE5) == {0xE5: b"\x04"}
        for bad in ((0xE5, b"\x64"), (0xE5, b""), (0xE5, b"\0\0"), (0xE7, b"\0\0\0\1")):
            assert ask(meter, frames.SETC, bad) == (0x51, [bad], [])
            assert ask(meter, frames.SETI, bad) == (0x50, [bad], [])
        slot = bytes.fromhex("07EA0B070D1E0C")
        assert ask(meter, frames.SETC, (0xED, slot), (0x98, b"\0\0\0\0")) == (
            0x51, [(0xED, b""), (0x98, b"\0\0\0\0")], [],
        )  # fmt: skip
        assert values(meter, 0xED) == {0xED: slot}
        for bad in ("07EA0B070D1D0C", "07EA0B070D1E0D", "07EA0B070D1E00", "07EA0D070D1E01"):
            assert ask(meter, frames.SETC, (0xED, bytes.fromhex(bad)))[0] == 0x51
        assert ask(meter, frames.SETC, (0x81, b"\x48")) == (0x71, [(0x81, b"")], [])
        return values(meter, 0x81, 0xED)

    assert with_meter(story) == {0x81: b"\x48", 0xED: bytes.fromhex("07EA0B070D1E0C")}


def test_inf_req_is_answered_with_inf():
    async def story(meter):
        good = ask(meter, frames.INF_REQ, 0xD5, target=NODE)
        bad = ask(meter, frames.INF_REQ, 0x83)
        return good, bad

    good, bad = with_meter(story)
    assert good == (0x73, [(0xD5, bytes.fromhex("01028801"))], [])
    assert bad == (0x53, [(0x83, b"")], [])


def test_setget_is_not_served():
    async def story(meter):
        return ask(meter, frames.SETGET, (0xE5, b"\1"), more=[(0xE2, b"")]), values(meter, 0xE5)

    reply, day = with_meter(story)
    assert reply == (0x5E, [(0xE5, b"\1")], [(0xE2, b"")])
    assert day == {0xE5: b"\xff"}


def test_the_node_profile():
    async def story(meter):
        known = dict(get(meter, 0x82, 0x83, 0x9D, 0x9E, 0x9F, target=NODE)[1])
        known |= dict(get(meter, 0xD3, 0xD4, 0xD6, 0xD7, target=NODE)[1])
        return known

    known = with_meter(story)
    assert known[0x9D] == bytes.fromhex("0280D5") and known[0x9E] == b"\0"
    assert known[0x9F] == bytes.fromhex("0A8082838A9D9E9FD3D4D6D7"[2:]).join([b"\x0b", b""])
    assert (known[0xD3], known[0xD4]) == (b"\0\0\1", b"\0\2")
    assert (known[0xD6], known[0xD7]) == (bytes.fromhex("01028801"), b"\x01\x02\x88")
    assert known[0x83][0] == 0xFE and len(known[0x83]) == 17


def test_whom_it_answers():
    async def story(meter):
        by_class = frames.build(1, CONTROLLER, 0x028800, frames.GET, [(0xE1, b"")])
        reply = frames.parse(meter.answer(by_class))
        assert reply is not None
        assert (reply.source, reply.target) == (METER, CONTROLLER)
        assert get(meter, 0xE1, source=NODE)[0] == 0x72
        stranger = frames.build(1, CONTROLLER, 0x013001, frames.GET, [(0x80, b"")])
        assert meter.answer(stranger) is None

    with_meter(story)


@pytest.mark.parametrize(
    "data",
    ["", "1081FFFF", "1181000105FF010288016201E700", "1082000105FF010288016201E700",
     "1081000105FF010288016201E0", "1081000105FF010288016201E00200",
     "1081000105FF010288016202E700", "1081000105FF010288016201E7000",
     "1081000105FF010288016F01E700", "1081000105FF010288017201E700"],
)  # fmt: skip
def test_what_it_discards(data):
    async def story(meter):
        return meter.answer(bytes.fromhex(data[: len(data) // 2 * 2]))

    if data.endswith("E7000"):
        data += "0"  # one byte too many
    assert with_meter(story) is None


def test_power_current_and_energy_are_the_households():
    async def story(meter):
        home = meter.metering.household
        got = values(meter, 0xE7, 0xE8, 0xE0, 0xE3)
        power = struct.unpack(">i", got[0xE7])[0]
        assert power == home.power(START)
        assert struct.unpack(">hh", got[0xE8]) == home.currents(START)
        normal, reverse = home.energy(START)
        assert got[0xE0] == struct.pack(">I", normal // 36_000)
        assert got[0xE3] == struct.pack(">I", reverse // 36_000)

    with_meter(story, solar=4_000)


def test_currents_of_simpler_meters():
    async def story(meter):
        return struct.unpack(">hh", values(meter, 0xE8)[0xE8])

    r, t = with_meter(story, equipment=Equipment(whole_amperes=True))
    assert r % 10 == 0 and t % 10 == 0
    exact = with_meter(story)
    assert abs(exact[0] - r) <= 5
    r, t = with_meter(story, equipment=Equipment(two_wire=True))
    assert t == 0x7FFE and r == sum(exact)


@pytest.mark.parametrize(
    ("unit", "coefficient", "per_count"),
    [(0x00, 1, 3_600_000), (0x01, None, 360_000), (0x01, 20, 7_200_000), (0x04, 1, 360),
     (0x0A, 1, 36_000_000)],
)  # fmt: skip
def test_unit_and_coefficient(unit, coefficient, per_count):
    async def story(meter):
        normal = meter.metering.household.energy(START)[0]
        return struct.unpack(">I", values(meter, 0xE0)[0xE0])[0], normal

    kit = Equipment(unit=unit, coefficient=coefficient, digits=8)
    raw, normal = with_meter(story, equipment=kit)
    assert raw == normal // per_count % 10**8


def test_counters_roll_over_at_their_digits():
    async def story(meter):
        normal = meter.metering.household.energy(START)[0] // 36_000
        return struct.unpack(">I", values(meter, 0xE0)[0xE0])[0], normal

    raw, normal = with_meter(story, equipment=Equipment(digits=4, initial=9_990))
    assert raw == (normal + 9_990) % 10_000 < 10_000


@pytest.mark.parametrize("bad", [{"unit": 5}, {"digits": 9}, {"serial": b"0123456789ABC"}])
def test_equipment_that_cannot_be(bad):
    with pytest.raises(ValueError, match="."):
        Equipment(**bad)


def test_the_clock():
    async def story(meter):
        return values(meter, 0x97, 0x98)

    assert with_meter(story) == {0x97: b"\x0e\x14", 0x98: bytes.fromhex("07EA0B07")}
    wrong = with_meter(story, equipment=Equipment(clock_offset=-15 * 3600))
    assert wrong == {0x97: b"\x17\x14", 0x98: bytes.fromhex("07EA0B06")}


def test_fixed_time_values():
    async def story(meter):
        return values(meter, 0xEA, 0xEB), meter.metering.slot(START - 20 * 60)

    got, (normal, reverse) = with_meter(story, solar=4_000)
    assert got[0xEA] == bytes.fromhex("07EA0B070E0000") + struct.pack(">I", normal)
    assert got[0xEB] == bytes.fromhex("07EA0B070E0000") + struct.pack(">I", reverse)


def _day(meter, day: int, epc: int = 0xE2):
    ask(meter, frames.SETC, (0xE5, bytes([day])))
    number, *slots = struct.unpack(">H48I", values(meter, epc)[epc])
    assert number == day
    return slots


def test_history_by_day():
    async def story(meter):
        assert values(meter, 0xE2)[0xE2] == b"\x00\xff" + b"\xff\xff\xff\xfe" * 48
        today, yesterday = _day(meter, 0), _day(meter, 1)
        assert today[:29] == sorted(today[:29])  # 00:00 to 14:00
        assert today[29:] == [NO_DATA] * 19
        assert yesterday[-1] <= today[0] and NO_DATA not in yesterday
        midnight = START - (14 * 60 + 20) * 60
        assert today[20] == meter.metering.household.energy(midnight + 20 * 1_800)[0] // 36_000
        assert _day(meter, 1, 0xE4)[0] == meter.metering.slot(midnight - 86_400)[1]
        assert NO_DATA not in _day(meter, 99)

    with_meter(story, solar=4_000)


def test_history_ends_where_the_meter_says_and_where_it_began():
    async def short(meter):
        return _day(meter, 14)[0], _day(meter, 15)[0]

    first, beyond = with_meter(short, equipment=Equipment(history_days=14))
    assert first != NO_DATA and beyond == NO_DATA

    async def young(meter):
        return _day(meter, 3), _day(meter, 4)

    start = (INSTALLED + 3) * 86_400
    old, before = with_meter(young, start=start)
    assert NO_DATA not in old and before == [NO_DATA] * 48


def test_history_moves_with_the_meters_day():
    async def story(meter):
        before = _day(meter, 1)
        await asyncio.sleep(10 * 3600)  # past midnight in Japan
        return before, _day(meter, 2), struct.unpack(">H", values(meter, 0xE2)[0xE2][:2])[0]

    before, after, number = with_meter(story, seconds=1e5)
    assert before == after and number == 2


def test_history_by_slots_goes_backwards():
    async def story(meter):
        initial = values(meter, 0xEC)[0xEC]
        ask(meter, frames.SETC, (0xED, bytes.fromhex("07EA0B070F0004")))  # 15:00 and before
        return initial, values(meter, 0xEC)[0xEC], meter.metering.slot

    initial, edt, slot = with_meter(story, solar=4_000)
    assert initial.hex().upper() == "FFFFFFFFFFFF01FFFFFFFEFFFFFFFE"
    assert edt[:7] == bytes.fromhex("07EA0B070F0004") and len(edt) == 7 + 32
    at = START - 20 * 60
    pairs = list(struct.iter_unpack(">II", edt[7:]))
    assert pairs == [(NO_DATA,) * 2, (NO_DATA,) * 2, slot(at), slot(at - 1_800)]


def test_bad_manners():
    request = frames.build(0x1234, CONTROLLER, METER, frames.GET, [(0xE7, b""), (0xE8, b"")])

    async def story(meter):
        return [meter.answer(request) for _ in range(100)]

    assert with_meter(story, manners=Manners(silent=True)) == [None] * 100
    good = with_meter(story)[0]
    for reply in with_meter(story, manners=Manners(wrong_tid=1)):
        assert reply[2:4] != good[2:4] and reply[4:] == good[4:]
    for reply in with_meter(story, manners=Manners(wrong_epc=1)):
        message = frames.parse(reply)
        assert (
            message is not None
            and message.tid == 0x1234
            and message.properties[0][0] not in (0xE7, 0xE8)
        )
    for reply in with_meter(story, manners=Manners(short=1)):
        assert 0 < len(reply) < len(good) and good.startswith(reply)
    some = with_meter(story, manners=Manners(short=0.2, wrong_tid=0.2, wrong_epc=0.2))
    assert 20 < sum(reply == good for reply in some) < 60
