import captures
from captures import edt
from echonet import EchonetError, encode
from echonet.dates import utc
from echonet.history import MINUTE
from echonet.values import decode
from helpers import hex_, raises


def test_every_value_of_the_reference_back_to_bytes():
    for epc, data, value in captures.DUMPS:
        assert encode.encode(epc, value) == hex_(data), hex(epc)


def test_captured_values():
    assert encode.power(611) == edt(captures.P2, 0xE7)
    assert encode.currents(70, 40) == edt(captures.P3, 0xE8)
    assert encode.counter(47575) == edt(captures.P3, 0xE0)
    t = utc(2023, 12, 19, 0, 30)
    assert encode.fixed_time(t, 17806) == edt(captures.P5, 0xEA)
    assert encode.fixed_time(t, 21) == edt(captures.P5, 0xEB)
    assert encode.minute(utc(2025, 12, 31, 23, 59), 74565, 0) == edt(captures.S1, 0xD0)


def test_sentinels():
    assert encode.power(None) == edt(captures.S6, 0xE7)
    assert encode.power("overflow") == hex_("7FFFFFFF")
    assert encode.power("underflow") == hex_("80000000")
    assert encode.currents(20, None) == edt(captures.S4, 0xE8)
    assert encode.currents("overflow", "underflow") == edt(captures.S5, 0xE8)
    assert encode.counter(None) == edt(captures.S7, 0xE0)


def test_values_that_would_be_sentinels_are_refused():
    for v in (2147483646, 2147483647, -2147483648, 1 << 32):
        raises(EchonetError, encode.power, v)
    for v in (32766, 32767, -32768, 1 << 16):
        raises(EchonetError, encode.currents, v, 0)
        raises(EchonetError, encode.currents, 0, v)
    for v in (-1, 100_000_000, 0xFFFFFFFE):
        raises(EchonetError, encode.counter, v)
    assert encode.power(-2147483647) == hex_("80000001")
    assert encode.currents(32765, -32767) == hex_("7FFD8001")


def test_clock():
    t = utc(2026, 5, 20, 14, 26, 59)
    assert encode.clock_date(t) == hex_("07EA0514")
    assert encode.clock_time(t) == hex_("0E1A")


def test_text_is_filled_up():
    assert encode.text("X00X000000") == b"X00X000000\0\0"
    assert encode.text("", 4) == bytes(4)
    assert encode.text("12345678901~") == b"12345678901~"
    for s in ("1234567890123", "\u691c\u91dd", "a\x7f"):
        raises(EchonetError, encode.text, s)


def test_history_of_a_day():
    data = encode.day_values(11, list(range(40)) + [None] * 8)
    assert len(data) == 194
    assert decode(0xE2, data) == (11, list(range(40)) + [None] * 8)
    assert encode.day_values(None, [None] * 48) == encode.DAY_UNSET
    assert encode.DAY_UNSET == hex_("00FF") + hex_("FFFFFFFE") * 48
    for day in (0, 99):
        assert encode.day_values(day, [0] * 48)[:2] == bytes([0, day])
    raises(EchonetError, encode.day_values, 1, [0] * 47)
    raises(EchonetError, encode.day_values, 100, [0] * 48)


def test_entries():
    t = utc(2025, 12, 31, 12, 30)
    data = encode.entries(t, [(100, 1), (99, None)])
    assert data == hex_("07E90C1F0C1E 02 00000064 00000001 00000063 FFFFFFFE")
    assert encode.entries(t, []) == edt(captures.S3, 0xEC)
    assert len(encode.entries(t, [(None, None)] * 12)) == 103
    assert len(encode.entries(t, [(0, 0)] * 10, MINUTE)) == 87
    raises(EchonetError, encode.entries, t, [(0, 0)] * 13)
    raises(EchonetError, encode.entries, t, [(0, 0)] * 11, MINUTE)
    raises(EchonetError, encode.entries, t + 60, [(0, 0)])


def test_entries_out_of_step_are_refused():
    t = utc(2025, 12, 31, 12, 30)
    assert encode.encode(0xEC, [(t, 2, 0), (t - 1800, 1, 0)])[6] == 2
    raises(EchonetError, encode.encode, 0xEC, [(t, 2, 0), (t + 1800, 1, 0)])
    raises(EchonetError, encode.encode, 0xEE, [(t, 2, 0), (t - 1800, 1, 0)])


def test_operating_time_takes_the_smallest_unit():
    assert encode.encode(0x9A, 3) == hex_("4100000003")
    assert encode.encode(0x9A, 0xFFFFFFFF) == hex_("41FFFFFFFF")
    assert encode.encode(0x9A, 60 * 0xFFFFFFFF) == hex_("42FFFFFFFF")
    raises(EchonetError, encode.encode, 0x9A, 1 << 33 | 1)


def test_dates_and_ranges_are_checked():
    for epc, value in (
        (0x98, (2026, 2, 29)),
        (0x97, (24, 0)),
        (0xD3, 1_000_000),
        (0xD7, 9),
        (0xE1, 256),
        (0xE5, 100),
        (0xED, (utc(2026, 1, 1), 13)),
        (0xEF, (utc(2026, 1, 1), 11)),
    ):
        raises(EchonetError, encode.encode, epc, value)


def test_others_are_given_in_hexadecimal():
    assert encode.encode(0x83, "FE000016" + "00" * 13) == hex_("FE000016") + bytes(13)
