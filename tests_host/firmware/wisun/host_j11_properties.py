"""The codec, given anything: the same frames however the bytes arrive, and it finds back."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from fakeradio import feed
from j11frames import RESPONSES
from wisun.j11_frame import REQUEST, RESPONSE, Parser, frame

GOOD = RESPONSES[0]
# More than the longest frame can swallow.
PLENTY = 1400 // len(GOOD[0]) + 1
Frames = list[tuple[int, bytes]]


def heard(data: bytes, chunks: list[int], unique: bytes = RESPONSE) -> tuple[Frames, int]:
    """The frames, and how many bytes were none."""
    frames: Frames = []
    garbage: list[int] = []
    parser = Parser(lambda code, data: frames.append((code, bytes(data))), garbage.append, unique)
    pos = 0
    for chunk in chunks:
        feed(parser, data[pos : pos + chunk])
        pos += chunk
    feed(parser, data[pos:])
    parser.give_up()
    assert parser._pos == parser._end
    return frames, sum(garbage)


CODES = st.integers(0, 0xFFFF)
# Data that has in it what frames are made of.
BODIES = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([RESPONSE, RESPONSE[:3], RESPONSE[1:], REQUEST, GOOD[0]]),
        st.integers(0, 600).map(bytes),
    ),
    max_size=4,
).map(lambda parts: b"".join(parts)[:1349])
FRAMES = st.tuples(CODES, BODIES)
KNOWN = st.sampled_from([case[0] for case in RESPONSES])
NOISE = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([RESPONSE, RESPONSE[:1], RESPONSE[:3], b"\xd0", b"\r\n", REQUEST]),
    st.integers(1, 3000).map(bytes),
)
WHOLE = st.one_of(KNOWN, FRAMES.map(lambda one: frame(one[0], one[1], RESPONSE)))
PIECES = st.one_of(
    WHOLE,
    NOISE,
    st.tuples(WHOLE, st.integers(0, 1361)).map(lambda cut: cut[0][: cut[1]]),
    st.tuples(WHOLE, st.integers(0, 60), st.integers(0, 255)).map(
        lambda bad: bad[0][: bad[1]] + bytes([bad[2]]) + bad[0][bad[1] + 1 :]
    ),
)
STREAMS = st.lists(PIECES, max_size=10).map(b"".join)


@given(STREAMS, st.lists(st.integers(1, 400), max_size=30))
@settings(max_examples=200)
def test_however_the_bytes_arrive(data: bytes, chunks: list[int]) -> None:
    whole = heard(data, [])
    assert heard(data, chunks) == whole
    assert heard(data, [1] * min(len(data), 1500)) == whole


@given(st.lists(FRAMES, max_size=8), st.sampled_from([REQUEST, RESPONSE]))
def test_what_was_put_in_comes_out(cases: Frames, unique: bytes) -> None:
    data = b"".join(frame(code, body, unique) for code, body in cases)
    assert heard(data, [], unique) == (cases, 0)


@given(STREAMS)
def test_every_byte_is_accounted_for(data: bytes) -> None:
    frames, garbage = heard(data, [])
    assert sum(12 + len(body) for _, body in frames) + garbage == len(data)


@given(STREAMS)
@settings(max_examples=200)
def test_it_always_finds_back(data: bytes) -> None:
    assert heard(data + GOOD[0] * PLENTY, [])[0][-1] == GOOD[1:]
    frames: Frames = []
    parser = Parser(lambda code, data: frames.append((code, bytes(data))), lambda size: None)
    feed(parser, data)
    parser.give_up()
    feed(parser, GOOD[0])
    assert frames[-1] == GOOD[1:]


# One wrong byte costs one frame at the most: the one that it is in.
@given(st.lists(KNOWN, min_size=1, max_size=6), st.data())
def test_a_wrong_byte_costs_one_frame(cases: list[bytes], data: st.DataObject) -> None:
    stream = bytearray(b"".join(cases))
    at = data.draw(st.integers(0, len(stream) - 1))
    stream[at] ^= data.draw(st.integers(1, 255))
    frames, _ = heard(bytes(stream), [])
    expected = [(case[4] << 8 | case[5], case[12:]) for case in cases]
    end = 0
    for number, case in enumerate(cases):
        end += len(case)
        if at < end:
            del expected[number]
            break
    assert frames == expected


# Nor do lost bytes, wherever they are.
@given(st.lists(KNOWN, min_size=2, max_size=6), st.data())
def test_lost_bytes_cost_one_frame(cases: list[bytes], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(cases) - 2))
    case = cases[number]
    at = data.draw(st.integers(0, len(case) - 1))
    lost = data.draw(st.integers(1, len(case) - at))
    broken = [*cases]
    broken[number] = case[:at] + case[at + lost :]
    frames, _ = heard(b"".join(broken), [])
    del cases[number]
    assert frames == [(case[4] << 8 | case[5], case[12:]) for case in cases]
