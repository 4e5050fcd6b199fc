# Walking about with the board: one scan after another, a line and a rhythm for each.
import asyncio

from fakeboard import FakeBoard
from fakej11 import J11Module
from fakemodule import Module
from fakeradio import MAC_TEXT, PASSWORD, RBID, Clock, Wire
from gateway.led import PATTERNS
from gateway.settings import Settings
from gateway.store import Store
from gateway.walker import Walk, pattern
from helpers import run
from wisun import RadioError

NEAR = (b"39", b"8CF5", MAC_TEXT, b"E1", b"CCDDEEFF")
FAR = (b"39", b"8CF5", MAC_TEXT, b"35", b"CCDDEEFF")
OTHER = (b"39", b"8CF6", b"001C6400036E8CF6", b"FF", b"CCDDEEFF")


# Walks with a module until `scans` lines were said; -> (the walk, its lines, ms that each took).
def walk(wire, scans, change=None, kept=None):
    board = FakeBoard(uart=wire)
    Settings(board.nvs).load({"broute.id": RBID, "broute.password": PASSWORD})
    if kept:
        Store(board.nvs).set_pan(kept)
    lines = []
    times = []
    walks = []

    class Enough(Exception):
        pass

    def say(line):
        lines.append(line)
        times.append(wire.clock.ms())
        if change:
            change(len(lines))
        if len(lines) >= scans:
            raise Enough

    async def scene():
        one = Walk(board, wire.clock, say)
        walks.append(one)
        main = asyncio.create_task(one.run())
        time = asyncio.create_task(wire.clock.run(main))
        try:
            await main
        except Enough:
            pass
        finally:
            one.end()
            time.cancel()
            try:
                await time
            except asyncio.CancelledError:
                pass

    run(scene())
    return walks[0], lines, times


def test_the_remembered_channel_is_scanned_again_and_again():
    wire = Module(Clock())
    wire.pans = [NEAR]
    kept = (0x39, 0x8CF5, bytes.fromhex(MAC_TEXT.decode()))
    one, lines, times = walk(wire, 6, kept=kept)
    assert lines[0].startswith(" -42 dBm  good     best -42  ####")
    scans = [line for line in wire.lines if line.startswith(b"SKSCAN")]
    assert scans[0] == b"SKSCAN 2 01000000 6"
    assert len(set(scans)) == 1
    assert b"SKTERM" in wire.lines
    assert one.board.feeds >= 6


def test_on_a_first_walk_it_is_looked_for_on_all_channels():
    wire = Module(Clock(), dual=True)
    wire.pans = [NEAR]
    _, lines, _ = walk(wire, 3)
    assert lines[0] == "looking on all channels ..." and "-42 dBm" in lines[1]
    scans = [line for line in wire.lines if line.startswith(b"SKSCAN")]
    assert b"FFFFFFFF" in scans[0] and b"SKSCAN 2 01000000 6 0" in scans


def test_a_j11_module_walks_too():
    wire = J11Module(Clock())
    wire.go_on()
    _, lines, _ = walk(wire, 5)
    assert wire.level < 3  # its session has ended
    assert lines[-1].startswith(" -34 dBm  good     best -34")


def test_better_and_worse_places():
    wire = Module(Clock())
    wire.pans = [FAR]

    def change(n):
        wire.pans = [[FAR], [NEAR], [FAR], []][min(n // 3, 3)]

    one, lines, _ = walk(wire, 30, change)
    said = "\n".join(lines)
    assert " -90 dBm  too far  best -90" in said
    assert " -42 dBm  good     best -42" in said
    assert " -90 dBm  too far  best -42" in said
    # lost: after some scans all channels are looked at again
    assert said.count("looking on all channels") >= 2
    assert lines.count("  nothing heard") >= 8
    shown = one.board.patterns
    assert shown[0] == pattern(-90) and pattern(-42) in shown and shown[-1] == pattern(None)
    # a rhythm is set when it changes, not with each scan
    assert all(a != b for a, b in zip(shown, shown[1:]))


def test_somebody_elses_meter_does_not_count():
    wire = Module(Clock())
    wire.pans = [NEAR]

    def change(n):
        if n > 3:
            wire.pans = [OTHER]

    _, lines, _ = walk(wire, 9, change)
    assert lines[-1] == "  nothing heard"


def test_the_stronger_the_faster_and_never_too_fast():
    halves = [pattern(rssi)[1][0] for rssi in range(-100, -20)]
    assert halves == sorted(halves, reverse=True)
    assert len(set(halves)) > 8
    assert min(halves) == 180 and max(halves) == 1000
    for rssi in (None, -100, -85, -75, -60, -20):
        times = pattern(rssi)[1]
        assert min(times) >= 100 and 1000 // sum(times) < 3
    # unlike anything that the LED says otherwise, but for a fault's pace
    assert pattern(None) not in PATTERNS.values()


def test_no_module_is_an_error_that_tells():
    try:
        walk(Wire(Clock()), 1)
    except RadioError as e:
        assert "not one byte came" in str(e)
    else:
        raise AssertionError("no error")
