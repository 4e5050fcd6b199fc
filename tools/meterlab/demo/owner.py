"""What the owner of a board does at its serial line: set it up, and watch it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import serial

SETUP_SECONDS = 60
LINE_SECONDS = 0.2
LINES = 30


class OwnerError(RuntimeError):
    """The board did not do what its owner asked; the text is what it said."""


def configure(port: Path, settings: Mapping[str, Any]) -> None:
    """Set the board up with the real `mpremote`, then restart it into its main.py."""
    # A literal of both Pythons: strings and numbers only.
    literal = repr(dict(settings))
    code = f"import gateway; gateway.set({literal})"
    said = _mpremote(port, "exec", code)
    if "SettingError" in said or "Traceback" in said:
        raise OwnerError(said)
    _mpremote(port, "reset")


def _mpremote(port: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", str(port), *command],
        capture_output=True,
        text=True,
        timeout=SETUP_SECONDS,
        check=False,
    )
    if done.returncode:
        # Not the command: it may hold secrets.
        raise OwnerError(f"mpremote {command[0]}: {done.stdout}{done.stderr}")
    return done.stdout


class Console:
    """The running gateway's console. `state` is its newest JSON status, {} before the first;
    `restarts`: how often its uptime has fallen."""

    def __init__(self, port: Path) -> None:
        self._line = serial.Serial(str(port), 115200, timeout=LINE_SECONDS)
        self._lock = threading.Condition()
        self._state: dict[str, Any] = {}
        self._results: list[dict[str, Any]] = []
        self._lines: deque[str] = deque(maxlen=LINES)
        self.restarts = 0
        self._open = True
        self._thread = threading.Thread(target=self._read, name="console", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        rest = b""
        while self._open:
            try:
                rest += self._line.read(self._line.in_waiting or 1)
            except (OSError, TypeError, serial.SerialException):
                return  # closed, or the board is gone
            *lines, rest = rest.split(b"\n")
            for line in lines:
                self._take(line.strip())

    def _take(self, line: bytes) -> None:
        if not line.startswith(b"{"):
            self._lines.append(line.decode("utf-8", "replace"))  # a line for people
            return
        try:
            message = cast("dict[str, Any]", json.loads(line))
        except ValueError:
            return  # two lines that ran into each other
        with self._lock:
            if "check" in message:
                self._results.append(message)
            else:
                self.restarts += message.get("uptime", 0) < self._state.get("uptime", 0)
                self._state = message
            self._lock.notify_all()

    def said(self) -> str:
        """The last lines for people."""
        return "\n".join(self._lines)

    @property
    def state(self) -> dict[str, Any]:
        with self._lock:
            return self._state

    def say(self, word: str) -> None:
        """Type a word at the console."""
        self._line.write(word.encode() + b"\r")

    def wait_state(self, seconds: float) -> bool:
        """Ask for JSON lines until the first has come. Returns whether it has."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.say("json on")
            with self._lock:
                if self._lock.wait_for(lambda: bool(self._state), 2):
                    return True
        return False

    def check(self, what: str, seconds: float) -> dict[str, Any]:
        """`check server` and the like; the result, or {} when none came in time."""
        with self._lock:
            self._results.clear()
        self.say("check " + what)
        with self._lock:
            self._lock.wait_for(lambda: bool(self._results), seconds)
            return self._results[0] if self._results else {}

    def close(self) -> None:
        self._open = False
        self._thread.join(2)
        self._line.close()
