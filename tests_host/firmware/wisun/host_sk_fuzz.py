"""The parser against mutated sessions: it raises nothing, and understands the next good line.

    make fuzz
    KENSHIN_FUZZ=1000000 python -m pytest tests_host/firmware/wisun/host_sk_fuzz.py

KENSHIN_FUZZ is the number of inputs (few without it), KENSHIN_SEED another beginning.
"""

from __future__ import annotations

import os
import random

import pytest

from fakeradio import MAC_TEXT, METER, OWN, RBID, Sink, feed
from wisun.sk_parser import Parser

SEED = int(os.environ.get("KENSHIN_SEED", "115200"))

GET_RES = bytes.fromhex("1081000102880105FF017203E7040000055EE80400000082E00400052155")
PANA = b"\x00\x00\x00\x68\r\n" + bytes(range(90))
HEAD = b"ERXUDP " + METER + b" " + OWN
SENT = b"EVENT 21 " + METER
GOOD = b"EVENT 25 " + METER + b"\r\n"
SESSIONS = (
    SENT
    + b" 00\r\nOK\r\n"
    + HEAD
    + b" 0E1A 0E1A "
    + MAC_TEXT
    + b" 1 001E "
    + GET_RES.hex().encode()
    + b"\r\n",
    SENT
    + b" 0 00\r\nOK\r\n"
    + HEAD
    + b" 0E1A 0E1A "
    + MAC_TEXT
    + b" E1 1 0 001E "
    + GET_RES
    + b"\r\n",
    HEAD + b" 02CC 02CC " + MAC_TEXT + b" 0 0 0060 " + PANA + b"\r\n" + GOOD,
    b"EVENT 20 " + OWN + b"\r\nEPANDESC\r\n  Channel:3B\r\n  Channel Page:09\r\n  Pan ID:8CF5\r\n"
    b"  Addr:001C6400036E8CF5\r\n  LQI:B2\r\n  PairID:CCDDEEFF\r\nEVENT 22 " + OWN + b"\r\n",
    b"SKSETRBID "
    + RBID.encode()
    + b"\r\nOK\r\nOK 01\rFAIL ER04\r\nEVER 1.5.2\r\n"
    + METER
    + b"\r\n",
)
INSERTS = (b"\r", b"\n", b"\r\n", b" ", b"OK\r\n", b"ERXUDP ", b"EVENT ", b"EPANDESC\r\n")


@pytest.fixture
def count(fuzz_count: int) -> int:
    return int(os.environ.get("KENSHIN_FUZZ", "0")) or fuzz_count


def mutate(rng: random.Random, data: bytearray) -> None:
    for _ in range(rng.randint(1, 4)):
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
            data[at:at] = rng.choice(INSERTS)
        else:
            del data[at:]


@pytest.mark.timeout(1800)
def test_fuzz_parser(count: int) -> None:
    rng = random.Random(SEED)
    sink = Sink()
    counters: dict[str, int] = {}
    parser = Parser(sink, counters)
    datagrams = garbage = 0
    for n in range(count):
        data = bytearray(rng.choice(SESSIONS))
        mutate(rng, data)
        feed(parser, data, rng.choice((1 + n % 64, 4096)))
        if n % 16 == 0:
            parser.give_up()
            feed(parser, b"\r\n" + GOOD)
            assert sink.events[-1] == ("event", 0x25, None), n
            kinds = [event[0] for event in sink.events]
            datagrams += kinds.count("datagram")
            garbage += kinds.count("garbage")
            sink.events.clear()
    # Were all inputs good, or none, nothing would have been tested.
    assert count * 0.02 < datagrams < count * 0.4
    assert garbage > count * 0.2
    assert counters["truncated"] > count * 0.05
