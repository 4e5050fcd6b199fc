import captures
from echonet import EchonetError
from echonet.frame import FormatTwo, Frame
from helpers import hex_, raises

METER = 0x028801
CONTROLLER = 0x05FF01
NODE = 0x0EF001


# (tid, seoj, deoj, esv, [(epc, edt)], [(epc, edt)]) of a frame, read by index.
def parts(data):
    f = Frame().parse(data)
    first = [(f.epc(i), bytes(f.edt(i))) for i in range(f.opc)]
    second = [(f.epc2(i), bytes(f.edt2(i))) for i in range(f.opc2)]
    return (f.tid, f.seoj, f.deoj, f.esv, first, second)


def refusal(data):
    return str(raises(EchonetError, Frame().parse, data))


def test_instance_list_notification():
    assert parts(captures.P1) == (0, NODE, NODE, 0x73, [(0xD5, hex_("01028801"))], [])


def test_get_of_one_property():
    assert parts(captures.P2_GET) == (0x7B6A, CONTROLLER, METER, 0x62, [(0xE7, b"")], [])
    assert parts(captures.P2) == (0x7B6A, METER, CONTROLLER, 0x72, [(0xE7, hex_("00000263"))], [])


def test_answer_with_three_properties():
    assert parts(captures.P3)[4] == [
        (0xE7, hex_("000003A1")),
        (0xE8, hex_("00460028")),
        (0xE0, hex_("0000B9D7")),
    ]


def test_refused_property_has_no_data():
    assert parts(captures.P4) == (1, METER, CONTROLLER, 0x52, [(0x83, b"")], [])


def test_half_hour_notification():
    tid, seoj, deoj, esv, props, _ = parts(captures.P5)
    assert (tid, seoj, deoj, esv) == (1, METER, CONTROLLER, 0x73)
    assert props == [
        (0xEA, hex_("07E70C13001E000000458E")),
        (0xEB, hex_("07E70C13001E0000000015")),
    ]


def test_every_frame_of_the_reference_is_read_whole():
    for data in captures.CAPTURED + captures.MADE_UP:
        _, _, _, _, first, second = parts(data)
        size = 12 + sum([2 + len(edt) for _, edt in first])
        if second:
            size += 1 + sum([2 + len(edt) for _, edt in second])
        assert size == len(data)


def test_every_frame_cut_short_anywhere_is_refused():
    for data in captures.CAPTURED + captures.MADE_UP:
        for n in range(len(data)):
            assert "frame ends at byte %d" % n in refusal(data[:n])


def test_every_frame_with_a_byte_too_many_is_refused():
    for data in captures.CAPTURED + captures.MADE_UP:
        assert refusal(data + b"\x07") == "excess 07 at byte %d" % len(data)


def test_setget_has_two_lists():
    assert parts(captures.SETGET)[3:] == (0x6E, [(0xE5, b"\x01")], [(0xE2, b"")])
    f = Frame().parse(captures.SETGET)
    assert f.data[f.first] == 0xE5
    assert f.data[f.first2] == 0xE2


def test_setget_sna_may_have_either_list_empty():
    head = "1081000A02880105FF015E"
    assert parts(hex_(head + "00 00"))[4:] == ([], [])
    assert parts(hex_(head + "00 01E200"))[4:] == ([], [(0xE2, b"")])
    assert parts(hex_(head + "01E500 00"))[4:] == ([(0xE5, b"")], [])


def test_setget_without_its_second_list_is_refused():
    assert "inside what starts at 15" in refusal(captures.SETGET[:15])


def test_sna_without_properties_is_a_frame():
    f = Frame().parse(captures.N5)
    assert (f.esv, f.opc) == (0x52, 0)
    assert f.get(0xE7) is None


def test_no_properties_are_refused_except_in_sna():
    for esv in (0x60, 0x61, 0x62, 0x63, 0x71, 0x72, 0x73, 0x74, 0x7A):
        data = bytearray(captures.N5)
        data[10] = esv
        assert refusal(data) == "OPC 00 at byte 11"
    for esv in (0x50, 0x51, 0x52, 0x53):
        data = bytearray(captures.N5)
        data[10] = esv
        assert Frame().parse(data).opc == 0


def test_all_services_and_no_others():
    single = (0x50, 0x51, 0x52, 0x53, 0x60, 0x61, 0x62, 0x63, 0x71, 0x72, 0x73, 0x74, 0x7A)
    for esv in range(256):
        data = bytearray(captures.P2)
        data[10] = esv
        if esv in single:
            assert Frame().parse(data).esv == esv
        elif esv in (0x5E, 0x6E, 0x7E):
            assert Frame().parse(bytes(data) + b"\x01\xe7\x00").opc2 == 1
        else:
            assert refusal(data) == "ESV %02X at byte 10" % esv


def test_foreign_headers_are_refused():
    assert refusal(captures.N1) == "EHD 1181 at byte 0"
    assert refusal(b"\x10\x80" + captures.P2[2:]) == "EHD 1080 at byte 0"
    assert refusal(b"\x00" * 40) == "EHD 00 at byte 0"


def test_format_two_is_told_apart():
    for data in (captures.N1_FORMAT_TWO, hex_("1082"), hex_("1082 0001 FF")):
        error = raises(FormatTwo, Frame().parse, data)
        assert isinstance(error, EchonetError)


def test_short_frames_say_where_they_end():
    assert refusal(b"") == "frame ends at byte 0, inside what starts at 0"
    assert refusal(captures.N2) == "frame ends at byte 4, inside what starts at 0"
    assert refusal(captures.N3) == "frame ends at byte 13, inside what starts at 12"
    assert refusal(captures.N4) == "frame ends at byte 15, inside what starts at 12"


def test_property_codes_below_80_are_refused():
    data = bytearray(captures.P3)
    data[18] = 0x7F
    assert refusal(data) == "EPC 7F at byte 18"


def test_more_properties_announced_than_come():
    data = bytearray(captures.P3)
    data[11] = 4
    assert refusal(data) == "frame ends at byte %d, inside what starts at %d" % (30, 30)


def test_largest_answer_of_a_meter():
    edt = bytes(range(194))
    data = captures.P2[:12] + b"\xe2\xc2" + edt
    assert len(data) == 208
    assert parts(data)[4] == [(0xE2, edt)]


def test_largest_property_and_longest_list():
    assert parts(captures.P2[:12] + b"\xe0\xff" + bytes(255))[4] == [(0xE0, bytes(255))]
    data = captures.P2[:11] + b"\xff" + b"\xe0\x01\x05" * 255
    props = parts(data)[4]
    assert len(props) == 255
    assert props[254] == (0xE0, b"\x05")


def test_bytes_bytearray_and_memoryview_read_alike():
    want = parts(captures.P3)
    assert parts(bytearray(captures.P3)) == want
    assert parts(memoryview(captures.P3)) == want
    padded = bytearray(b"garbage" + captures.P3 + b"more")
    assert parts(memoryview(padded)[7:-4]) == want


def test_views_are_windows_on_the_buffer():
    data = bytearray(captures.P2)
    view = captures.edt(data, 0xE7)
    assert isinstance(view, memoryview)
    data[-1] = 0x64
    assert bytes(view) == hex_("00000264")


def test_get_by_code():
    assert bytes(captures.edt(captures.S8, 0xE0)) == hex_("0000FE73")
    assert len(captures.edt(captures.S8, 0xEB)) == 0
    assert Frame().parse(captures.S8).get(0xE7) is None


def test_find_gives_offset_and_length():
    f = Frame().parse(captures.P3)
    assert f.find(0xE8) == 20
    assert f.data[f.find(0xE8) - 1] == 4
    assert f.find(0xE0) == 26
    assert f.find(0xE3) == 0


def test_a_property_twice_counts_twice_and_the_first_is_found():
    f = Frame().parse(captures.P2[:11] + hex_("02 E7 04 00000001 E7 04 00000002"))
    assert f.epcs() == b"\xe7\xe7"
    assert bytes(captures.edt(f.data, 0xE7)) == hex_("00000001")
    assert bytes(f.edt(1)) == hex_("00000002")


def test_epcs_in_order():
    assert Frame().parse(captures.P3).epcs() == b"\xe7\xe8\xe0"
    assert Frame().parse(captures.N5).epcs() == b""


def test_index_beyond_the_list():
    f = Frame().parse(captures.SETGET)
    for method in (f.epc, f.edt, f.epc2, f.edt2):
        raises(IndexError, method, 1)
        raises(IndexError, method, -1)
    f.parse(captures.P2)
    raises(IndexError, f.epc2, 0)


def test_one_object_reads_frame_after_frame():
    f = Frame()
    assert f.parse(captures.SETGET) is f
    assert f.parse(captures.P1).tid == 0
    assert (f.opc, f.opc2, f.seoj) == (1, 0, NODE)


def test_a_refused_frame_leaves_nothing_behind():
    f = Frame().parse(captures.SETGET)
    for bad in (captures.N1, captures.N1_FORMAT_TWO, captures.N2, captures.N3, captures.N4):
        raises(EchonetError, f.parse, bad)
        assert (f.esv, f.opc, f.opc2) == (0, 0, 0)
        assert f.get(0xE5) is None
        assert f.epcs() == b""
        f.parse(captures.SETGET)


def test_a_new_frame_is_empty():
    f = Frame()
    assert (f.tid, f.seoj, f.deoj, f.esv, f.opc, f.opc2) == (0, 0, 0, 0, 0, 0)
    assert f.get(0xE7) is None
