"""A virtual board and a program at the other end of its serial line, on every runtime."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serial

from meterlab.board import VirtualBoard
from meterlab.runtimes import Runtime, find_runtimes

SECONDS = 60.0
PROMPT = b">>> "
RUNTIMES = find_runtimes()


class BoardFailure(AssertionError):
    """The board said something else than expected."""


class Terminal:
    """pyserial at the board's serial line. `seen` is everything that came."""

    def __init__(self, path: Path) -> None:
        self.port = serial.Serial(str(path), 115200, timeout=0.05)
        self.seen = b""
        self._at = 0

    def close(self) -> None:
        self.port.close()

    def send(self, data: bytes | str) -> None:
        self.port.write(data.encode() if isinstance(data, str) else data)

    def expect(self, what: bytes | str, seconds: float = SECONDS) -> bytes:
        """Wait for `what`; returns what came before it."""
        wanted = what.encode() if isinstance(what, str) else what
        end = time.monotonic() + seconds
        while (found := self.seen.find(wanted, self._at)) < 0:
            if time.monotonic() > end:
                raise BoardFailure(
                    f"no {wanted!r} within {seconds} s but {self.seen[self._at :]!r}"
                )
            self.seen += self.port.read(self.port.in_waiting or 1)
        before = self.seen[self._at : found]
        self._at = found + len(wanted)
        return before

    def silent(self, seconds: float) -> bytes:
        """What comes within `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.seen += self.port.read(self.port.in_waiting or 1)
        rest, self._at = self.seen[self._at :], len(self.seen)
        return rest

    def type(self, line: str) -> str:
        """Type a line at the friendly prompt; returns what it printed."""
        self.send(line + "\r")
        self.expect(line.split("\r")[-1] + "\r\n")
        return self.expect(PROMPT).decode().replace("\r\n", "\n")

    def raw(self) -> None:
        """Into the raw REPL, whatever runs."""
        self.send(b"\r\x03\r\x01")
        self.expect(b"raw REPL; CTRL-B to exit\r\n>")

    def start(self, code: str) -> None:
        """Start code in the raw REPL and do not wait for it."""
        self.send(code.encode() + b"\x04")
        self.expect(b"OK")

    def finish(self, seconds: float = SECONDS) -> str:
        """Wait for the code started; returns what it printed."""
        out = self.expect(b"\x04", seconds)
        error = self.expect(b"\x04>", seconds)
        if error:
            raise BoardFailure((out + error).decode())
        return out.decode().replace("\r\n", "\n")

    def run(self, code: str, seconds: float = SECONDS) -> str:
        """Run code in the raw REPL; returns what it printed."""
        self.start(code)
        return self.finish(seconds)

    def eval(self, expression: str, seconds: float = SECONDS) -> Any:
        """The value of an expression that is plain data."""
        text = self.run(f"print(repr({expression}))", seconds).strip()
        return eval(re.sub(r"\binf\b", "float('inf')", text), {"__builtins__": {}})


Make = Callable[..., VirtualBoard]


def _name(runtime: Runtime) -> str:
    return f"{runtime.bits}-bit"


@pytest.fixture(params=RUNTIMES or [None], ids=lambda r: _name(r) if r else "none")
def runtime(request: pytest.FixtureRequest) -> Runtime:
    if request.param is None:
        pytest.skip("no MicroPython on this machine")
    return request.param


@pytest.fixture
def make_board(runtime: Runtime, tmp_path: Path) -> Iterator[Make]:
    """A function that starts boards: `files` lie on the flash, or `flash` is an image."""
    boards: list[VirtualBoard] = []

    def make(
        files: dict[str, str] | None = None, *, flash: Path | None = None, **options: Any
    ) -> VirtualBoard:
        if flash is None:
            flash = tmp_path / f"files{len(boards)}"
            for name, text in ({"boot.py": ""} | (files or {})).items():
                path = flash / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        options = {"runtime": runtime, "flash_size": "256K"} | options
        board = VirtualBoard(flash, **options)
        boards.append(board)
        return board.start()

    yield make
    for board in boards:
        board.stop()


@pytest.fixture
def connect() -> Iterator[Callable[[VirtualBoard], Terminal]]:
    """A function that opens a board's serial line."""
    terminals: list[Terminal] = []

    def open_(board: VirtualBoard) -> Terminal:
        terminals.append(Terminal(board.serial))
        return terminals[-1]

    yield open_
    for terminal in terminals:
        terminal.close()


@pytest.fixture
def board(make_board: Make) -> VirtualBoard:
    """An empty board."""
    return make_board()


@pytest.fixture
def raw(board: VirtualBoard, connect: Callable[[VirtualBoard], Terminal]) -> Terminal:
    """The raw REPL of an empty board."""
    terminal = connect(board)
    terminal.raw()
    return terminal


# ---- of a network


START = """
import network, time
w = network.WLAN(network.STA_IF)
def wait(f, ms=60000):
    end = time.ticks_add(time.ticks_ms(), ms)
    while not f():
        if time.ticks_diff(end, time.ticks_ms()) < 0:
            raise RuntimeError('waited in vain')
        time.sleep_ms(5)
"""


@pytest.fixture
def start() -> str:
    """What a program on a board begins with that is to join a network."""
    return START


@pytest.fixture
def wlan(raw: Terminal, start: str) -> Terminal:
    """A board with Wi-Fi, `w`, and wait(condition)."""
    raw.run(start)
    return raw


@pytest.fixture
def online(wlan: Terminal) -> Terminal:
    """One that has joined the network called home."""
    wlan.run("w.active(True); w.connect('home', 'good key'); wait(w.isconnected)")
    return wlan
