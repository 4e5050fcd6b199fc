"""Frames in both directions, and finding the next good one whatever came before."""

from fakeradio import feed
from helpers import hex_
from j11frames import (
    AUTHENTICATED,
    CLOSED,
    INF_HEARD,
    REQUESTS,
    RES_HEARD,
    RESPONSES,
    SENT,
    VERSION_IS,
)
from wisun.j11_frame import REQUEST, RESPONSE, Parser, frame

LONGEST = bytes([i * 7 & 255 for i in range(1349)])


class Heard:
    """A parser, and what it told."""

    def __init__(self, unique=RESPONSE):
        self.frames = []
        self.garbage = []
        self.parser = Parser(self._frame, self.garbage.append, unique)

    def _frame(self, code, data):
        self.frames.append((code, bytes(data)))

    def feed(self, data, chunk=4096):
        feed(self.parser, data, chunk)
        return self

    # As long after the last bytes as a frame's parts never are.
    def late(self, data):
        space = self.parser.space()
        space[: len(data)] = data
        self.parser.received(len(data), True)
        return self


def heard(data, chunk=4096, unique=RESPONSE):
    return Heard(unique).feed(data, chunk)


def codes(frames):
    return [code for code, _ in frames]


def test_every_known_frame_to_the_module():
    for data, code, body in REQUESTS:
        assert frame(code, body) == data
        for chunk in (1, 5, 4096):
            one = heard(data, chunk, REQUEST)
            assert (one.frames, one.garbage) == ([(code, body)], [])


def test_every_known_frame_from_the_module():
    for data, code, body in RESPONSES:
        assert frame(code, body, RESPONSE) == data
        for chunk in (1, 5, 4096):
            one = heard(data, chunk)
            assert (one.frames, one.garbage) == ([(code, body)], [])


def test_all_of_them_in_one_stream():
    stream = b"".join([data for data, _, _ in RESPONSES])
    expected = [(code, body) for _, code, body in RESPONSES]
    for chunk in (1, 2, 3, 7, 64, 100, 4096):
        one = heard(stream * 3, chunk)
        assert (one.frames, one.garbage) == (expected * 3, [])


def test_the_other_direction_is_not_ours():
    stream = b"".join([data for data, _, _ in REQUESTS])
    assert heard(stream).frames == []


def test_the_longest_frame():
    data = frame(0x6018, LONGEST, RESPONSE)
    assert len(data) == 1361
    for chunk in (1, 100, 4096):
        one = heard(data + SENT[0] + data, chunk)
        assert one.frames == [(0x6018, LONGEST), SENT[1:], (0x6018, LONGEST)]
        assert one.garbage == []


def test_noise_before_between_and_after():
    for noise in (b"\0", b"\xd0", b"\xd0\xf9\xee", b"\xd0\xd0\xf9", bytes(range(256)), b"OK\r\n"):
        stream = noise + SENT[0] + noise + noise + AUTHENTICATED[0] + noise
        for chunk in (1, 3, 4096):
            one = heard(stream, chunk)
            assert one.frames == [SENT[1:], AUTHENTICATED[1:]]
            assert one.garbage == [len(noise), 2 * len(noise)]
            one.parser.give_up()
            assert one.garbage == [len(noise), 2 * len(noise), len(noise)]


def test_noise_that_never_ends_is_told_of():
    one = heard(bytes(10000), 100)
    assert sum(one.garbage) > 8000 and len(one.garbage) < 12
    assert one.feed(SENT[0]).frames == [SENT[1:]]
    assert sum(one.garbage) == 10000


# Each byte of the header in turn, so that its sum is wrong whatever it says.
def test_wrong_header():
    for at in range(10):
        bad = bytearray(INF_HEARD[0])
        bad[at] ^= 0x40
        for chunk in (1, 4096):
            one = heard(bytes(bad) + SENT[0], chunk)
            assert one.frames == [SENT[1:]]
            assert one.garbage == [len(bad)]


def test_wrong_data():
    for at in range(10, len(INF_HEARD[0])):
        bad = bytearray(INF_HEARD[0])
        bad[at] ^= 0x40
        for chunk in (1, 4096):
            one = heard(bytes(bad) + SENT[0], chunk)
            assert one.frames == [SENT[1:]]
            assert one.garbage == [len(bad)]


# A header that is right in itself and wrong about the length.
def test_wrong_length():
    data, code, body = INF_HEARD
    for size in (len(body) - 1, len(body) - 20, 0, len(body) + 1, len(body) + len(SENT[0])):
        head = bytearray(frame(code, bytes(size), RESPONSE)[:12])
        head[10:12] = data[10:12]
        one = heard(bytes(head) + body + SENT[0] + AUTHENTICATED[0] * 6)
        assert one.frames == [SENT[1:]] + [AUTHENTICATED[1:]] * 6, size


def test_impossible_length():
    for size in (0, 3, 1354, 0xFFFF):
        head = RESPONSE + b"\x60\x18" + bytes((size >> 8, size & 255))
        bad = head + sum(head).to_bytes(2, "big") + b"\0\0"
        one = heard(bad + SENT[0])
        assert (one.frames, one.garbage) == ([SENT[1:]], [12])


def test_a_unique_code_inside_the_data():
    for inside in (RESPONSE, RESPONSE * 3, SENT[0], RES_HEARD[0][:40], b"\xd0" + RESPONSE[:3]):
        body = b"\x01\x02" + inside + b"\x03"
        data = frame(0x6018, body, RESPONSE)
        for chunk in (1, 6, 4096):
            one = heard(data + SENT[0], chunk)
            assert (one.frames, one.garbage) == ([(0x6018, body), SENT[1:]], [])


# Where bytes were lost, the next frame begins before the damaged one should have ended.
def test_lost_bytes():
    data = RES_HEARD[0]
    for at in range(len(data)):
        for lost in (1, 3):
            bad = data[:at] + data[at + lost :]
            for chunk in (1, 4096):
                one = heard(bad + SENT[0] + INF_HEARD[0] * 2, chunk)
                assert one.frames == [SENT[1:], INF_HEARD[1:], INF_HEARD[1:]], at
                assert sum(one.garbage) == len(bad)


def test_a_frame_that_is_cut_short():
    data = frame(0x6018, LONGEST, RESPONSE)
    for size in (4, 11, 12, 13, 700, 1360):
        # The next one is short: the cut one would swallow it and still want more.
        one = heard(data[:size]).feed(SENT[0])
        assert one.frames == ([] if 10 < size < 1350 else [SENT[1:]])
        one.parser.give_up()
        assert (one.frames, one.garbage) == ([SENT[1:]], [size])
        assert one.feed(INF_HEARD[0]).frames == [SENT[1:], INF_HEARD[1:]]


# The same without a word from outside: what comes late does not belong to it.
def test_a_frame_that_is_cut_short_and_a_pause():
    data = frame(0x6018, LONGEST, RESPONSE)
    for size in (1, 3, 4, 11, 12, 13, 700, 1360):
        one = heard(data[:size]).late(SENT[0])
        assert (one.frames, one.garbage) == ([SENT[1:]], [size])
        # What follows is in pieces, as always.
        one = heard(data[:size]).late(SENT[0][:7]).feed(SENT[0][7:])
        assert one.frames == [SENT[1:]], size
        # It was not cut short: the host was slow to read.
        one = heard(data[:size]).late(data[size:] + SENT[0])
        assert (one.frames, one.garbage) == ([(0x6018, LONGEST), SENT[1:]], [])


def test_a_late_frame_after_none():
    one = Heard().late(SENT[0][:8]).feed(SENT[0][8:])
    assert (one.frames, one.garbage) == ([SENT[1:]], [])
    one = heard(VERSION_IS[0]).late(SENT[0][:13]).feed(SENT[0][13:])
    assert (codes(one.frames), one.garbage) == ([0x206B, 0x2008], [])


def test_space_is_never_empty():
    long = frame(0x6018, LONGEST, RESPONSE)
    one = Heard()
    parser = one.parser
    stream = (b"\1" * 333 + long[:1100] + long + CLOSED[0]) * 8
    for chunk in (1, 17, 250, 1400):
        rest = memoryview(stream)
        while len(rest):
            space = parser.space()
            assert 0 < len(space) <= 1408
            n = min(len(space), len(rest), chunk)
            space[:n] = rest[:n]
            parser.received(n)
            rest = rest[n:]
        parser.give_up()
        assert one.frames.count((0x6018, LONGEST)) == 8
        assert one.frames.count(CLOSED[1:]) == 8
        one.frames.clear()
    assert hex_("D0 F9 EE 5D") == RESPONSE


# Room that was given out stays where it is while the parser is told to give up.
def test_giving_up_while_bytes_are_awaited():
    one = heard(SENT[0][:15])
    space = one.parser.space()
    one.parser.give_up()
    assert one.garbage == [15]
    data = AUTHENTICATED[0]
    space[: len(data)] = data
    one.parser.received(len(data))
    assert one.frames == [AUTHENTICATED[1:]]
