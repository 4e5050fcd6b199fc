# What becomes of the meter's answers: integers in 0.1 Wh, W and 0.1 A, at the time of asking.
import asyncio
import struct

from echonet.dates import utc
from fakeclock import FakeClock, FakeDriver, Lines, Recorder
from gateway.exchange import Exchange
from gateway.meter import Meter
from helpers import hex_, run
from wisun import GateClosed

SLOT = utc(2026, 5, 20, 14, 0, 0)
UTC = SLOT + 500
MAP = hex_("19 41 41 41 60 40 40 00 62 43 00 41 40 40 43 02 02")
PROPS = {
    0x9F: MAP,
    0x82: hex_("00004600"),
    0x8A: hex_("000016"),
    0x8D: b"X00X000000\x00\x00",
    0xD3: hex_("00000001"),
    0xD7: hex_("06"),
    0xE1: hex_("01"),
    0xE0: hex_("0000FE73"),
    0xE3: hex_("00000016"),
    0xE7: hex_("00000278"),
    0xE8: hex_("001E0032"),
    0xEA: hex_("07EA05140E0000 0000FE68"),
    0xEB: hex_("07EA05140E0000 00000016"),
    0x97: hex_("0E1A"),
    0x98: hex_("07EA0514"),
}


class Outbox:
    def __init__(self):
        self.kept = []

    def append(self, r):
        self.kept.append(r)
        return len(self.kept)


class Rig:
    """A meter that answers from a table; an EPC that is missing or None comes back with PDC 0."""

    def __init__(self, props=None, utc=UTC, limit=6):
        self.props = dict(PROPS)
        self.props.update(props or {})
        self.limit = limit
        self.clock = FakeClock(utc)
        self.driver = FakeDriver()
        self.driver.on_send = self.answer
        self.status = Recorder()
        self.log = Lines()
        self.outbox = Outbox()
        self.mute = 0  # requests to leave unanswered
        self.air = asyncio.Lock()
        self.settings = {"poll.timeout": 10}
        self.tid = self.map = self.constants = self.told = None  # what a session remembers
        self.ring = []
        self.pending = []
        self.newest = {}
        self.x = Exchange(self, self)
        self.meter = Meter(self, self, self.x)

    def answer(self, request):
        if self.mute:
            self.mute -= 1
            return
        epcs = [request[12 + 2 * i] for i in range(request[11])]
        good = len(epcs) <= self.limit
        body = b""
        for epc in epcs[: self.limit]:
            edt = self.props.get(epc)
            if edt is None:
                good = False
                edt = b""
            body += bytes([epc, len(edt)]) + edt
        frame = b"\x10\x81" + request[2:4] + hex_("02880105FF01")
        frame += bytes([0x72 if good else 0x52, min(len(epcs), self.limit)]) + body
        self.x.datagram(memoryview(frame), True)

    def notify(self, props):
        body = b"".join(bytes([e, len(d)]) + d for e, d in props)
        frame = hex_("10810001 02880105FF01 73") + bytes([len(props)]) + body
        self.x.datagram(memoryview(frame), True)


def test_learn_reads_the_map_and_the_constants_in_gets_of_five_at_most():
    rig = Rig()
    assert run(rig.meter.learn())
    assert rig.status.meter["serial"] == "X00X000000"
    assert rig.status.meter["maker"] == "000016"
    assert rig.status.meter["release"] == "F"
    assert rig.status.meter["digits"] == 6
    assert max(r[11] for r in rig.driver.sent) <= 5


def test_poll_makes_one_instant_of_integers():
    rig = Rig()
    run(rig.meter.learn())
    asked = rig.clock.ms()
    assert run(rig.meter.poll(True))
    (r,) = rig.outbox.kept
    assert (r.kind, r.origin, r.quality) == ("instant", "get", "ntp")
    assert (r.power, r.current_r, r.current_t) == (632, 30, 50)
    # 65139 counts of 0.1 kWh are 65,139,000 of 0.1 Wh
    assert (r.normal, r.reverse) == (65_139_000, 22_000)
    assert r.t == rig.clock.utc_at(asked)


def test_negative_power_and_current():
    rig = Rig({0xE7: struct.pack(">i", -1500), 0xE8: struct.pack(">hh", 10, -20)})
    run(rig.meter.learn())
    run(rig.meter.poll(False))
    r = rig.outbox.kept[0]
    assert (r.power, r.current_r, r.current_t, r.normal) == (-1500, 10, -20, None)


def test_not_measured_is_none():
    rig = Rig({0xE7: hex_("7FFFFFFE"), 0xE8: hex_("00147FFE"), 0xE0: hex_("FFFFFFFE")})
    run(rig.meter.learn())
    run(rig.meter.poll(True))
    r = rig.outbox.kept[0]
    assert (r.power, r.current_r, r.current_t, r.normal) == (None, 20, None, None)


def test_coefficient_and_unit_give_more_than_32_bits():
    rig = Rig({0xD3: hex_("00000014"), 0xE1: hex_("00"), 0xE0: hex_("05F5E0FF")})
    run(rig.meter.learn())
    run(rig.meter.poll(True))
    assert rig.outbox.kept[0].normal == 99_999_999 * 20 * 10_000


def test_no_coefficient_means_one():
    rig = Rig({0xD3: None, 0xE1: hex_("02")})
    run(rig.meter.learn())
    run(rig.meter.poll(True))
    assert rig.outbox.kept[0].normal == 65_139 * 100


def test_unknown_unit_means_no_energy_and_is_said():
    rig = Rig({0xE1: hex_("77")})
    run(rig.meter.learn())
    run(rig.meter.poll(True))
    assert rig.outbox.kept[0].normal is None and rig.outbox.kept[0].power == 632
    assert rig.status.code("meter") == "bad-answer"


def test_an_unknown_unit_is_asked_for_again_in_the_next_session():
    rig = Rig({0xE1: hex_("77")})
    run(rig.meter.learn())
    rig.props[0xE1] = PROPS[0xE1]  # it was the line that spoilt it
    run(Meter(rig, rig, rig.x).learn())
    rig.meter = Meter(rig, rig, rig.x)
    run(rig.meter.poll(True))
    assert rig.outbox.kept[0].normal == 65_139 * 1000


def test_a_meter_that_cuts_off_is_asked_again_for_the_rest():
    rig = Rig(limit=2)
    run(rig.meter.learn())
    run(rig.meter.poll(True))
    r = rig.outbox.kept[0]
    assert (r.power, r.current_r, r.normal, r.reverse) == (632, 30, 65_139_000, 22_000)
    assert len(rig.outbox.kept) == 1


def test_silence_is_the_meters_word_after_three_polls_and_passes():
    rig = Rig()
    poll = rig.meter.poll

    async def go():
        await rig.meter.learn()
        rig.mute = 9
        assert not await poll(False)
        assert not await poll(False)
        assert rig.status.problems == {}
        assert not await poll(False)
        assert rig.status.code("meter") == "silent"
        assert await poll(False)
        assert rig.status.problems == {}

    run(go())


def test_late_answer_becomes_a_reading_of_its_own_time():
    rig = Rig()
    run(rig.meter.learn())
    rig.mute = 3
    asked = rig.clock.ms()
    run(rig.meter.poll(False))
    rig.clock.t += 100_000
    rig.answer(rig.driver.sent[-3])
    (r,) = rig.outbox.kept
    assert r.t == rig.clock.utc_at(asked) and r.power == 632


def test_unknown_clock_keeps_uptime_and_no_quality():
    rig = Rig({0x97: None, 0x98: None}, utc=None)
    run(rig.meter.learn())
    run(rig.meter.learn())
    asked = rig.clock.ms()
    run(rig.meter.poll(False))
    r = rig.outbox.kept[0]
    assert (r.t, r.quality) == (asked // 1000, None)


def test_the_meters_clock_is_a_fallback():
    rig = Rig(utc=None)
    assert not run(rig.meter.learn()), "a time server may yet answer"
    assert not rig.meter.memory.told and rig.meter.scale.known
    assert run(rig.meter.learn())
    told, at = rig.meter.memory.told  # the session sets the clock by it
    assert told - at // 1000 + rig.clock.ms() // 1000 == utc(2026, 5, 20, 14, 26, 0)


def test_the_meters_clock_counts_more_than_the_servers():
    for quality, asked in (("server", True), ("meter", False), ("ntp", False)):
        rig = Rig()
        rig.clock.quality = quality
        rig.told = None
        run(rig.meter.learn())
        assert (rig.told is not None) == asked, quality


def test_announcement_of_both_directions_is_one_half_hour():
    rig = Rig()
    run(rig.meter.learn())
    rig.notify([(0xEA, PROPS[0xEA]), (0xEB, PROPS[0xEB])])
    (r,) = rig.outbox.kept
    assert (r.kind, r.t, r.quality, r.origin) == ("half-hour", SLOT, "meter", "inf")
    assert (r.normal, r.reverse, r.power) == (65_128_000, 22_000, None)
    assert not rig.meter.lacks_slot(SLOT) and rig.meter.lacks_slot(SLOT + 1800)


def test_announcement_before_the_constants_waits_for_them():
    rig = Rig()
    rig.notify([(0xEA, PROPS[0xEA])])
    assert rig.outbox.kept == []
    run(rig.meter.learn())
    assert rig.outbox.kept[0].normal == 65_128_000


def test_announcement_of_one_direction_still_lacks_the_other():
    rig = Rig()
    run(rig.meter.learn())
    rig.notify([(0xEA, PROPS[0xEA])])
    assert rig.meter.lacks_slot(SLOT)
    assert run(rig.meter.read_slot())
    assert not rig.meter.lacks_slot(SLOT)
    assert rig.outbox.kept[-1].origin == "get"


def test_a_meter_without_reverse_is_not_asked_for_it():
    rig = Rig({0x9F: hex_("0A 80 82 9D 9E 9F D7 E0 E1 E7 EA"), 0xE3: None, 0xEB: None})
    run(rig.meter.learn())
    run(rig.meter.read_slot())
    run(rig.meter.poll(True))
    for request in rig.driver.sent:
        for i in range(request[11]):
            assert request[12 + 2 * i] not in (0xE3, 0xEB, 0xE8, 0xD3)
    assert rig.outbox.kept[-1].current_r is None and rig.outbox.kept[-1].power == 632


def test_a_meter_without_fixed_time_values_is_not_asked_for_any():
    rig = Rig()
    run(rig.meter.learn())
    rig.meter.memory.map = b"\xe0\xe1\xe7\xe8"
    sent = len(rig.driver.sent)
    assert not run(rig.meter.read_slot())
    assert len(rig.driver.sent) == sent and not rig.meter.lacks_slot(SLOT)
    run(rig.meter.poll(True))
    assert rig.outbox.kept[0].normal == 65_139 * 1000


def test_a_map_with_a_turned_bit_is_asked_for_again():
    rig = Rig()
    good = rig.props[0x9F]
    bad = bytearray(good)
    bad[8] ^= 0x40  # E7 is gone
    maps = [bytes(bad), good, good]
    answer = rig.answer

    def answer_map(request):
        if request[12] == 0x9F and maps:
            rig.props[0x9F] = maps.pop(0)
        answer(request)

    rig.driver.on_send = answer_map
    assert not run(rig.meter.learn()) and rig.map is None
    assert run(rig.meter.learn()) and rig.meter.has(0xE7)


def test_a_meter_that_cannot_count_says_it_twice():
    bitmap = bytearray(MAP)
    bitmap[0] += 1
    rig = Rig({0x9F: bytes(bitmap)})
    assert run(rig.meter.learn()) and rig.meter.has(0xE7)


def test_a_shorter_property_is_the_meters_fault_and_passes():
    rig = Rig()
    run(rig.meter.learn())
    rig.props[0xE7] = hex_("0278")
    run(rig.meter.poll(False))
    assert rig.status.code("meter") == "bad-answer"
    assert rig.outbox.kept == [] or rig.outbox.kept[0].power is None
    rig.props[0xE7] = PROPS[0xE7]
    assert run(rig.meter.poll(False))
    assert rig.status.problems == {}
    assert rig.outbox.kept[-1].power == 632


def test_an_impossible_date_is_not_a_reading():
    rig = Rig()
    run(rig.meter.learn())
    rig.notify([(0xEA, hex_("07EA0D200E0000 0000FE68"))])
    assert rig.outbox.kept == []
    assert rig.status.code("meter") == "bad-answer"


def test_an_impossible_date_in_one_direction_costs_the_other_nothing():
    rig = Rig()
    run(rig.meter.learn())
    bad = hex_("07EA0D200E0000 00000016")
    rig.notify([(0xEA, PROPS[0xEA]), (0xEB, bad)])
    (r,) = rig.outbox.kept
    assert (r.t, r.normal, r.reverse) == (SLOT, 65_128_000, None)
    assert rig.status.code("meter") == "bad-answer" and rig.status.counters["value.bad"] == 1
    assert rig.meter.lacks_slot(SLOT), "the other direction is to be asked for"
    rig.notify([(0xEB, bad), (0xEA, PROPS[0xEA])])
    assert len(rig.outbox.kept) == 2


# Each request waits at the gate for 75 s: one is enough for a poll.
def test_a_half_hour_of_another_day_waits_for_the_history():
    """One of the two clocks is wrong, and a value under a wrong time would stay there."""
    for off, kept in ((2, 0), (-2, 0), (1, 1), (-1, 1)):
        rig = Rig(utc=SLOT + off * 86_400 - 60 * off)
        run(rig.meter.learn())
        rig.notify([(0xEA, PROPS[0xEA]), (0xEB, PROPS[0xEB])])
        assert len(rig.outbox.kept) == kept, off
        assert rig.meter.lacks_slot(SLOT) == (not kept)
        assert rig.status.counters.get("time.meter-off", 0) == (0 if kept else 2)


def test_a_gate_that_stays_closed_is_waited_for_once():
    rig = Rig()
    run(rig.meter.learn())
    waits = []

    async def closed(ms):
        waits.append(ms)
        raise GateClosed("limited")

    rig.driver.gate = "limited"
    rig.driver.open_gate = closed
    assert not run(rig.meter.poll(True))
    assert waits == [75_000] and rig.meter.silent == 0
    assert rig.status.code("radio") == "limited"
