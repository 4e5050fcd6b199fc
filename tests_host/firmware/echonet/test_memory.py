import gc
import sys

import captures
from echonet import history, meter
from echonet.frame import ESV_GET, Frame, build, is_answer
from helpers import hex_, skip

P3 = memoryview(captures.P3)
DAY = b"\x00\x01" + hex_("0000B9D7") * 39 + hex_("FFFFFFFE") * 9
E2 = memoryview(captures.P2[:12] + b"\xe2\xc2" + DAY)
BLOCK = 32 if sys.maxsize > 1 << 32 else 16  # the least that the heap gives


# Bytes of heap that one call of the function takes, the collector being off.
def taken(function):
    if not hasattr(gc, "mem_alloc"):
        skip("the heap can be counted on MicroPython only")
    function()
    gc.collect()
    gc.disable()
    try:
        before = gc.mem_alloc()
        for _ in range(10):
            function()
        return (gc.mem_alloc() - before) // 10
    finally:
        gc.enable()


frame = Frame()


def test_reading_and_matching_a_frame_takes_nothing():
    def match():
        frame.parse(P3)
        assert is_answer(frame, 0x0200, meter.METER, ESV_GET, b"\xe7\xe8\xe0")

    assert taken(match) == 0


def test_values_by_offset_take_only_what_they_give():
    def single():
        frame.parse(P3)
        meter.power(frame.data, frame.find(0xE7))
        meter.counter(frame.data, frame.find(0xE0))

    def pair():
        frame.parse(P3)
        meter.currents(frame.data, frame.find(0xE8))

    assert taken(single) == 0
    assert taken(pair) == BLOCK


def test_sentinels_take_nothing():
    data = memoryview(captures.S7)

    def absent():
        frame.parse(data)
        assert meter.counter(frame.data, frame.find(0xE0)) is None

    assert taken(absent) == 0


def test_a_view_takes_one_block_and_its_slice_another():
    def view():
        frame.parse(P3)
        frame.get(0xE7)

    assert taken(view) <= 2 * BLOCK


def test_a_day_of_slots_takes_nothing():
    def day():
        frame.parse(E2)
        at = frame.find(0xE2)
        assert history.day(frame.data, at) == 1
        for k in range(48):
            history.slot(frame.data, k, at)

    assert taken(day) == 0


def test_building_a_get_takes_nothing():
    buf = bytearray(32)

    def get():
        build(buf, 0x0200, meter.CONTROLLER, meter.METER, ESV_GET, b"\xe7\xe8\xe0")

    assert taken(get) == 0
