"""The heap is the firmware's alone: what stand-ins and REPL cost comes on top. A part of it is
taken at once for the table of names, as on a board sooner or later."""

from __future__ import annotations

import pytest

from meterlab.board import BoardError
from meterlab.board.process import choose_runtime, parse_size


@pytest.mark.parametrize("heap", ["48K", "100K", 300_000])
def test_firmware_finds_what_was_asked_for(make_board, heap):
    board = make_board(heap=heap)
    assert abs(board.heap_free - board.heap) <= 256
    assert board.standins_cost > 20_000


def _table(runtime):
    return 620 * (7 if runtime.bits == 32 else 11)


def test_it_is_the_same_after_every_reset(make_board, connect):
    board = make_board({"boot.py": "import gc; gc.collect(); free = gc.mem_free()\n"})
    terminal = connect(board)
    seen = []
    for code in (b"", b"import machine; machine.reset()", b""):
        mark = board.events.mark()
        terminal.raw()
        seen.append(terminal.eval("free"))
        terminal.send(code + b"\x04")
        board.events.wait("boot", 60, mark)
    assert max(seen) - min(seen) <= 256
    table = _table(board.runtime)
    assert all(abs(free + table - board.heap) < 2048 for free in seen)


def test_it_is_a_limit_and_one_piece(make_board, connect):
    board = make_board(heap="64K")
    terminal = connect(board)
    terminal.raw()
    left = 65_536 - _table(board.runtime)
    with pytest.raises(AssertionError, match="MemoryError"):
        terminal.run(f"x = bytearray({left})")
    terminal.run(f"x = bytearray({left - 9_000}); x = None")


def test_what_the_hardware_does_costs_the_firmware_nothing(make_board, connect, tmp_path):
    """No leak: pins, timers, UART, NVS and network leave the heap as they found it."""
    raw = connect(make_board())
    raw.raw()
    raw.run(
        "import gc, time, machine, network, esp32\nfrom machine import Pin, Timer, UART, RTC\n"
        "p = Pin(2, Pin.OUT)\nu = UART(1)\nn = esp32.NVS('x')\nw = network.WLAN(0)\nr = RTC()\n"
        "b = bytearray(64)\nt = Timer(0, period=3, callback=lambda t: p.toggle())\n"
        "def use():\n    for i in range(60):\n        u.write(b); u.readinto(b)\n"
        "        n.set_blob('k', b); n.get_blob('k', b); w.status(); w.isconnected()\n"
        "        r.memory(b); r.memory(); r.datetime(); time.time(); time.sleep_ms(2)\n"
        "def free():\n    gc.collect(); return gc.mem_free()\nuse()"
    )
    before = raw.eval("free()")
    raw.run("use(); use(); use()")
    assert abs(raw.eval("free()") - before) <= 64


def test_frozen_modules_cost_when_they_are_used(make_board, connect):
    raw = connect(make_board())
    raw.raw()
    raw.run("import gc, sys\ndef free():\n    gc.collect(); return gc.mem_free()")
    before = raw.eval("free()")
    raw.run("import neopixel, ssl, ntptime, urequests\nNeoPixel = neopixel.NeoPixel")
    after = raw.eval("free()")
    assert 400 < before - after < 4000
    assert raw.eval("sys.modules['neopixel'].NeoPixel is NeoPixel") is True
    raw.run("from ntptime import settime\nfrom urequests import get")


def test_sizes(runtime):
    assert parse_size("100K") == 102_400
    assert parse_size("2m") == 2 << 20
    assert parse_size("5000") == 5000
    for bad in ("", "K", "0", "-5", "10G", "x"):
        with pytest.raises(BoardError, match="is not a size"):
            parse_size(bad)
    assert choose_runtime(runtime.name) == runtime
    with pytest.raises(BoardError, match="there is:"):
        choose_runtime("nothing")


def test_too_little_heap_is_said(make_board):
    with pytest.raises(BoardError, match="16K or more"):
        make_board(heap=100)
