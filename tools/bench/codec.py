"""How fast the codec is, and how much heap a frame takes, on the Python that runs this file.

    python tools/bench/codec.py [--lib DIR] [--json]
    micropython tools/bench/codec.py [--lib DIR] [--json]

--lib: where the package echonet lies, firmware/lib unless given; build/board/lib has it as
bytecode. Each line: what is done with one frame, frames per second, microseconds and bytes of heap
per frame. Heap is counted on MicroPython only, with the collector off: what one frame leaves for
it to collect. --json prints one JSON object per line instead.
"""

# This file runs on MicroPython too, which has no typing.
# pyright: basic, reportAttributeAccessIssue=false

import gc
import sys
import time

HERE = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
ROOT = HERE + "/../.."
MICROPYTHON = sys.implementation.name == "micropython"

P3 = "1081020002880105FF017203E704000003A1E80400460028E0040000B9D7"
P5 = "1081000102880105FF017302EA0B07E70C13001E000000458EEB0B07E70C13001E0000000015"
P6 = "1081000102880105FF0172019F111941414160404000624300414040430202"
E2 = "1081000102880105FF017201E2C20001" + "0000B9D7" * 39 + "FFFFFFFE" * 9
EC = "1081000102880105FF017201EC6707E90C1F0C1E0C" + "0000B9D700000015" * 12


def cases():
    """(name, function without arguments) of each case."""
    from echonet import history, maps, meter
    from echonet.frame import ESV_GET, Frame, build, is_answer

    def received(text):
        return memoryview(bytearray(bytes.fromhex(text)))

    frame = Frame()
    p3, p5, p6, e2, ec = [received(text) for text in (P3, P5, P6, E2, EC)]
    out = bytearray(64)
    asked = b"\xe7\xe8\xe0"

    def parse():
        frame.parse(p3)

    def match():
        frame.parse(p3)
        is_answer(frame, 0x0200, 0x028801, ESV_GET, asked)

    def views():
        frame.parse(p3)
        meter.power(frame.get(0xE7))
        meter.currents(frame.get(0xE8))
        meter.counter(frame.get(0xE0))

    def offsets():
        frame.parse(p3)
        data = frame.data
        meter.power(data, frame.find(0xE7))
        meter.currents(data, frame.find(0xE8))
        meter.counter(data, frame.find(0xE0))

    def notification():
        frame.parse(p5)
        meter.fixed_time(frame.data, frame.find(0xEA))
        meter.fixed_time(frame.data, frame.find(0xEB))

    def getmap():
        maps.decode(frame.parse(p6).get(0x9F))

    def day():
        frame.parse(e2)
        at = frame.find(0xE2)
        history.day(frame.data, at)
        for k in range(48):
            history.slot(frame.data, k, at)

    def slots():
        frame.parse(e2)
        for _ in history.slots(frame.data, 1_767_193_200, frame.find(0xE2)):
            pass

    def entries():
        frame.parse(ec)
        for _ in history.entries(frame.data, frame.find(0xEC)):
            pass

    def get():
        build(out, 0x0200, 0x05FF01, 0x028801, ESV_GET, asked)

    return (
        ("E7 E8 E0: parse", parse),
        ("E7 E8 E0: parse, match the request", match),
        ("E7 E8 E0: to values by views", views),
        ("E7 E8 E0: to values by offsets", offsets),
        ("EA EB: to values", notification),
        ("9F: to a map", getmap),
        ("E2: to 48 values by slot", day),
        ("E2: to 48 times and values", slots),
        ("EC: to 12 times and pairs", entries),
        ("Get of E7 E8 E0: build", get),
    )


def microseconds(function, count):
    """Time of `count` calls."""
    if MICROPYTHON:
        start = time.ticks_us()
        for _ in range(count):
            function()
        return time.ticks_diff(time.ticks_us(), start)
    start = time.perf_counter_ns()
    for _ in range(count):
        function()
    return (time.perf_counter_ns() - start) // 1000


def rate(function):
    """Microseconds per call, the best of five runs of some 40 ms."""
    count = 50
    while microseconds(function, count) < 10_000:
        count *= 2
    count *= 4
    return min([microseconds(function, count) for _ in range(5)]) / count


def heap(function, count=20):
    """Bytes of heap that one call takes; None where that cannot be counted."""
    if not MICROPYTHON:
        return None
    function()
    gc.collect()
    gc.disable()
    try:
        start = gc.mem_alloc()
        for _ in range(count):
            function()
        return (gc.mem_alloc() - start) / count
    finally:
        gc.enable()


def main(words):
    lib = ROOT + "/firmware/lib"
    if "--lib" in words:
        lib = words[words.index("--lib") + 1]
    sys.path.insert(0, lib)
    if not MICROPYTHON:
        sys.path.insert(0, ROOT + "/tools/shim")
    version = ".".join([str(n) for n in sys.implementation.version[:3]])
    bits = 64 if sys.maxsize > 1 << 32 else 32
    runtime = "%s %s, %d bits" % (sys.implementation.name, version, bits)
    if "--json" not in words:
        print(runtime)
        print("%-36s %10s %8s %7s" % ("", "frames/s", "us", "bytes"))
    for name, function in cases():
        us = rate(function)
        used = heap(function)
        if "--json" in words:
            row = '{"runtime": "%s", "case": "%s", "us": %.3f, "bytes": %s}'
            print(row % (runtime, name, us, "null" if used is None else "%.1f" % used))
        else:
            size = "-" if used is None else "%.0f" % used
            print("%-36s %10.0f %8.2f %7s" % (name, 1e6 / us, us, size))


if __name__ == "__main__":
    main(sys.argv[1:])
