"""A program at the serial line of a virtual board."""

from __future__ import annotations

import time

import serial

from meterlab.board import VirtualBoard

SECONDS = 60.0


class Line:
    """A program at the board's serial line."""

    def __init__(self, board: VirtualBoard) -> None:
        self.board = board
        self.port = serial.Serial(str(board.serial), 115200, timeout=0.02)
        self.seen = ""

    def until(self, words: str, seconds: float = SECONDS) -> str:
        """What comes up to and with `words`."""
        end = time.monotonic() + seconds
        while words not in self.seen:
            if time.monotonic() > end:
                raise AssertionError(f"no {words!r} within {seconds} s in {self.seen!r}")
            self.seen += self.port.read(4096).decode(errors="replace")
        at = self.seen.index(words) + len(words)
        out, self.seen = self.seen[:at], self.seen[at:]
        return out.replace("\r\n", "\n")

    def send(self, text: str) -> None:
        self.port.write(text.encode())

    def type(self, line: str) -> str:
        """One command at the friendly prompt; what it printed."""
        self.send(line + "\r")
        self.until(line[-1] + "\r\n")
        return self.until(">>> ")[:-4].strip()

    def raw(self) -> None:
        """Into the raw REPL, as mpremote goes there."""
        self.send("\r\x03")
        self.send("\r\x01")
        self.until("raw REPL; CTRL-B to exit\r\n>")

    def run(self, code: str) -> str:
        """A program in the raw REPL; what it printed."""
        self.send(code + "\x04")
        self.until("OK")
        out = self.until("\x04")[:-1]
        error = self.until("\x04>")[:-2]
        assert not error, error
        return out.strip()

    def friendly(self) -> None:
        self.send("\x02")
        self.until(">>> ")

    def soft_reset(self) -> None:
        """From the friendly prompt: boot.py and main.py run again."""
        self.send("\x04")
        self.until("soft reboot")
