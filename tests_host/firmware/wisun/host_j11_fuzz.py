"""Mutated sessions: codec and state raise nothing, and understand the next good frame.

`make fuzz`; KENSHIN_SEED is another beginning.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from fakeradio import EVENTS, feed
from j11frames import GET, MAC, PASSWORD, RBID, RESPONSES
from wisun.j11_frame import RESPONSE, Parser, frame
from wisun.j11_state import State

SEED = int(os.environ.get("KENSHIN_SEED", "115200"))

MORE = (
    (0x2011, bytes.fromhex("0101010050C2FFFEDC2822BCDE010702")),
    (0x601A, b"\x02" + MAC + b"\xc0"),
    (0x601A, b"\x03" + MAC + b"\x00"),
    (0x60D1, b"\x00" * 20),
)
CASES = [(code, data) for _, code, data in RESPONSES] + [*MORE]
CODES = sorted({code for code, _ in CASES})
GOOD = frame(0x206B, b"\x01\x04\x00\x01\x03good", RESPONSE)
GOALS = (None, (12, MAC, 0xBCDE), (4, bytes(8), 0))
STEPS = {None, 0x01, 0x05, 0x11, 0x53, 0x54, 0x56, 0x57, 0x58, 0x5F}


class Told:
    """Where the state tells what it understood: counted, and looked at."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.last: bytes = b""

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def on_reply(self, code: int, result: int, data: memoryview) -> None:
        assert 0 <= result <= 255
        self.last = bytes(data)
        self.count("reply")

    def on_datagram(
        self, payload: memoryview, mac: bytes, secured: bool, rssi: int | None
    ) -> None:
        assert len(mac) == 8 and len(payload) <= 1322 and secured in (False, True)
        assert rssi is None or -128 <= rssi < 0
        self.count("datagram")

    def on_pan(
        self, channel: int, mac: bytes | None, pan_id: int | None, rssi: int | None
    ) -> None:
        assert mac is None or len(mac) == 8
        self.count("pan")

    def on_rssi(self, rssi: int) -> None:
        assert -128 <= rssi < 0

    def on_garbage(self, size: int) -> None:
        assert size >= 0
        self.count("garbage")

    def on_event(self, code: int, value: int | None) -> None:
        self.count(EVENTS[code])


def mutate(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.randint(1, 3)):
        if not data:
            return
        at = rng.randrange(len(data))
        what = rng.randrange(6)
        if what == 0:
            data[at] = rng.randrange(256)
        elif what == 1:
            del data[at : at + rng.randint(1, 30)]
        elif what == 2:
            data[at:at] = rng.randbytes(rng.randint(1, 8))
        elif what == 3:
            data[at:at] = data[max(0, at - rng.randint(1, 60)) : at]
        elif what == 4:
            data[at:at] = rng.choice((RESPONSE, RESPONSE[:3], GOOD))
        else:
            del data[at:]


def _outside(rng: random.Random) -> bytes:
    """Bytes that went wrong on the line."""
    data = bytearray(rng.choice(RESPONSES)[0] + rng.choice(RESPONSES)[0])
    mutate(rng, data)
    return bytes(data)


def _inside(rng: random.Random) -> bytes:
    """Frames whose sums are right, and whose data makes no sense."""
    code, data = rng.choice(CASES)
    body = bytearray(data)
    mutate(rng, body)
    if rng.random() < 0.2:
        code = rng.choice(CODES)
    return frame(code, bytes(body[:1349]), RESPONSE)


def _fuzz(count: int, make: Callable[[random.Random], bytes]) -> dict[str, int]:
    rng = random.Random(SEED)
    told = Told()
    state = State(told)
    state.credentials = (RBID + PASSWORD).encode()
    parser = Parser(state.on_frame, told.on_garbage)
    for n in range(count):
        feed(parser, make(rng), 1 + n % 64 if n % 3 else 4096)
        if n % 16 == 0:
            state.goal = rng.choice(GOALS)
            step = state.step()
            assert step in STEPS
            if step is not None:
                state.data(step)
            if state.peer:
                assert len(state.datagram(GET)) == 22 + len(GET)
            parser.give_up()
            feed(parser, GOOD)
            assert told.last == GOOD[13:], n
            told.last = b""
    return told.counts


@pytest.mark.timeout(1800)
def test_fuzz_j11_line(fuzz_count: int) -> None:
    counts = _fuzz(fuzz_count, _outside)
    # Were all inputs good, or none, nothing would have been tested.
    assert fuzz_count * 0.01 < counts["datagram"] < fuzz_count * 0.4
    assert counts["garbage"] > fuzz_count * 0.2


@pytest.mark.timeout(1800)
def test_fuzz_j11_frames(fuzz_count: int) -> None:
    counts = _fuzz(fuzz_count, _inside)
    assert counts["garbage"] > fuzz_count * 0.05
    for name in ("datagram", "pan", "joined", "join-failed", "lost", "peer-closed", "reboot"):
        assert counts[name] > fuzz_count // 1000, name
