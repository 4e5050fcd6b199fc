import captures
from echonet.frame import Frame, is_answer
from helpers import hex_

METER = 0x028801
NODE = 0x0EF001


def answers(data, tid, esv, epcs, seoj=METER):
    return is_answer(Frame().parse(data), tid, seoj, esv, epcs)


# A frame of the meter with this service and these properties, each with one byte of data.
def reply(esv, epcs, tid=5):
    props = b"".join([bytes([epc, 1, 0x30]) for epc in epcs])
    head = bytes([0x10, 0x81, tid >> 8, tid & 0xFF]) + hex_("02880105FF01")
    tail = b"\x00" if esv & 0x0F == 0x0E else b""  # SetGet: the second list, empty
    if tail and esv >= 0x60:
        tail = b"\x01\xe2\x00"
    return head + bytes([esv, len(epcs)]) + props + tail


def test_captured_requests_and_their_answers():
    for request, answer in (
        (captures.P2_GET, captures.P2),
        (captures.P3_GET, captures.P3),
        (captures.P7_GET, captures.P7),
        (captures.P8_GET, captures.P8),
        (captures.S2_SET, captures.S2),
        (captures.SET_DAY, captures.SET_DAY_RES),
        (captures.GET_TWO, captures.GET_TWO_RES),
    ):
        asked = Frame().parse(request)
        assert is_answer(Frame().parse(answer), asked.tid, asked.deoj, asked.esv, asked.epcs())


# Response and refusal of each request; nothing else is an answer to it.
def test_table_of_services():
    table = {
        0x60: (0x50,),
        0x61: (0x71, 0x51),
        0x62: (0x72, 0x52),
        0x63: (0x73, 0x53),
        0x6E: (0x7E, 0x5E),
        0x74: (0x7A,),
    }
    services = (0x50, 0x51, 0x52, 0x53, 0x5E, 0x60, 0x61, 0x62, 0x63, 0x6E)
    services += (0x71, 0x72, 0x73, 0x74, 0x7A, 0x7E)
    for request in table:
        for esv in services:
            assert answers(reply(esv, b"\xe5"), 5, request, b"\xe5") == (esv in table[request])


def test_a_notification_with_our_tid_is_not_the_answer():
    notification = bytearray(captures.P2)
    notification[10] = 0x73
    assert answers(captures.P2, 0x7B6A, 0x62, b"\xe7")
    assert not answers(notification, 0x7B6A, 0x62, b"\xe7")
    assert not answers(captures.P5, 1, 0x62, b"\xea\xeb")


def test_another_tid():
    assert not answers(captures.P2, 0x7B6B, 0x62, b"\xe7")


def test_another_object():
    assert not answers(captures.D6, 1, 0x62, b"\xd6")
    assert answers(captures.D6, 1, 0x62, b"\xd6", NODE)


def test_another_property():
    assert not answers(captures.P2, 0x7B6A, 0x62, b"\xe8")
    assert not answers(reply(0x72, b"\xe7\xe9"), 5, 0x62, b"\xe7\xe8")


def test_more_properties_than_asked():
    assert not answers(reply(0x72, b"\xe7\xe7"), 5, 0x62, b"\xe7")
    assert answers(reply(0x72, b"\xe7\xe7"), 5, 0x62, b"\xe7\xe7")


def test_fewer_properties_than_asked():
    asked = b"\xe7\xe8\xe0\xe3\xd3\xd7\xe1"
    assert answers(reply(0x52, asked[:6]), 5, 0x62, asked)
    assert answers(reply(0x72, asked[:6]), 5, 0x62, asked)


def test_an_empty_refusal_is_an_answer():
    assert answers(captures.N5, 1, 0x62, b"\xe7\xe8")


def test_refusals_with_and_without_data():
    assert answers(captures.P4, 1, 0x62, b"\x83")
    assert answers(captures.S8, 0x0107, 0x62, b"\xe0\xeb")
    assert answers(captures.S9, 0x0108, 0x61, b"\xe7")


def test_codes_may_be_bytes_tuple_or_list():
    for epcs in (b"\xe7", (0xE7,), [0xE7]):
        assert answers(captures.P2, 0x7B6A, 0x62, epcs)


def test_a_refused_frame_answers_nothing():
    f = Frame().parse(captures.P2)
    try:
        f.parse(captures.N3)
    except ValueError:
        pass
    assert not is_answer(f, 0x7B6A, METER, 0x62, b"\xe7")
