"""SKSTACK-IP text: what the parser makes of each form of line, and of what is left of one."""

from fakeradio import MAC, MAC_TEXT, METER, OWN, Sink, feed
from helpers import hex_
from wisun.sk_parser import Parser, dbm, number

GET_RES = hex_("1081000102880105FF017201E704000004A8")


def parse(data, chunk=4096, counters=None):
    sink = Sink()
    feed(Parser(sink, {} if counters is None else counters), data, chunk)
    return sink.events


def erxudp(payload, tail, port=b"0E1A", mac=MAC_TEXT):
    return (
        b"ERXUDP %s %s %s %s %s %s%04X " % (METER, OWN, port, port, mac, tail, len(payload))
        + payload
    )


def hexed(payload):
    return "".join(["%02X" % c for c in payload]).encode()


def test_final_lines():
    assert parse(b"OK\r\n") == [("ok", b"")]
    assert parse(b"OK 01\r") == [("ok", b"01")]
    assert parse(b"OK \r\n") == [("ok", b"")]
    assert parse(b"FAIL ER04\r\n") == [("fail", b"ER04")]
    assert parse(b"FAIL ER10 \r\n") == [("fail", b"ER10")]
    assert parse(b"FAIL\r\nFAIL ER1\r\nFAIL ER100\r\nOKAY\r\n") == [
        ("garbage", 4),
        ("garbage", 8),
        ("garbage", 10),
        ("garbage", 4),
    ]


def test_any_line_end_and_blank_lines():
    expected = [("ok", b"00"), ("ok", b""), ("fail", b"ER09")]
    for end in (b"\r", b"\n", b"\r\n", b"\n\r", b"\r\n\r\n", b"\r\r\n"):
        assert parse(end.join((b"", b"OK 00", b"OK", b"FAIL ER09", b""))) == expected, end


def test_a_line_is_nothing_before_its_end():
    assert parse(b"OK") == []
    assert parse(b"EVENT 25 " + METER) == []
    assert parse(erxudp(GET_RES, b"1 ") + b"\r") == []


def test_information_lines():
    for line in (
        b"EVER 1.2.10",
        b"EAPPVER rev26e",
        b"ESREG 1",
        b"EINFO FE80:0000:0000:0000:021D:1290:1234:5678 001D129012345678 21 8888 FFFE ",
        b"FE80:0000:0000:0000:021D:1290:1234:5678",
    ):
        assert parse(line + b"\r\n") == [("line", line)]
    # What is not asked for is not kept: a key dump, for one.
    assert parse(b"ENBR\r\n  psk : 00112233\r\n") == [("garbage", 4), ("garbage", 16)]


def test_events_of_both_editions():
    for side in (b"", b" 0", b" FF"):
        for code in (0x01, 0x02, 0x20, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x32, 0x33):
            line = b"EVENT %02X " % code + METER + side + b"\r\n"
            assert parse(line) == [("event", code, None)]
        for param in (0, 1, 2):
            line = b"EVENT 21 " + METER + side + b" %02X" % param
            assert parse(line + b"\r\n") == [("event", 0x21, param)]
            assert parse(line + b" \r\n") == [("event", 0x21, param)]
    assert parse(b"EVENT C0\r\n") == [("event", 0xC0, None)]
    assert parse(b"EVENT 45 " + METER + b" 1 01\r\n") == [("event", 0x45, None)]


def test_damaged_events():
    assert parse(b"EVENT \r\nEVENT 2\r\nEVENT XX\r\nEVENT 255\r\n") == [
        ("garbage", 6),
        ("garbage", 7),
        ("garbage", 8),
        ("garbage", 9),
    ]
    # The code is whole: that is enough, but for 21, whose parameter is the message.
    assert parse(b"EVENT 25 FE80:00\r\n") == [("event", 0x25, None)]
    assert parse(b"EVENT 21 " + METER + b"\r\n") == [("garbage", 48)]
    assert parse(b"EVENT 21 " + METER[:-9] + b" 00\r\n") == [("garbage", 42)]
    assert parse(b"EVENT 21 " + METER + b" 0G\r\n") == [("garbage", 51)]


def test_datagrams_of_every_form():
    for tail, secured, rssi in (
        (b"1 ", True, None),
        (b"0 ", False, None),
        (b"1 0 ", True, None),
        (b"0 1 ", False, None),
        (b"E1 1 0 ", True, -42),
        (b"2D 0 1 ", False, -92),
    ):
        expected = [("datagram", GET_RES, MAC, secured, rssi), ("ok", b"")]
        raw = erxudp(GET_RES, tail) + b"\r\nOK\r\n"
        digits = raw.replace(GET_RES, hexed(GET_RES))
        lower = raw.replace(GET_RES, hexed(GET_RES).lower())
        assert parse(raw) == parse(digits) == parse(lower) == expected, tail
        assert parse(raw, 1) == parse(digits, 1) == expected, tail


def test_raw_data_may_hold_anything():
    nasty = b"\r\nOK\r\nFAIL ER04\r\n \x00\xffERXUDP EVENT 25 " + METER + b"\r\n"
    for payload in (nasty, b"\r", b"\n", b"\r\n", b" ", b"\x00" * 1232, bytes(range(256)) * 4):
        line = erxudp(payload, b"1 ") + b"\r\n"
        assert parse(line) == [("datagram", payload, MAC, True, None)]
        assert parse(line, 1) == [("datagram", payload, MAC, True, None)]


def test_longest_datagram_in_digits():
    payload = bytes(range(256)) * 2 + bytes(128)
    line = erxudp(payload, b"E1 1 0 ").replace(payload, hexed(payload)) + b"\r\n"
    assert len(payload) == 640
    assert parse(line * 3, 100) == [("datagram", payload, MAC, True, -42)] * 3


def test_a_datagram_that_is_too_long_is_dropped_and_the_next_is_not():
    payload = bytes(range(256)) * 4
    line = erxudp(payload, b"E1 1 0 ").replace(payload, hexed(payload)) + b"\r\n"
    good = erxudp(GET_RES, b"E1 1 0 ") + b"\r\n"
    for step in (1, 100, 4000):
        events = parse(line + good, step)
        assert events[-1] == ("datagram", GET_RES, MAC, True, -42)
        assert {e[0] for e in events[:-1]} == {"garbage"}


def test_damaged_datagram_headers():
    good = erxudp(GET_RES, b"1 ")
    for bad in (
        good.replace(b" 0012 ", b" 0000 "),
        good.replace(b" 0012 ", b" 04D1 "),
        good.replace(b" 0012 ", b" 00-2 "),
        good.replace(b" 1 0012 ", b" 2 0012 "),
        good.replace(MAC_TEXT, b"001C6400036E8CFX"),
        good.replace(MAC_TEXT, b"001C6400036E8CF"),
        good.replace(b" 0E1A 0E1A ", b" 0E1A0E1A  "),
        good.replace(OWN, OWN[1:]),
        good[:80],
        b"ERXUDP ",
        b"ERXTCP FE80:0000:0000:0000:021C:6400:036E:8CF5 1000 1001 0008 ABCDEFGH",
    ):
        counters = {}
        events = parse(bad + b"\r\nOK\r\n", counters=counters)
        assert events[-1] == ("ok", b""), bad
        assert {e[0] for e in events[:-1]} == {"garbage"}, bad
        assert counters["truncated"] == 1, bad
        assert parse(bad + b"\r\nOK\r\n", 1) == events


def test_a_header_ends_with_its_line():
    for end in (b"\r", b"\n", b"\r\n"):
        for size in (7, 80, 120):
            events = parse(erxudp(GET_RES, b"1 ")[:size] + end + b"OK" + end)
            assert [event[0] for event in events] == ["garbage", "ok"]


def test_truncated_digits_end_with_their_line():
    line = erxudp(GET_RES, b"1 ").replace(GET_RES, hexed(GET_RES))
    for cut in range(1, 36):
        counters = {}
        events = parse(line[:-cut] + b"\r\nEVENT 25 " + METER + b"\r\n", counters=counters)
        assert [e[0] for e in events] == ["garbage", "event"], (cut, events)
        assert counters["truncated"] == 1


# Its end cannot be seen: it takes what follows until the count is full; then that is found.
def test_truncated_raw_data_gives_back_what_it_swallowed():
    follow = b"EVENT 21 " + METER + b" 00\r\nOK\r\n" + erxudp(GET_RES, b"1 ") + b"\r\n"
    for cut in range(1, len(GET_RES) + 1):
        events = parse(erxudp(GET_RES, b"1 ")[:-cut] + b"\r\n" + follow)
        events = [event for event in events if event[0] != "garbage"]
        assert events == [
            ("event", 0x21, 0),
            ("ok", b""),
            ("datagram", GET_RES, MAC, True, None),
        ], cut


def test_lost_line_ends():
    expected = [("ok", b""), ("event", 0x21, 0), ("event", 0x25, None)]
    sent = b"EVENT 21 " + METER + b" 00"
    joined = b"EVENT 25 " + METER
    assert parse(b"OK" + sent + joined + b"\r\n") == expected
    assert parse(b"OK\r" + sent + joined + b"\r\n") == expected
    assert parse(b"FAIL ER10" + joined + b"\r\n") == [("fail", b"ER10"), ("event", 0x25, None)]
    assert parse(joined + erxudp(GET_RES, b"1 ") + b"\r\n") == [
        ("event", 0x25, None),
        ("datagram", GET_RES, MAC, True, None),
    ]
    assert parse(b"SKSENDTO 1 " + METER + b" 0E1A 1 000E " + sent + b"\r\nOK\r\n") == [
        ("echo",),
        ("event", 0x21, 0),
        ("ok", b""),
    ]


def test_noise_before_what_comes_unasked():
    noise = b"\x00\xfe~E EV EVENT"
    for line, event in (
        (b"EVENT 25 " + METER, ("event", 0x25, None)),
        (erxudp(GET_RES, b"1 "), ("datagram", GET_RES, MAC, True, None)),
    ):
        assert parse(noise + line + b"\r\n") == [("garbage", len(noise)), event]
        assert parse(noise + line + b"\r\n", 1) == [("garbage", len(noise)), event]


def test_half_lines():
    joined = b"EVENT 25 " + METER + b"\r\n"
    assert parse(b"EVE" + joined) == [("garbage", 3), ("event", 0x25, None)]
    assert parse(b"O" + joined) == [("garbage", 1), ("event", 0x25, None)]
    assert parse(b"ERXUDP FE80:00" + joined)[-1] == ("event", 0x25, None)
    assert parse(erxudp(GET_RES, b"1 ")[:118] + joined)[-1] == ("event", 0x25, None)


def test_a_line_without_end_is_bounded():
    counters = {}
    events = parse(b"x" * 10000 + b"\r\nOK\r\n", counters=counters)
    assert events[-1] == ("ok", b"")
    assert sum(e[1] for e in events[:-1]) == 10000
    assert counters["unended"] == 7
    assert parse(b"x" * 10000 + b"\r\nOK\r\n", 7) == events


def test_giving_up_finds_whole_lines():
    reply = b"\r\nEVENT 21 " + METER + b" 00\r\nOK\r\n"
    for head in (
        erxudp(bytes(1232), b"1 ")[:-1200],
        erxudp(bytes(1232), b"1 0 ")[:-1232],
        erxudp(bytes(1232), b"1 ")[:-1200] + b"\r\n" + erxudp(bytes(1000), b"1 ")[:-990],
    ):
        sink = Sink()
        parser = Parser(sink, {})
        feed(parser, head + reply)
        assert sink.events == []
        parser.give_up()
        assert [e for e in sink.events if e[0] != "garbage"] == [("event", 0x21, 0), ("ok", b"")]
        feed(parser, b"OK\r\n")
        assert sink.events[-1] == ("ok", b"")
    sink = Sink()
    parser = Parser(sink, {})
    parser.give_up()
    feed(parser, b"EVENT 2")
    # A reader may be waiting with its space meanwhile.
    space = parser.space()
    parser.give_up()
    space[:4] = b"OK\r\n"
    parser.received(4)
    assert sink.events == [("garbage", 7), ("ok", b"")]


def test_pan_descriptions():
    lines = b"  Channel:3B\r\n  Channel Page:09\r\n  Pan ID:8CF5\r\n  LQI:B2\r\n"
    expected = [
        (b"Channel", b"3B"),
        (b"Channel Page", b"09"),
        (b"LQI", b"B2"),
        (b"Pan ID", b"8CF5"),
    ]
    done = b"EVENT 22 " + OWN + b"\r\n"
    assert parse(b"EPANDESC\r\n" + lines) == []
    assert parse(b"EPANDESC\r\n" + lines + done) == [("pan", expected), ("event", 0x22, None)]
    assert parse((b"EPANDESC\r\n" + lines) * 2 + done) == [
        ("pan", expected),
        ("pan", expected),
        ("event", 0x22, None),
    ]
    # No description: fields are nothing by themselves, and an endless one is bounded.
    assert parse(b"  Channel:3B\r\n") == [("garbage", 12)]
    events = parse(b"EPANDESC\r\n" + b"".join([b"  %d:1\r\n" % i for i in range(20)]) + done)
    assert [e for e in events if e[0] == "pan"][0][1] == sorted(
        [(b"%d" % i, b"1") for i in range(9)]
    )


def test_echoes():
    for line in (
        b"SKVER",
        b"SKSETPWD C 0123456789AB",
        b"SKSCAN 2 FFFFFFFF 5 0 ",
        b"ROPT",
        b"WOPT 01",
    ):
        assert parse(line + b"\r\n") == [("echo",)]


# A payload of the kind of PANA messages, with the ID in it as the meter's server name has it.
def test_authentication_messages_leave_no_trace():
    secret = b"SM00112233445566778899AABBCCDDEEFF"
    whole = erxudp(secret, b"0 ", b"02CC")
    for line, pana in (
        (whole + b"\r\n", 1),
        (erxudp(secret, b"0 0 ", b"02CC") + b"\r\n", 1),
        (whole.replace(secret, hexed(secret)) + b"\r\n", 1),
        (whole[:-3] + b"\r\n" + b"x" * 20 + b"\r\n", 0),
        (b"SKSETRBID " + secret + b"\r\n", 0),
        (b"\x00SKSETRBID " + secret + b"\r\n", 0),
    ):
        counters = {}
        sink = Sink()
        parser = Parser(sink, counters)
        feed(parser, line, 5)
        assert bytes(parser._buf).find(b"778899") < 0, line
        assert bytes(parser._buf).find(hexed(b"778899")) < 0, line
        for event in sink.events:
            assert event[0] in ("echo", "garbage")
        assert counters["pana"] == pana, line


def test_numbers():
    assert number(b"00", 0, 2) == 0
    assert number(b"x0123456789abcdefABCDEFx", 1, 22) == 0x0123456789ABCDEFABCDEF
    for c in range(256):
        expected = b"0123456789abcdef".find(bytes([c]).lower())
        assert number(bytes([c]), 0, 1) == expected, c


def test_signal_strength():
    assert [dbm(lqi) for lqi in (0xB2, 0xE1, 0x2D, 0x35, 0, 255)] == [
        -55,
        -42,
        -92,
        -90,
        -104,
        -34,
    ]
