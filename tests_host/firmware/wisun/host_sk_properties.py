"""The parser, given anything: the same events however the bytes arrive, and it finds back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fakeradio import MAC_TEXT, METER, OWN, PASSWORD, Sink, feed
from wisun.sk_parser import Parser

GOOD = b"EVENT 25 " + METER + b"\r\n"
GOOD_EVENT = ("event", 0x25, None)
# More than the longest datagram in hexadecimal can swallow.
PLENTY = 3000 // len(GOOD) + 1


def erxudp(payload: bytes, tail: bytes, port: bytes = b"0E1A", hexed: bool = False) -> bytes:
    head = b"ERXUDP %s %s %s %s %s %s" % (METER, OWN, port, port, MAC_TEXT, tail)
    data = payload.hex().upper().encode() if hexed else payload
    return head + b"%04X " % len(payload) + data + b"\r\n"


def events_of(data: bytes, chunks: list[int]) -> list[tuple[object, ...]]:
    sink = Sink()
    parser = Parser(sink, {})
    pos = 0
    for chunk in chunks:
        feed(parser, data[pos : pos + chunk])
        pos += chunk
    feed(parser, data[pos:])
    return sink.events


TAILS = st.sampled_from([b"1 ", b"0 ", b"1 0 ", b"0 1 ", b"E1 1 0 ", b"2D 0 0 "])
PORTS = st.sampled_from([b"0E1A", b"02CC"])
# Neither ECHONET Lite nor PANA begins with what could be digits; nor does this.
PAYLOADS = st.binary(min_size=0, max_size=60).map(lambda data: b"\x10\x81" + data)
DATAGRAMS = st.builds(erxudp, PAYLOADS, TAILS, PORTS, st.booleans())
LINES = st.sampled_from(
    [
        GOOD,
        b"EVENT 21 " + METER + b" 00\r\n",
        b"EVENT 21 " + METER + b" 0 02\r\n",
        b"EVENT 20 " + OWN + b"\r\nEPANDESC\r\n  Channel:3B\r\n  Pan ID:8CF5\r\n  LQI:B2\r\n",
        b"EVENT C0\r\n",
        b"OK\r\n",
        b"OK 01\r",
        b"FAIL ER04\r\n",
        b"EVER 1.2.10\r\n",
        b"EINFO " + OWN + b" 001D129012345678 21 8888 FFFE \r\n",
        METER + b"\r\n",
        b"SKSETPWD C " + PASSWORD.encode() + b"\r\n",
        b"SKSENDTO 1 " + METER + b" 0E1A 1 000E \r\n",
        b"\r\n",
    ]
)
NOISE = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"E", b"ER", b"ERXUDP ", b"EVENT ", b"EPANDESC", b"  ", b"\r", b"\n", b"SK"]),
    st.integers(1, 3000).map(lambda n: b"x" * n),
)
# Whole lines, lines cut short, noise between them.
PIECES = st.one_of(
    LINES,
    DATAGRAMS,
    NOISE,
    st.tuples(st.one_of(LINES, DATAGRAMS), st.integers(0, 200)).map(lambda cut: cut[0][: cut[1]]),
)
STREAMS = st.lists(PIECES, max_size=12).map(b"".join)


@given(STREAMS, st.lists(st.integers(1, 400), max_size=30))
def test_however_the_bytes_arrive(data: bytes, chunks: list[int]) -> None:
    whole = events_of(data, [])
    assert events_of(data, chunks) == whole
    assert events_of(data, [1] * len(data)) == whole


@given(st.lists(st.one_of(LINES, DATAGRAMS), max_size=12))
def test_nothing_of_a_clean_stream_is_garbage(lines: list[bytes]) -> None:
    counters: dict[str, int] = {}
    sink = Sink()
    feed(Parser(sink, counters), b"".join(lines))
    assert not [event for event in sink.events if event[0] == "garbage"]
    assert counters["truncated"] == counters["unended"] == 0


@given(PAYLOADS, TAILS, st.booleans())
def test_what_a_datagram_holds(payload: bytes, tail: bytes, hexed: bool) -> None:
    ((kind, data, _, secured, rssi),) = events_of(erxudp(payload, tail, hexed=hexed), [])
    fields = tail.split()
    assert (kind, data) == ("datagram", payload)
    assert secured == (fields[-1 if len(fields) == 1 else -2] == b"1")
    assert (rssi is not None) == (len(fields) == 3)


@given(STREAMS)
def test_every_byte_is_accounted_for(data: bytes) -> None:
    sink = Sink()
    parser = Parser(sink, {})
    feed(parser, data)
    parser.give_up()
    assert parser._pos == parser._end
    assert sum(event[1] for event in sink.events if event[0] == "garbage") <= len(data)


@given(STREAMS)
@settings(max_examples=200)
def test_it_always_finds_back(data: bytes) -> None:
    assert events_of(data + b"\r\n" + GOOD * PLENTY, [])[-1] == GOOD_EVENT
    sink = Sink()
    parser = Parser(sink, {})
    feed(parser, data)
    parser.give_up()
    feed(parser, b"\r\n" + GOOD)
    assert sink.events[-1] == GOOD_EVENT
