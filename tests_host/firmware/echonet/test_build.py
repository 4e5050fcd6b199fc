import captures
from echonet import EchonetError
from echonet.frame import (
    ESV_GET,
    ESV_GET_RES,
    ESV_GET_SNA,
    ESV_INF,
    ESV_INFC,
    ESV_SETC,
    ESV_SETGET,
    Frame,
    build,
    receipt,
)
from helpers import hex_, raises

METER = 0x028801
CONTROLLER = 0x05FF01


def built(*args):
    buf = bytearray(2048)
    return bytes(buf[: build(buf, *args)])


def test_every_frame_of_the_reference_is_built_from_its_parts():
    f = Frame()
    for data in captures.CAPTURED + captures.MADE_UP + (captures.N5,):
        f.parse(data)
        first = [(f.epc(i), f.edt(i)) for i in range(f.opc)]
        second = [(f.epc2(i), f.edt2(i)) for i in range(f.opc2)] or None
        assert built(f.tid, f.seoj, f.deoj, f.esv, first, second) == data


def test_a_get_is_a_string_of_codes():
    assert built(0x0200, CONTROLLER, METER, ESV_GET, b"\xe7\xe8\xe0") == captures.P3_GET
    assert built(0x0200, CONTROLLER, METER, ESV_GET, (0xE7, 0xE8, 0xE0)) == captures.P3_GET


def test_set_the_day_of_a_history():
    assert built(7, CONTROLLER, METER, ESV_SETC, [(0xE5, b"\x01")]) == captures.SET_DAY


def test_setget_has_two_lists():
    frame = built(10, CONTROLLER, METER, ESV_SETGET, [(0xE5, b"\x01")], b"\xe2")
    assert frame == captures.SETGET


def test_two_lists_go_with_setget_only():
    raises(EchonetError, built, 1, METER, METER, ESV_SETGET, b"\xe5")
    raises(EchonetError, built, 1, METER, METER, ESV_GET, b"\xe5", b"\xe2")


def test_tid_counts_round():
    assert built(0x10000, CONTROLLER, METER, ESV_GET, b"\xe7")[2:4] == hex_("0000")
    assert built(0x17B6A, CONTROLLER, METER, ESV_GET, b"\xe7") == captures.P2_GET


def test_unknown_services_are_refused():
    for esv in (0, 0x5F, 0x64, 0x70, 0x75, 0x7F, 0xFF):
        error = raises(EchonetError, built, 1, CONTROLLER, METER, esv, b"\xe7")
        assert str(error) == "ESV %02X at byte 10" % esv


def test_property_codes_and_sizes_are_checked():
    for prop in (0x7F, 0x100, (0x00, b"x"), (0xE0, bytes(256))):
        raises(EchonetError, built, 1, CONTROLLER, METER, ESV_SETC, [prop])


def test_number_of_properties_is_checked():
    raises(EchonetError, built, 1, CONTROLLER, METER, ESV_GET, b"")
    raises(EchonetError, built, 1, CONTROLLER, METER, ESV_GET, b"\xe7" * 256)
    assert len(built(1, CONTROLLER, METER, ESV_GET, b"\xe7" * 255)) == 12 + 2 * 255
    assert len(built(1, CONTROLLER, METER, ESV_SETC, [(0x80, bytes(255))])) == 14 + 255
    assert built(1, METER, CONTROLLER, ESV_GET_SNA, b"") == captures.N5


def test_a_buffer_of_just_the_right_size():
    f = Frame().parse(captures.P3)
    props = [(f.epc(i), f.edt(i)) for i in range(3)]
    args = (f.tid, f.seoj, f.deoj, f.esv, props)
    size = len(captures.P3)
    buf = bytearray(size)
    assert build(buf, *args) == size
    assert buf == captures.P3
    for n in range(size):
        error = raises(EchonetError, build, bytearray(n), *args)
        assert str(error) == "buffer of %d bytes too small" % n


def test_what_lies_behind_the_frame_is_untouched():
    buf = bytearray(b"\xa5" * 40)
    n = build(buf, 0x7B6A, CONTROLLER, METER, ESV_GET, b"\xe7")
    assert bytes(buf) == captures.P2_GET + b"\xa5" * (40 - n)


def test_builds_into_a_memoryview():
    buf = bytearray(40)
    n = build(memoryview(buf)[10:], 0x7B6A, CONTROLLER, METER, ESV_GET, b"\xe7")
    assert bytes(buf[10 : 10 + n]) == captures.P2_GET


def test_data_may_be_bytes_bytearray_or_memoryview():
    for kind in (bytes, bytearray, memoryview):
        props = [(0xE7, kind(hex_("00000263")))]
        assert built(0x7B6A, METER, CONTROLLER, ESV_GET_RES, props) == captures.P2


def test_receipt_of_a_confirmed_notification():
    data = bytearray(captures.P5)
    data[10] = ESV_INFC
    buf = bytearray(64)
    n = receipt(buf, Frame().parse(data))
    assert bytes(buf[:n]) == hex_("1081 0001 05FF01 028801 7A 02 EA00 EB00")


def test_receipt_to_a_node_profile_comes_from_there():
    buf = bytearray(64)
    data = bytearray(captures.P1)
    data[10] = ESV_INFC
    n = receipt(buf, Frame().parse(data))
    assert bytes(buf[:n]) == hex_("1081 0000 0EF001 0EF001 7A 01 D500")
    assert data[10] != ESV_INF
