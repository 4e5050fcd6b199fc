import captures
from captures import edt
from echonet import EchonetError, meter
from echonet.dates import utc
from echonet.frame import Frame
from helpers import hex_, raises


def test_objects():
    assert (meter.METER, meter.CONTROLLER, meter.NODE) == (0x028801, 0x05FF01, 0x0EF001)


def test_power():
    assert meter.power(edt(captures.P2, 0xE7)) == 611
    assert meter.power(edt(captures.P3, 0xE7)) == 929
    assert meter.power(edt(captures.GET_TWO_RES, 0xE7)) == 632


def test_power_is_negative_when_exporting():
    assert meter.power(hex_("FFFFFFFF")) == -1
    assert meter.power(hex_("FFFFFC18")) == -1000
    assert meter.power(hex_("00000000")) == 0


def test_power_sentinels_and_the_values_beside_them():
    assert meter.power(edt(captures.S6, 0xE7)) is None
    assert meter.power(hex_("7FFFFFFF")) is None
    assert meter.power(hex_("80000000")) is None
    assert meter.power(hex_("7FFFFFFD")) == 2147483645
    assert meter.power(hex_("80000001")) == -2147483647


def test_currents():
    assert meter.currents(edt(captures.P3, 0xE8)) == (70, 40)
    assert meter.currents(hex_("001E0032")) == (30, 50)
    assert meter.currents(hex_("00620022")) == (98, 34)


def test_current_is_negative_when_exporting():
    assert meter.currents(hex_("000AFFEC")) == (10, -20)
    assert meter.currents(hex_("FFF1FFFF")) == (-15, -1)


def test_two_wire_supply_has_no_current_t():
    assert meter.currents(edt(captures.S4, 0xE8)) == (20, None)


def test_current_sentinels_and_the_values_beside_them():
    assert meter.currents(edt(captures.S5, 0xE8)) == (None, None)
    assert meter.currents(hex_("7FFD8001")) == (32765, -32767)


def test_counter():
    assert meter.counter(edt(captures.P3, 0xE0)) == 47575
    assert meter.counter(edt(captures.S8, 0xE0)) == 65139
    assert meter.counter(hex_("00000000")) == 0
    assert meter.counter(hex_("05F5E0FF")) == 99_999_999


def test_counter_sentinel_and_reserved_codes():
    assert meter.counter(edt(captures.S7, 0xE0)) is None
    for code in ("05F5E100", "06000000", "7FFFFFFE", "FFFFFFFD", "FFFFFFFF"):
        assert meter.counter(hex_(code)) is None


def test_fixed_time():
    assert meter.fixed_time(edt(captures.P5, 0xEA)) == (utc(2023, 12, 19, 0, 30), 17806)
    assert meter.fixed_time(edt(captures.P5, 0xEB)) == (utc(2023, 12, 19, 0, 30), 21)
    assert meter.fixed_time(edt(captures.P7, 0xEA)) == (utc(2018, 10, 2, 14, 30), 226223)
    assert meter.fixed_time(edt(captures.P7, 0xEB)) == (utc(2018, 10, 2, 14, 30), 92786)
    assert meter.fixed_time(hex_("07EA05140E00000000FE68")) == (utc(2026, 5, 20, 14), 65128)


def test_fixed_time_is_japanese_time():
    assert meter.fixed_time(edt(captures.P7, 0xEA))[0] == 1538458200  # 2018-10-02 05:30 UTC


def test_fixed_time_not_measured():
    assert meter.fixed_time(hex_("07EA05140E0000FFFFFFFE")) == (utc(2026, 5, 20, 14), None)


def test_minute():
    want = (utc(2025, 12, 31, 23, 59), 74565, 0)
    assert meter.minute(edt(captures.S1, 0xD0)) == want
    assert meter.minute(hex_("07E90C1F173B00FFFFFFFEFFFFFFFE")) == (want[0], None, None)


def test_clock():
    assert meter.clock(hex_("07EA0514"), hex_("0E1A")) == utc(2026, 5, 20, 14, 26)
    assert meter.clock(hex_("07E50917"), hex_("0929")) == utc(2021, 9, 23, 9, 41)
    f = Frame().parse(hex_("1081000102880105FF0172029804 07EA0514 9702 0E1A"))
    assert meter.clock(f.get(0x98), f.get(0x97)) == utc(2026, 5, 20, 14, 26)


def test_impossible_dates_are_refused():
    for date in (
        "07EA000A0E0000",  # month 0
        "07EA0D0A0E0000",  # month 13
        "07EA05000E0000",  # day 0
        "07EA0520000000",  # May 32
        "07EA021D000000",  # 2026-02-29
        "07EA0514180000",  # hour 24
        "07EA05140E3C00",  # minute 60
        "07EA05140E003C",  # second 60
        "FFFFFFFFFFFFFF",
        "00000000000000",
    ):
        error = raises(EchonetError, meter.fixed_time, hex_(date + "00000001"))
        assert "no such time" in str(error)
    raises(EchonetError, meter.clock, hex_("07EA0514"), hex_("1800"))
    raises(EchonetError, meter.clock, hex_("00000000"), hex_("0000"))


def test_release():
    assert meter.release(hex_("00004600")) == "F"
    assert meter.release(hex_("00005204")) == "R"


def test_text_without_padding():
    assert meter.text(b"X00X000000\0\0") == "X00X000000"
    assert meter.text(memoryview(b"A1 B2     \0\0")) == "A1 B2"
    assert meter.text(b"\0" * 12) == ""
    assert meter.text(b"") == ""


def test_text_leaves_out_what_cannot_be_printed():
    assert meter.text(b"A\xff\x07B\x7f\n\0") == "AB"


def test_coefficient():
    assert meter.u32(hex_("00000001")) == 1
    assert meter.u32(hex_("000F423F")) == 999_999
    assert meter.u32(hex_("FFFFFFFE")) == 0xFFFFFFFE


def test_wrong_sizes_are_refused():
    for decoder, size in (
        (meter.power, 4),
        (meter.currents, 4),
        (meter.counter, 4),
        (meter.u32, 4),
        (meter.release, 4),
        (meter.fixed_time, 11),
        (meter.minute, 15),
    ):
        for n in range(20):
            if n != size:
                error = raises(EchonetError, decoder, bytes(n))
                assert str(error) == "%d bytes instead of %d at byte 0" % (n, size)
    raises(EchonetError, meter.clock, bytes(4), bytes(3))
    raises(EchonetError, meter.clock, bytes(3), bytes(2))


def test_decoders_read_in_the_frame_too():
    f = Frame().parse(captures.P3)
    assert meter.power(f.data, f.find(0xE7)) == 929
    assert meter.currents(f.data, f.find(0xE8)) == (70, 40)
    assert meter.counter(f.data, f.find(0xE0)) == 47575
    f.parse(captures.P7)
    assert meter.fixed_time(f.data, f.find(0xEA)) == (utc(2018, 10, 2, 14, 30), 226223)
    assert meter.fixed_time(f.data, f.find(0xEB)) == (utc(2018, 10, 2, 14, 30), 92786)
    f.parse(hex_("1081000102880105FF0172 02 D304 000F4240 8204 00005204"))
    assert meter.u32(f.data, f.find(0xD3)) == 1_000_000
    assert meter.release(f.data, f.find(0x82)) == "R"
    f.parse(captures.S1)
    assert meter.minute(f.data, f.find(0xD0)) == (utc(2025, 12, 31, 23, 59), 74565, 0)


def test_wrong_sizes_in_the_frame_say_where():
    f = Frame().parse(captures.S8)
    error = raises(EchonetError, meter.counter, f.data, f.find(0xEB))
    assert str(error) == "0 bytes instead of 4 at byte 20"
    f.parse(captures.P7)
    error = raises(EchonetError, meter.counter, f.data, f.find(0xEA))
    assert str(error) == "11 bytes instead of 4 at byte 14"
