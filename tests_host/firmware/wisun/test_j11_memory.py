"""What a frame takes from the heap does not depend on its length, and none of it is kept."""

import gc
import sys

from helpers import skip
from j11frames import IP, RES_HEARD, SENT
from wisun.j11_frame import RESPONSE, Parser, frame
from wisun.j11_state import State

HEAD = IP + b"\x0e\x1a\x0e\x1a\xbc\xde\x00\x02\xc0"
LONGEST = frame(0x6018, HEAD + b"\x04\xd0" + bytes(1232), RESPONSE)
NOISE = b"\x55\xd0" * 500


class Nobody:
    def __init__(self):
        self.heard = 0

    def on_reply(self, code, result, data):
        self.heard += 1

    def on_datagram(self, payload, mac, secured, rssi):
        self.heard += 1

    def on_rssi(self, rssi):
        pass

    def on_garbage(self, size):
        pass


def _taken(parser, data):
    view = parser.space()
    view[: len(data)] = data
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    parser.received(len(data))
    after = gc.mem_alloc()
    gc.enable()
    return after - before


def test_no_byte_takes_memory():
    if not hasattr(gc, "mem_alloc"):
        skip("the heap can be counted on MicroPython only")
    nobody = Nobody()
    parser = Parser(State(nobody).on_frame, nobody.on_garbage)
    short = RES_HEARD[0]
    for data in (short, SENT[0], LONGEST, NOISE):
        _taken(parser, data)
    word = 8 if sys.maxsize > 1 << 32 else 4
    taken = _taken(parser, short)
    assert 0 < taken <= 100 * word
    assert _taken(parser, LONGEST) == taken
    assert _taken(parser, SENT[0]) <= taken
    assert _taken(parser, NOISE) <= taken
    gc.collect()
    before = gc.mem_alloc()
    heard = nobody.heard
    for _ in range(200):
        for data in (short, SENT[0], LONGEST, NOISE, short[:40]):
            view = parser.space()
            view[: len(data)] = data
            parser.received(len(data))
        parser.give_up()
    assert nobody.heard == heard + 600
    gc.collect()
    assert gc.mem_alloc() - before <= 32 * word
