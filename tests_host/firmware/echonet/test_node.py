import captures
from echonet import maps
from echonet.frame import Frame, build
from echonet.node import Node, Object, controller, profile
from helpers import hex_

METER = 0x028801
CONTROLLER = 0x05FF01
NODE = 0x0EF001
MAKER = hex_("FFFFFF")
UNIQUE = bytes(range(13))


def answers(node, data, room=512):
    buf = bytearray(room)
    return [bytes(buf[:n]) for n in node.answers(Frame().parse(data), buf)]


def ask(esv, deoj, props, props2=None):
    buf = bytearray(1024)
    return bytes(buf[: build(buf, 0x0102, METER, deoj, esv, props, props2)])


# {epc: edt} and the service of the only answer.
def one(node, data, room=512):
    found = answers(node, data, room)
    assert len(found) == 1
    f = Frame().parse(found[0])
    assert f.tid == 0x0102
    assert f.deoj == METER
    return f.esv, {f.epc(i): bytes(f.edt(i)) for i in range(f.opc)}


def gateway():
    return Node(profile(MAKER, UNIQUE, [CONTROLLER]), controller(MAKER))


def test_instance_list():
    esv, values = one(gateway(), ask(0x62, NODE, b"\xd6"))
    assert (esv, values) == (0x72, {0xD6: hex_("0105FF01")})


def test_counts_of_instances_and_classes():
    node = Node(profile(MAKER, UNIQUE, [METER, CONTROLLER, 0x028802]))
    esv, values = one(node, ask(0x62, NODE, b"\xd3\xd4\xd6\xd7"))
    assert esv == 0x72
    assert values[0xD3] == hex_("000003")  # without the profile
    assert values[0xD4] == hex_("0003")  # with the profile's class
    assert values[0xD6] == hex_("03 028801 05FF01 028802")
    assert values[0xD7] == hex_("02 0288 05FF")  # without it


def test_identification_is_never_empty():
    assert one(gateway(), ask(0x62, NODE, b"\x83"))[1] == {0x83: hex_("FEFFFFFF") + UNIQUE}


def test_maps_of_the_profile():
    _, values = one(gateway(), ask(0x62, NODE, b"\x9d\x9e\x9f"))
    assert values[0x9D] == hex_("0280D5")
    assert values[0x9E] == hex_("00")
    assert values[0x9F] == hex_("0B 80 82 83 8A 9D 9E 9F D3 D4 D6 D7")


def test_controller_has_what_is_mandatory():
    _, values = one(gateway(), ask(0x62, CONTROLLER, b"\x80\x81\x82\x88\x8a\x9d\x9e\x9f"))
    assert values[0x80] == b"\x30"
    assert values[0x81] == b"\x00"  # not set
    assert values[0x82] == hex_("00005200")  # Release R
    assert values[0x88] == b"\x42"
    assert maps.decode(values[0x9D]) == hex_("808188")
    assert maps.decode(values[0x9E]) == hex_("81")
    assert maps.decode(values[0x9F]) == hex_("808182888A9D9E9F")


def test_instance_list_is_notified_but_not_read():
    assert one(gateway(), ask(0x63, NODE, b"\xd5")) == (0x73, {0xD5: hex_("0105FF01")})
    assert one(gateway(), ask(0x62, NODE, b"\xd5")) == (0x52, {0xD5: b""})


def test_announcement_of_the_instance_list():
    buf = bytearray(64)
    n = profile(MAKER, UNIQUE, [CONTROLLER]).notify(buf, 0x0100, b"\xd5")
    assert bytes(buf[:n]) == captures.CONTROLLER_D5
    n = profile(MAKER, UNIQUE, [METER]).notify(buf, 0, b"\xd5")
    assert bytes(buf[:n]) == captures.P1


def test_what_is_missing_comes_back_without_data():
    esv, values = one(gateway(), ask(0x62, CONTROLLER, b"\x80\xe7\x8d"))
    assert (esv, values) == (0x52, {0x80: b"\x30", 0xE7: b"", 0x8D: b""})
    assert one(gateway(), ask(0x63, CONTROLLER, b"\xe7"))[0] == 0x53


def test_order_and_number_of_properties_stay():
    (data,) = answers(gateway(), ask(0x62, CONTROLLER, b"\x88\xe7\x80\x88"))
    assert Frame().parse(data).epcs() == b"\x88\xe7\x80\x88"


def test_set_what_may_be_set():
    node = gateway()
    assert one(node, ask(0x61, CONTROLLER, [(0x81, b"\x61")])) == (0x71, {0x81: b""})
    assert one(node, ask(0x62, CONTROLLER, b"\x81"))[1] == {0x81: b"\x61"}
    place = b"\x01" + bytes(range(16))
    assert one(node, ask(0x61, CONTROLLER, [(0x81, place)]))[0] == 0x71
    assert one(node, ask(0x62, CONTROLLER, b"\x81"))[1] == {0x81: place}


def test_refused_writes_are_echoed_and_accepted_ones_are_not():
    node = gateway()
    for bad in (b"", b"\x61\x61", b"\x02" + bytes(16)):
        assert one(node, ask(0x61, CONTROLLER, [(0x81, bad)])) == (0x51, {0x81: bad})
    esv, values = one(node, ask(0x61, CONTROLLER, [(0x80, b"\x31"), (0x81, b"\x08")]))
    assert (esv, values) == (0x51, {0x80: b"\x31", 0x81: b""})
    assert one(node, ask(0x62, CONTROLLER, b"\x80\x81"))[1] == {0x80: b"\x30", 0x81: b"\x08"}


def test_write_without_answer():
    node = gateway()
    assert answers(node, ask(0x60, CONTROLLER, [(0x81, b"\x10")])) == []
    assert one(node, ask(0x62, CONTROLLER, b"\x81"))[1] == {0x81: b"\x10"}
    assert one(node, ask(0x60, CONTROLLER, [(0x8A, b"\x10")])) == (0x50, {0x8A: b"\x10"})


def test_setget_answers_in_two_lists():
    request = ask(0x6E, CONTROLLER, [(0x81, b"\x18")], b"\x81\x80")
    (data,) = answers(gateway(), request)
    f = Frame().parse(data)
    assert (f.esv, f.epcs(), len(f.edt(0))) == (0x7E, b"\x81", 0)
    assert [(f.epc2(i), bytes(f.edt2(i))) for i in range(2)] == [(0x81, b"\x18"), (0x80, b"\x30")]
    (data,) = answers(gateway(), ask(0x6E, CONTROLLER, [(0x81, b"\x18")], b"\xe7"))
    f.parse(data)
    assert (f.esv, len(f.edt(0)), f.epc2(0), len(f.edt2(0))) == (0x5E, 0, 0xE7, 0)


def test_confirmed_notification_gets_its_receipt():
    notice = ask(0x74, CONTROLLER, [(0xEA, bytes(11)), (0xEB, bytes(11))])
    assert one(gateway(), notice) == (0x7A, {0xEA: b"", 0xEB: b""})


def test_notifications_and_answers_are_not_answered():
    for data in (captures.P1, captures.P3, captures.P4, captures.P5, captures.S9, captures.N5):
        assert answers(gateway(), data) == []


def test_nobody_answers_for_an_object_that_is_not_there():
    for deoj in (METER, 0x05FF02, 0x05FE01, 0x05FE00):
        assert answers(gateway(), ask(0x62, deoj, b"\x80")) == []


def test_instance_zero_speaks_to_all_of_a_class():
    node = Node(Object(0x028801, {0xE7: bytes(4)}), Object(0x028802, {0xE7: b"\0\0\0\1"}))
    found = [Frame().parse(data) for data in answers(node, ask(0x62, 0x028800, b"\xe7"))]
    assert [f.seoj for f in found] == [0x028801, 0x028802]
    assert [bytes(f.edt(0)) for f in found] == [bytes(4), b"\0\0\0\1"]


def test_values_may_be_made_when_asked_for():
    power = [611]
    node = Node(Object(METER, {0xE7: lambda: b"\0\0" + bytes([power[0] >> 8, power[0] & 0xFF])}))
    assert one(node, ask(0x62, METER, b"\xe7"))[1] == {0xE7: hex_("00000263")}
    power[0] = 929
    assert one(node, ask(0x62, METER, b"\xe7"))[1] == {0xE7: hex_("000003A1")}


def test_a_request_cannot_overrun_the_buffer():
    node = Node(Object(METER, {0xE2: bytes(194), 0xE7: bytes(4)}))
    request = ask(0x62, METER, b"\xe7\xe2\xe2\xe7")
    esv, values = one(node, request, 256)
    assert (esv, values[0xE7]) == (0x52, bytes(4))
    (data,) = answers(node, request, 256)
    f = Frame().parse(data)
    assert [len(f.edt(i)) for i in range(4)] == [4, 194, 0, 4]
    exact = len(request) + 4 + 194 + 194 + 4
    assert one(node, request, exact)[0] == 0x72
    assert one(node, request, exact - 1)[0] == 0x52
    many = ask(0x62, METER, b"\xe2" * 255)
    assert answers(node, many, len(many)) == [many[:4] + hex_("028801 028801 52") + many[11:]]
    writes = ask(0x61, METER, [(0xE5, bytes(9))] * 80)
    assert len(answers(node, writes, len(writes))[0]) == len(writes)


def test_what_home_assistant_asks_first():
    node = gateway()
    esv, values = one(node, ask(0x62, NODE, b"\x8a\x8c\x83\xd6"))
    assert esv == 0x52
    assert sorted(values) == [0x83, 0x8A, 0x8C, 0xD6]
    assert values[0x8C] == b""
    esv, values = one(node, ask(0x62, CONTROLLER, b"\x9d\x9f\x9e"))
    assert esv == 0x72
