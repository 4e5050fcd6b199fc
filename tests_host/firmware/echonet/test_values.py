import captures
from echonet import EchonetError
from echonet.dates import utc
from echonet.values import decode
from helpers import hex_, raises


def test_every_value_of_the_reference():
    for epc, edt, want in captures.DUMPS:
        got = decode(epc, hex_(edt))
        assert got == want, (hex(epc), edt, got)
        assert decode(epc, memoryview(hex_(edt))) == want


def test_history_of_a_day_never_set():
    assert decode(0xE2, hex_("00FF") + hex_("FFFFFFFE") * 48) == (None, [None] * 48)


def test_history_of_a_day():
    edt = hex_("000B") + hex_("00000005") * 20 + hex_("FFFFFFFE") * 28
    assert decode(0xE4, edt) == (11, [5] * 20 + [None] * 28)


def test_histories_by_half_hour_and_by_minute():
    edt = hex_("07E90C1F0C1E 02 00000064 00000001 00000063 FFFFFFFE")
    t = utc(2025, 12, 31, 12, 30)
    assert decode(0xEC, edt) == [(t, 100, 1), (t - 1800, 99, None)]
    assert decode(0xEE, edt) == [(t, 100, 1), (t - 60, 99, None)]


def test_sentinels_are_told_apart():
    assert decode(0xE7, hex_("7FFFFFFE")) is None
    assert decode(0xE7, hex_("7FFFFFFF")) == "overflow"
    assert decode(0xE7, hex_("80000000")) == "underflow"
    assert decode(0xE7, hex_("FFFFFFFE")) == -2
    assert decode(0xE8, hex_("7FFF8000")) == ("overflow", "underflow")
    assert decode(0xE8, hex_("7FFE7FFF")) == (None, "overflow")
    assert decode(0xE0, hex_("FFFFFFFE")) is None


def test_operation_and_fault_status():
    assert decode(0x80, b"\x31") is False
    assert decode(0x88, b"\x41") is True
    for epc, edt in ((0x80, "32"), (0x80, "2F"), (0x80, ""), (0x88, "40"), (0x88, "4243")):
        raises(EchonetError, decode, epc, hex_(edt))


def test_location():
    assert decode(0x81, b"\x00") == 0
    assert decode(0x81, b"\xff") == 0xFF
    assert decode(0x81, b"\x01" + bytes(16)) == "01" + "00" * 16
    raises(EchonetError, decode, 0x81, bytes(17))
    raises(EchonetError, decode, 0x81, b"\x02" + bytes(16))


def test_operating_time_is_in_seconds():
    for unit, seconds in (("41", 1), ("42", 60), ("43", 3600), ("44", 86400)):
        assert decode(0x9A, hex_(unit + "00000003")) == 3 * seconds
    assert decode(0x9A, hex_("44FFFFFFFF")) == 0xFFFFFFFF * 86400
    for edt in ("4000000003", "4500000003", "41000003"):
        raises(EchonetError, decode, 0x9A, hex_(edt))


def test_ranges():
    for epc, edt in (
        (0xD7, "00"),
        (0xD7, "09"),
        (0xD3, "000F4240"),
        (0xE5, "64"),
        (0xE5, "FE"),
        (0x97, "1800"),
        (0x97, "003C"),
        (0x98, "07EA021D"),
        (0x8E, "07EA0D01"),
        (0xEC, "07E90C1F0C1E 00"),
        (0xEF, "07E90C1F0C1F 0B"),
    ):
        raises(EchonetError, decode, epc, hex_(edt))
    error = raises(EchonetError, decode, 0xD7, b"\x09")
    assert str(error) == "09 is not in 01 to 08"


def test_reserved_units_are_shown_as_they_are():
    assert decode(0xE1, b"\x05") == 5
    assert decode(0xE1, b"\xff") == 255


def test_others_are_shown_in_hexadecimal():
    assert decode(0x86, hex_("04 000016 41")) == "0400001641"
    assert decode(0xBF, hex_("8001")) == "8001"
    assert decode(0xF0, b"") == ""


def test_wrong_sizes_are_refused():
    sizes = {
        0x80: (1,),
        0x81: (1, 17),
        0x82: (4,),
        0x83: (17,),
        0x88: (1,),
        0x89: (2,),
        0x8A: (3,),
        0x8B: (3,),
        0x8C: (12,),
        0x8D: (12,),
        0x8E: (4,),
        0x97: (2,),
        0x98: (4,),
        0x9A: (5,),
        0xC0: (16,),
        0xD0: (15,),
        0xD3: (4,),
        0xD7: (1,),
        0xE0: (4,),
        0xE1: (1,),
        0xE2: (194,),
        0xE3: (4,),
        0xE4: (194,),
        0xE5: (1,),
        0xE7: (4,),
        0xE8: (4,),
        0xEA: (11,),
        0xEB: (11,),
        0xED: (7,),
        0xEF: (7,),
    }
    for epc in sizes:
        for n in (0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18, 193, 194, 195):
            if n not in sizes[epc]:
                raises(EchonetError, decode, epc, b"\x01" * n)
