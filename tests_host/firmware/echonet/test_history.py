import captures
from echonet import EchonetError, history
from echonet.dates import jst, utc
from echonet.frame import Frame
from helpers import hex_, raises

NO_DATA = hex_("FFFFFFFE")


def day_edt(day, counts):
    return hex_(day) + b"".join(
        [NO_DATA if c is None else b"\0" + hex_("%06X" % c) for c in counts]
    )


# Seen on a real meter at about 19:20: 39 values from 00:00 to 19:00, then "no data".
TODAY = day_edt("0000", [1000 + k for k in range(39)] + [None] * 9)


def test_day():
    assert history.day(TODAY) == 0
    assert history.day(day_edt("000B", [5] * 48)) == 11
    assert history.day(day_edt("0063", [5] * 48)) == 99


def test_day_never_set():
    assert history.day(day_edt("00FF", [None] * 48)) is None


def test_impossible_days_are_refused():
    for day in ("0064", "00FE", "0100", "FFFF"):
        assert "day" in str(raises(EchonetError, history.day, day_edt(day, [5] * 48)))


def test_slots_of_an_unfinished_day():
    begin = utc(2021, 1, 18)
    rows = list(history.slots(TODAY, begin))
    assert len(rows) == 48
    assert rows[0] == (begin, 1000)
    assert rows[38] == (utc(2021, 1, 18, 19), 1038)
    assert rows[39] == (utc(2021, 1, 18, 19, 30), None)
    assert rows[47] == (utc(2021, 1, 18, 23, 30), None)


def test_slot_by_number():
    assert [history.slot(TODAY, k) for k in (0, 38, 39, 47)] == [1000, 1038, None, None]


def test_a_reserved_code_spoils_one_slot_only():
    data = bytearray(TODAY)
    data[6:10] = hex_("FFFFFFFF")
    assert [history.slot(data, k) for k in range(3)] == [1000, None, 1002]


def test_zero_is_a_value():
    assert [v for _, v in history.slots(day_edt("0001", [0] * 48), 0)] == [0] * 48


def test_a_day_has_194_bytes():
    for n in (0, 1, 193, 195):
        error = raises(EchonetError, history.day, bytes(n))
        assert str(error) == "%d bytes instead of 194 at byte 0" % n
        raises(EchonetError, list, history.slots(bytes(n), 0))


def test_a_day_is_read_in_the_frame_too():
    f = Frame().parse(captures.P2[:12] + b"\xe2\xc2" + TODAY)
    at = f.find(0xE2)
    assert history.day(f.data, at) == 0
    assert history.slot(f.data, 38, at) == 1038
    assert list(history.slots(f.data, 0, at)) == list(history.slots(TODAY, 0))


def test_set_day():
    assert history.set_day(0) == b"\x00"
    assert history.set_day(99) == b"\x63"
    for day in (-1, 100, 255):
        raises(EchonetError, history.set_day, day)


def test_entries_step_back_from_the_requested_time():
    edt = hex_("07E90C1F0C1E 03 00001000 00000001 00000F00 FFFFFFFE FFFFFFFE 00000000")
    assert list(history.entries(edt)) == [
        (utc(2025, 12, 31, 12, 30), 0x1000, 1),
        (utc(2025, 12, 31, 12, 0), 0xF00, None),
        (utc(2025, 12, 31, 11, 30), None, 0),
    ]


def test_minute_entries_step_back_over_midnight():
    edt = hex_("07EA01010001 03") + hex_("00000001 00000000") * 3
    times = [jst(row[0])[:5] for row in history.entries(edt, 0, history.MINUTE)]
    assert times == [(2026, 1, 1, 0, 1), (2026, 1, 1, 0, 0), (2025, 12, 31, 23, 59)]


def test_entries_never_set():
    edt = captures.edt(captures.S3, 0xEC)
    assert list(history.entries(edt)) == []


def test_most_entries():
    pair = hex_("00000001 00000002")
    assert len(list(history.entries(hex_("07E90C1F0C1E0C") + pair * 12))) == 12
    assert len(list(history.entries(hex_("07E90C1F0C1F0A") + pair * 10, 0, history.MINUTE))) == 10
    for edt, step in (
        (hex_("07E90C1F0C1E0D") + pair * 13, history.HALF_HOUR),
        (hex_("07E90C1F0C1E0B") + pair * 11, history.MINUTE),
        (hex_("07E90C1F0C1E00"), history.HALF_HOUR),
        (hex_("07E90C1F0C1E00"), history.MINUTE),
    ):
        error = raises(EchonetError, list, history.entries(edt, 0, step))
        assert str(error) == "entries: %d" % edt[6]


def test_entries_of_another_size_than_they_say():
    for edt in (b"", hex_("07E90C1F0C1E"), hex_("07E90C1F0C1E01"), captures.S3[14:-1]):
        raises(EchonetError, list, history.entries(edt))
    raises(EchonetError, list, history.entries(hex_("07E90C1F0C1E02 00000001 00000002")))


def test_entries_at_an_impossible_time():
    raises(EchonetError, list, history.entries(hex_("07E90D1F0C1E01 00000001 00000002")))


def test_entries_are_read_in_the_frame_too():
    edt = hex_("07E90C1F0C1E 02 00001000 00000001 00000F00 FFFFFFFE")
    f = Frame().parse(captures.P2[:12] + b"\xec" + bytes([len(edt)]) + edt)
    assert list(history.entries(f.data, f.find(0xEC))) == list(history.entries(edt))


def test_requested_time():
    f = Frame().parse(captures.S2_SET)
    want = (utc(2025, 12, 31, 12, 30), 6)
    assert history.requested(f.get(0xED)) == want
    assert history.requested(f.data, f.find(0xED)) == want
    assert history.requested(hex_("FFFFFFFFFFFF01")) is None
    for n in (0, 6, 8):
        raises(EchonetError, history.requested, bytes(n))


def test_times_off_the_step_are_refused():
    for edt in ("07E90C1F0C0106", "07E90C1F0C1D06"):
        raises(EchonetError, history.requested, hex_(edt))
        assert history.requested(hex_(edt), 0, history.MINUTE)[1] == 6
    raises(EchonetError, list, history.entries(hex_("07E90C1F0C0101 00000001 00000002")))


def test_set_time():
    assert history.set_time(utc(2025, 12, 31, 12, 30), 6) == hex_("07E90C1F0C1E06")
    t = utc(2026, 1, 1, 0, 1)
    assert history.set_time(t, 10, history.MINUTE) == hex_("07EA010100010A")


def test_set_time_must_lie_on_a_step():
    for second in (1, 59, 60, 1799):
        error = raises(EchonetError, history.set_time, utc(2026, 1, 1) + second, 1)
        assert "off the step" in str(error)
    raises(EchonetError, history.set_time, utc(2026, 1, 1) + 30, 1, history.MINUTE)


def test_set_time_bounds_the_entries():
    t = utc(2026, 1, 1)
    for n, step in ((0, 1800), (13, 1800), (0, 60), (11, 60), (-1, 60)):
        assert str(raises(EchonetError, history.set_time, t, n, step)) == "entries: %d" % n
