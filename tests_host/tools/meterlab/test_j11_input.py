"""What a J11 module makes of the bytes that it gets."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from meterlab import vtime
from meterlab.modules.j11_frame import REQUEST, J11Input, frame
from meterlab.scheduler import LoopScheduler

VERSION = frame(REQUEST, 0x6B, b"")
SEND = frame(REQUEST, 0x08, bytes(range(40)))


def take(*pieces: bytes | float):
    """What comes of these bytes; a number is a pause in seconds."""

    async def main():
        got: list[tuple[int, bytes | int]] = []
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=0)
        unit = J11Input(
            scheduler, lambda c, d: got.append((c, d)), lambda c, r: got.append((c, r))
        )
        for piece in pieces:
            if isinstance(piece, bytes):
                unit.feed(piece)
            else:
                await asyncio.sleep(piece)
        return got

    return vtime.run(main())


def test_frames_in_any_pieces():
    stream = VERSION + SEND + VERSION
    whole = [(0x6B, b""), (0x08, bytes(range(40))), (0x6B, b"")]
    for size in range(1, len(stream)):
        pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
        assert take(*pieces) == whole


def test_it_is_silent_until_the_code_has_come():
    assert take(b"SKVER\r\n", 5.0, b"\xd0\xea\x83", 5.0, b"\xfd" + bytes(100), 5.0) == []
    assert take(b"\xd0\xea" + VERSION) == [(0x6B, b"")]
    assert take(b"\xd0\xea\x83", VERSION) == [(0x6B, b"")]


def test_what_comes_after_the_length_is_dropped():
    assert take(VERSION + b"\x01\x02\x03" + VERSION, 5.0) == [(0x6B, b""), (0x6B, b"")]


@pytest.mark.parametrize(("size", "code"), [(4, 0x2FFF), (11, 0x2FFF), (12, 0x2008), (50, 0x2008)])
def test_a_frame_that_stops_is_given_up_a_second_after_its_last_byte(size, code):
    assert take(SEND[:size], 0.9, SEND[size : size + 1], 0.9) == []
    assert take(SEND[:size], 0.999) == []
    assert take(SEND[:size], 1.001, VERSION) == [(code, 0x13), (0x6B, b"")]


def test_the_rest_may_take_its_time_by_single_bytes():
    pieces = [part for i in range(len(VERSION)) for part in (VERSION[i : i + 1], 0.99)]
    assert take(*pieces) == [(0x6B, b"")]


def test_a_bad_header_sum_and_the_next_frame_inside():
    bad = bytearray(SEND)
    bad[9] ^= 1
    assert take(bytes(bad[:12]) + VERSION) == [(0x2FFF, 0xF0), (0x6B, b"")]
    # A header of which a byte was lost, with the next frame behind it.
    assert take(VERSION[:5] + VERSION[6:] + VERSION) == [(0x2FFF, 0xF0), (0x6B, b"")]


def test_a_bad_data_sum():
    bad = bytearray(SEND)
    bad[20] ^= 1
    assert take(bytes(bad) + VERSION) == [(0x2008, 0xF1), (0x6B, b"")]


@pytest.mark.parametrize(
    ("length", "result"), [(0, 0xF2), (3, 0xF2), (1_354, 0xF3), (65_535, 0xF3)]
)
def test_lengths_that_cannot_be(length, result):
    head = REQUEST + bytes.fromhex("0008") + length.to_bytes(2, "big")
    head += sum(head).to_bytes(2, "big") + b"\x00\x00"
    assert take(head + VERSION) == [(0x2008, result), (0x6B, b"")]


def test_the_longest_frame():
    longest = frame(REQUEST, 0x08, bytes(1_349))
    assert len(longest) == 1_361
    assert take(longest) == [(0x08, bytes(1_349))]


def test_a_good_frame_is_never_lost_behind_junk():
    rng = Random(4)
    for _ in range(300):
        junk = rng.randbytes(rng.randrange(60))
        if rng.random() < 0.5:
            junk += SEND[: rng.randrange(len(SEND))]
        got = take(junk, 1.1, VERSION)
        assert got[-1] == (0x6B, b""), junk.hex()
