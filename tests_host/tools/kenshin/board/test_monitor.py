"""The monitor: words, page, and a serial line that comes and goes."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import queue
import re
import threading
import time
import tty
from pathlib import Path

import pytest
from textual.widgets import Digits, RichLog, Static

from gateway import led as firmware_led
from kenshin.board import words
from kenshin.board.console import Console
from kenshin.board.monitor import COLOURS, Monitor
from kenshin.board.ports import BoardError

STATE = {
    "word": None,
    "code": None,
    "detail": None,
    "fw": "0.1.0",
    "board": "atoms3lite-a1",
    "uptime": 7500,
    "rssi": -85,
    "rssi_age": 70,
    "module": "bp35a1",
    "counters": {"uploaded": 12, "rejected": 1},
    "reset": "watchdog",
    "queue": 3,
    "net_rssi": -52,
    "phase": "running",
    "led": "ok",
    "reading": ["instant", 1795159680, "ntp", -1234, -50, None, None, None, "get"],
    "energy": ["instant", 1795159680, "ntp", None, None, None, 123456789, 0, "get"],
}


def test_words():
    assert words.power(STATE) == "-1234" and words.power({}) == "-"
    assert words.current(STATE) == "-5.0 A  at 16:28:00"
    early = {"reading": ["instant", 17, None, 0, 0, 0, None, None, "get"]}
    assert words.current(early) == "0.0 A + 0.0 A  17 s after the start"
    assert words.energy(STATE) == "12,345.7 kWh bought\n0.0 kWh sold"
    assert words.radio(STATE) == "-85 dBm (poor), 1 min ago"
    assert words.radio({"rssi": -89}).startswith("-89 dBm (too far)")
    assert words.outbox(STATE) == "3 waiting"
    assert words.uploads(STATE) == "12 readings sent, 1 rejected"
    assert words.problem(STATE) == "none" and "is the gateway running" in words.problem({})
    broken = {"word": "network", "code": "wrong-key", "detail": "Wi-Fi home does not take it"}
    assert words.problem(broken) == "network: wrong-key\nWi-Fi home does not take it"
    assert words.network(broken) == "wrong-key"
    assert "up for 2 h 05 min, last start: watchdog" in words.about(STATE)


def test_the_led_has_words_and_a_colour_for_every_state_of_the_firmware():
    assert set(words.LED) == set(firmware_led.PATTERNS)
    assert {colour for colour, _, _, _ in words.LED.values()} == set(COLOURS)
    for name, (_, times) in firmware_led.PATTERNS.items():
        assert words.LED[name][2] == times


class Source:
    """Stands in for the console."""

    port = "/dev/ttyTEST"
    prompt = False

    def __init__(self, state):
        self.state = state
        self.typed: list[str] = []

    def type(self, word: str) -> None:
        self.typed.append(word)


def test_the_page():
    source = Source(STATE)
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    plugs: queue.SimpleQueue[bool] = queue.SimpleQueue()

    async def story():
        app = Monitor(source, lines, plugs)

        def text(name: str) -> str:
            return str(app.query_one(f"#{name}", Static).render())

        async with app.run_test(size=(110, 36)) as pilot:
            assert app.query_one("#watts", Digits).value == "-1234"
            assert "all is well" in text("led") and "atoms3lite-a1" in text("about")
            assert "uploaded" in text("counters")
            source.state = STATE | {"led": "server", "word": "server", "code": "refused"}
            lines.put("a line of the board")
            app.look()
            await pilot.pause()
            assert "server: refused" in text("problem") and "five flashes" in text("led")
            log = app.query_one("#log", RichLog)
            assert any("a line of the board" in strip.text for strip in log.lines)
            plugs.put(False)
            app.look()
            assert "UNPLUGGED" in text("about")
            plugs.put(True)
            for _ in range(30):
                app.look()
            assert "SILENT" in text("about"), "the JSON lines have ceased"
            for key in "gslnvr":
                await pilot.press(key)
            source.prompt = True
            app.look()
            assert "g starts the gateway" in text("about")
            await pilot.press("g")
            # A picture, as a person sees it.
            shot = app.export_screenshot()
            assert "Problem" in shot and "Counters" in shot
            await pilot.press("q")

    asyncio.run(story())
    assert source.typed == [
        "status", "log", "check network", "check server", "check radio", "gateway.run()"
    ]  # fmt: skip


def test_the_led_on_the_page_shines_and_goes_dark_as_the_board_plays_it():
    source = Source(STATE)
    plugs: queue.SimpleQueue[bool] = queue.SimpleQueue()

    async def story():
        app = Monitor(source, queue.SimpleQueue(), plugs)

        def dot() -> str:
            return str(app.query_one("#led", Static).render())[0]

        async def seen(seconds: float) -> str:
            dots = dot()
            end = time.monotonic() + seconds
            while time.monotonic() < end and len(dots) < 6:
                await asyncio.sleep(0.02)
                dots += dot() if dot() != dots[-1] else ""
            return dots

        async with app.run_test(size=(110, 36)) as pilot:
            assert await seen(0.5) == "●"
            source.state = STATE | {"led": "fault"}
            app.look()
            assert await seen(60) == "●○●○●○"
            source.state = STATE | {"led": "off"}
            app.look()
            await pilot.pause()
            assert await seen(0.5) == "○"
            source.state = STATE | {"led": "fault"}
            plugs.put(False)
            app.look()
            await pilot.pause()
            assert await seen(0.5) == "○", "nobody knows"

    asyncio.run(story())


class Port:
    """A serial port that can be unplugged: a link to a pty."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.plug()

    def plug(self) -> None:
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(self.slave))
        self.seen = b""

    def unplug(self) -> None:
        os.close(self.master)
        os.close(self.slave)
        self.path.unlink()

    def say(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, words: bytes) -> None:
        end = time.monotonic() + 60
        os.set_blocking(self.master, False)
        while words not in self.seen:
            assert time.monotonic() < end, self.seen
            try:
                self.seen += os.read(self.master, 100)
            except BlockingIOError:
                time.sleep(0.01)


def wait(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_line_survives_unplugging(tmp_path):
    port = Port(tmp_path / "serial")
    plugs: list[bool] = []
    lines: list[str] = []
    console = Console(
        str(port.path), keep_json=True, on_plug=plugs.append, on_line=lines.append
    ).start()
    port.until(b"json on\r")
    port.say('\x1b[Kjson on\r\n{"uptime": 1}\r\n{"upt')
    wait(lambda: console.state == {"uptime": 1})
    port.unplug()
    wait(lambda: plugs == [True, False])
    port.plug()
    wait(lambda: plugs == [True, False, True])
    port.until(b"json on\r")
    port.say('{"uptime": 2}\r\nhello\r\n{"check": "radio", "ok": true}\r\n')
    wait(lambda: console.state == {"uptime": 2} and lines == ["hello"])
    console.close()
    port.until(b"json off\r")
    assert json.dumps(console.state) == '{"uptime": 2}'
    port.unplug()


def test_a_check_ends_when_the_board_is_unplugged(tmp_path):
    port = Port(tmp_path / "serial")
    console = Console(str(port.path)).start()
    threading.Thread(target=lambda: (port.until(b"check radio\r"), port.unplug())).start()
    with pytest.raises(BoardError, match="unplugged"):
        console.check("radio", 60)
    console.close()


def test_pythons_prompt_is_noticed_and_not_pestered(tmp_path):
    port = Port(tmp_path / "serial")
    lines: list[str] = []
    console = Console(str(port.path), keep_json=True, on_line=lines.append).start()
    port.until(b"json on\r")
    port.say(">>> json on\r\nTraceback (most recent call last):\r\n")
    port.say('  File "<stdin>", line 1\r\nSyntaxError: invalid syntax\r\n>>> ')
    wait(lambda: console.prompt)
    console.type("gateway.run()")
    port.say("gateway.run()\r\nKenshin 0.1.0 on generic. Type help\r\n")
    wait(lambda: not console.prompt)
    port.seen = b""
    port.until(b"json on\r")
    assert lines == [">>> gateway.run()", "Kenshin 0.1.0 on generic. Type help"]
    console.close()
    port.unplug()


def test_docs_name_every_state_of_the_led():
    text = (Path(__file__).parents[4] / "README.md").read_text()
    for _, rhythm, _, meaning in words.LED.values():
        assert re.search(re.escape(meaning), text), (rhythm, meaning)
