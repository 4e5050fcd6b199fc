"""Where the module stands, what is next, and what each notification and result means. No clock."""

from helpers import hex_
from j11frames import (
    AUTHENTICATED,
    BAD_COMMAND,
    BAD_HEADER,
    BOOTED,
    CLOSED,
    CREDENTIALS,
    CREDENTIALS_NO,
    CREDENTIALS_OK,
    END,
    ENDED,
    GET,
    INF,
    INF_HEARD,
    INIT,
    INIT_12,
    INIT_OK,
    IP,
    LIMITED,
    MAC,
    MULTICAST,
    NO_ACK,
    NO_ANSWER,
    NO_BEACON,
    NOT_STARTED,
    OPEN,
    OPEN_ALREADY,
    OPEN_OK,
    PANA,
    PANA_OK,
    REFUSED,
    RES,
    RES_HEARD,
    SCAN_OK,
    SCANNED,
    SEND,
    SENT,
    START,
    STARTED,
    STATUS,
    STATUS_IS,
    STOP,
    STOPPED,
    UNDECIPHERED,
    VERSION_IS,
)
from j11told import CONNECTION, GOAL, OTHER, Told, joined
from wisun.j11_frame import frame
from wisun.j11_state import address, dbm


# The application note's session, command by command.
def test_the_way_of_the_application_note():
    told = Told()
    told.hear(BOOTED)
    for command, reply in ((INIT, INIT_OK), (CREDENTIALS, CREDENTIALS_OK)):
        assert told.next() == command[0]
        assert told.hear(reply) == [("reply", reply[1], 1, b"")]
    assert told.next() is None
    told.state.goal = GOAL
    assert told.next() == INIT_12[0]
    told.hear(INIT_OK)
    assert told.next() == START[0]
    assert told.hear(STARTED) == [("rssi", -34), ("reply", 0x2053, 1, STARTED[2][1:])]
    assert told.next() == OPEN[0]
    told.hear(OPEN_OK)
    assert told.next() == PANA[0]
    told.hear(PANA_OK)
    assert told.hear(AUTHENTICATED) == [("joined", None)]
    assert told.next() is None
    assert told.hear(INF_HEARD) == [("rssi", -34), ("datagram", INF, MAC, True, -34)]
    assert frame(0x0008, told.state.datagram(GET)) == SEND[0]
    assert told.hear(SENT) == [("reply", 0x2008, 1, hex_("00 1081000605"))]
    assert told.hear(RES_HEARD) == [("rssi", -53), ("datagram", RES, MAC, True, -53)]


# Bit by bit from every state that the module may say it is in.
def test_the_way_from_every_state():
    for level, way in (
        (b"\x02\x01\x01", (INIT_12, CREDENTIALS, START, OPEN, PANA)),
        (b"\x03\x01\x01", (INIT_12, CREDENTIALS, START, OPEN, PANA)),
        (b"\x03\x02\x01", (0x11, CREDENTIALS, OPEN, PANA)),
        (b"\x03\x03\x01", (0x11, OPEN)),
    ):
        told = Told()
        told.state.goal = GOAL
        assert told.next() == STATUS[0]
        told.hear(0x2001, b"\x01" + level)
        for command in way:
            code = command if command == 0x11 else command[1]
            assert told.state.step() == code
            if command == 0x11:
                told.hear(0x2011, b"\x01" + CONNECTION[1:])
            elif command == START:
                told.hear(STARTED)
            else:
                assert told.next() == command[0]
                told.hear(0x2000 | code, b"\x01")
        if level[1] == 3:
            assert told.state.step() is None
        else:
            assert told.state.step() == 0x56
            told.hear(AUTHENTICATED)
            assert told.state.step() is None


def test_status():
    told = Told()
    assert told.hear(STATUS_IS) == [("reply", 0x2001, 1, b"\x03\x03\x01")]
    assert told.state.level == 3
    # Not started: whatever was set is forgotten.
    told.state.channel, told.state.told, told.state.port = 12, True, True
    told.hear(0x2001, b"\x01\x02\x01\x01")
    state = told.state
    assert (state.level, state.channel, state.told, state.port) == (0, None, False, False)


# Somebody else's session, or nobody's, is ended before one's own can begin.
def test_a_session_with_another():
    for other in (
        hex_("01 01 01 0050C2FFFEDC2823 BCDE 01 07 02"),
        hex_("01 01 01 0050C2FFFEDC2822 BCDF 01 07 02"),
        hex_("01 01 01 0050C2FFFEDC2822 BCDE 02 07 02"),
        hex_("01 01 01 0050C2FFFEDC2822 BCDE 01 01 02"),
        hex_("01 01 00"),
        hex_("01 00"),
        hex_("01 01 02 0050C2FFFEDC2822 BCDE 01 07"),
    ):
        told = Told()
        told.state.goal = GOAL
        told.hear(STATUS_IS)
        told.hear(0x2011, other)
        assert told.next() == END[0]
        assert told.hear(ENDED)[0] == ("ended", None)
        assert told.next() == STOP[0]
        told.hear(STOPPED)
        assert told.next() == INIT_12[0]


def test_one_of_several_connections():
    told = Told()
    told.state.goal = GOAL
    told.hear(STATUS_IS)
    others = hex_("0050C2FFFEDC2829 1234 02 01 02")
    told.hear(0x2011, b"\x01\x01\x03" + others + CONNECTION[3:] + others)
    assert told.state.peer == (MAC, 0xBCDE)


# After its end the credentials are gone; the way begins at the network, for that may have changed.
def test_after_the_end():
    told = joined()
    told.state.stale = True
    assert told.next() == END[0]
    told.hear(ENDED)
    assert told.next() == STOP[0]
    told.hear(STOPPED)
    assert told.next() == CREDENTIALS[0]
    told.hear(CREDENTIALS_OK)
    assert told.next() == START[0]
    assert told.hear(NO_BEACON) == [("reply", 0x2053, 0x0E, b"")]
    assert told.next() == START[0]
    told.hear(STARTED)
    assert told.next() == OPEN[0]
    assert told.hear(OPEN_ALREADY) == [("reply", 0x2005, 1, b"")]
    assert told.next() == PANA[0]


# Where the module stands is asked for when a reply was lost; nothing is taken over from before.
def test_from_where_the_module_says_that_it_is():
    told = joined()
    told.state.stale = True
    told.hear(0x2001, b"\x01\x03\x01\x01")
    assert told.next() == START[0]
    told.hear(STARTED)
    assert told.next() == OPEN[0]
    told = joined()
    told.state.stale = True
    for case in (ENDED, STOPPED, CREDENTIALS_OK):
        told.hear(case)
    told.hear(0x2001, b"\x01\x03\x02\x01")
    assert told.state.step() == 0x11
    told.hear(0x2011, CONNECTION)
    assert told.next() == OPEN[0]


# The meter of these credentials may have another address than was remembered.
def test_another_meter_answers():
    told = Told(1)
    told.state.goal = (12, MAC, 0x1111)
    for case in (INIT_OK, CREDENTIALS_OK, STARTED, OPEN_OK):
        told.hear(case)
    assert told.next() == PANA[0]
    assert told.state.goal == GOAL


def test_authentication():
    for case, result in ((REFUSED, 2), (NO_ANSWER, 3)):
        told = joined()
        told.state.level = 2
        assert told.hear(case) == [("join-failed", result)]
        assert told.next() == PANA[0]
        # Of a session that was to be renewed, nothing is left.
        told = joined()
        assert told.hear(case) == [("join-failed", result)]
        assert told.next() == END[0]
        assert told.hear(AUTHENTICATED) == [("joined", None)]
        assert told.next() is None


def test_the_link_changes():
    peer = MAC + b"\xcb"
    told = joined()
    assert told.hear(CLOSED) == [("peer-closed", None)]
    assert told.next() == END[0]
    told = joined()
    assert told.hear(0x601A, b"\x03" + MAC + b"\0") == [("lost", None)]
    assert told.next() == END[0]
    assert told.hear(0x601A, b"\x01" + peer) == [("rssi", -53)]
    assert told.next() == END[0]
    assert told.hear(0x601A, b"\x02" + peer) == [("rssi", -53), ("joined", None)]
    assert told.next() is None


# Three in a row that cannot be read: the keys are not the meter's any more.
def test_receive_failed():
    told = joined()
    failed = ("receive-failed", 1)
    assert told.hear(UNDECIPHERED) == [failed]
    assert told.hear(UNDECIPHERED) == [failed]
    told.hear(RES_HEARD)
    assert told.hear(UNDECIPHERED) == [failed]
    assert told.hear(0x6038, b"\x02" + UNDECIPHERED[2][1:]) == [("receive-failed", 2)]
    # These are about others, or about something else.
    assert told.hear(0x6038, b"\x10" + UNDECIPHERED[2][1:]) == [("receive-failed", 0x10)]
    assert told.hear(0x6038, b"\x01" + bytes(16) + b"\x12\0\0\0") == [failed]
    assert told.next() is None
    assert told.hear(UNDECIPHERED) == [failed, ("lost", None)]
    assert told.next() == END[0]
    assert told.hear(UNDECIPHERED) == [failed]
    # New keys, a new count.
    told = joined()
    for _ in range(2):
        assert told.hear(UNDECIPHERED) == [failed]
        assert told.hear(UNDECIPHERED) == [failed]
        told.hear(AUTHENTICATED)
    # Without a session, nothing is to be lost.
    for told in (Told(2), joined()):
        told.state.level = 2
        for _ in range(4):
            assert told.hear(UNDECIPHERED) == [failed]


def test_reboot():
    told = joined()
    assert told.hear(BOOTED) == [("reboot", None)]
    assert told.next() == INIT_12[0]
    # Only a command tells of it: one that needs what is gone.
    told = joined()
    assert told.hear(0x2008, b"\x37") == [("reboot", None), ("reply", 0x2008, 0x37, b"")]
    assert told.next() == INIT_12[0]


def test_datagrams():
    told = joined()
    mac = hex_("8CDF9DFFFEC10F01")
    assert told.hear(MULTICAST) == [("rssi", -60), ("datagram", MULTICAST[2][27:], mac, True, -60)]
    data = bytearray(RES_HEARD[2])
    data[23] = 1  # not encrypted: anybody's
    assert told.hear(0x6018, data) == [("datagram", RES, MAC, False, -53)]
    data[24] = 0
    assert told.hear(0x6018, data) == [("datagram", RES, MAC, False, None)]
    data[19] = 0xCC
    assert told.hear(0x6018, data) == [("garbage", len(data))]
    data = bytearray(RES_HEARD[2])
    assert told.hear(0x6018, data + b"more")[1][1] == RES
    assert told.hear(0x6018, data[:-1]) == [("garbage", len(data) - 1)]
    data[26] = 0
    assert told.hear(0x6018, data)[1][1] == b""


def test_scan():
    told = Told(1)
    for channel in range(4, 12):
        assert told.hear(SCANNED[channel - 4]) == [("pan", channel, None, None, None)]
    assert told.hear(SCANNED[8]) == [("pan", 12, MAC, 0xBCDE, -34)]
    assert told.hear(SCAN_OK) == [("reply", 0x2051, 1, b"")]
    two = b"\0\x05\x02" + MAC + b"\x11\x11\xa0" + OTHER + b"\x22\x22\0"
    assert told.hear(0x4051, two) == [
        ("pan", 5, MAC, 0x1111, -96),
        ("pan", 5, OTHER, 0x2222, None),
    ]
    assert told.hear(0x4051, two[:-1]) == [("pan", 5, MAC, 0x1111, -96)]
    assert told.hear(0x4051, b"\0\x06") == [("pan", 6, None, None, None)]


def test_results():
    for case, result, rest in (
        (NO_BEACON, 0x0E, b""),
        (BAD_COMMAND, 3, b""),
        (BAD_HEADER, 0xF0, b""),
        (LIMITED, 1, hex_("02 1081000605")),
        (NO_ACK, 1, hex_("05 1081000605")),
        (VERSION_IS, 1, hex_("0400 01 03 0000158A")),
    ):
        assert Told(1).hear(case) == [("reply", case[1], result, rest)]
    # The module is elsewhere than was thought.
    for code, result in ((0x2053, 0x34), (0x2054, 0x35), (0x2057, 0x10), (0x2056, 0x34)):
        told = Told(1)
        told.state.goal = GOAL
        assert told.hear(code, bytes((result,))) == [("reply", code, result, b"")]
        assert told.next() == STATUS[0]
    assert Told(2).hear(CREDENTIALS_NO)[0][2] == 0x35
    assert joined().hear(NOT_STARTED) == [("lost", None), ("reply", 0x2008, 0x10, b"")]


# Whole by its sums, and yet too short for what it is.
def test_short_ones():
    for case, least in (
        (STATUS_IS, 4),
        (STARTED, 13),
        (VERSION_IS, 9),
        (SENT, 2),
        (SCANNED[0], 2),
        (AUTHENTICATED, 1),
        (INF_HEARD, len(INF_HEARD[2])),
        (CLOSED, 10),
        (UNDECIPHERED, 17),
    ):
        code = case[1]
        for size in range(len(case[2])):
            told = joined()
            said = told.hear(code, case[2][:size])
            if size >= least:
                assert said and said[0][0] != "garbage", (code, size)
            elif size or code >= 0x4000:
                assert said == [("garbage", size)], (code, size)
            else:
                assert said == [("reply", code, 0, b"")]
    assert Told(1).hear(0x60D1, b"") == []
    assert Told(1).hear(0x1234, b"\x01") == []


def test_without_credentials_none_are_given():
    told = Told(1)
    told.state.credentials = None
    told.state.channel = 4
    assert told.state.step() is None


def test_addresses_and_powers():
    assert address(MAC) == IP
    assert [dbm(byte) for byte in (0x98, 0xDE, 0x80, 0x7F, 0)] == [-104, -34, -128, None, None]


# Room for all of them; that the goal's channel is told anew is because only 005F can tell it.
def test_channels():
    for channel in range(4, 18):
        told = Told(1)
        told.state.goal = (channel, MAC, 1)
        assert told.state.step() == 0x5F
        assert told.state.data(0x5F) == bytes((5, 0, channel, 0))
        told.hear(INIT_OK)
        assert told.state.step() == 0x54
    assert INIT[2] == bytes((5, 0, 4, 0))
