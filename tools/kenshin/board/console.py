"""The console of a running gateway: lines for people, and JSON for us, over the serial line."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import serial

from kenshin.board.ports import BoardError, find_port, taken

LINES = 500
READ_SECONDS = 0.2
WRITE_SECONDS = 5  # a board that hangs takes nothing
AGAIN_SECONDS = 1
ASK_SECONDS = 3
PROMPT_SECONDS = 60


class Console:
    """Reads the serial line for ever, also across unplugging, until close().

    `on_state(dict)` hears each JSON line of state, `on_line(text)` each line for people,
    `on_plug(bool)` when the line comes and goes; all are called from the reader's thread.
    With `keep_json` the JSON lines are asked for whenever they cease: after a restart of the
    board, say.
    """

    def __init__(
        self,
        port: str | None,
        *,
        keep_json: bool = False,
        on_state: Callable[[dict[str, Any]], None] | None = None,
        on_line: Callable[[str], None] | None = None,
        on_plug: Callable[[bool], None] | None = None,
    ) -> None:
        self.port = find_port(port)
        self.lines: deque[str] = deque(maxlen=LINES)
        self._keep_json = keep_json
        self._on_state = on_state
        self._on_line = on_line
        self._on_plug = on_plug
        self._line: serial.Serial | None = None
        self._changed = threading.Condition()
        self._state: dict[str, Any] = {}
        self._results: dict[str, dict[str, Any]] = {}
        self.prompt = False  # Python's prompt answers, not the gateway
        self._skip = 0  # lines of its complaint about a word of ours
        self._open = True
        self._heard_json = 0.0
        self._asked = time.monotonic()
        self._plugged: bool | None = None
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)

    def start(self) -> Console:
        """Open the line; BoardError when that cannot be done now."""
        try:
            self._line = self._new_line()
        except (OSError, serial.SerialException):
            raise taken(self.port) from None
        self._thread.start()
        return self

    def _new_line(self) -> serial.Serial:
        return serial.Serial(
            self.port, 115200, timeout=READ_SECONDS, write_timeout=WRITE_SECONDS, exclusive=True
        )

    def close(self) -> None:
        """Switch the JSON lines off and let go of the port."""
        self.type("json off")
        self._open = False
        if self._thread.is_alive():
            self._thread.join(2)
        if self._line is not None:
            with contextlib.suppress(OSError, serial.SerialException):
                self._line.close()

    def __enter__(self) -> Console:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- reading

    def _run(self) -> None:
        rest = b""
        self._tell_plug(True)
        while self._open:
            try:
                if self._line is None:
                    self._line = self._new_line()
                    self._tell_plug(True)
                rest += self._line.read(self._line.in_waiting or 1)
            except (OSError, serial.SerialException, TypeError):
                # TypeError: pyserial, closed while it reads.
                line, self._line, rest = self._line, None, b""
                if line is not None:
                    with contextlib.suppress(OSError, serial.SerialException):
                        line.close()
                self._tell_plug(False)
                time.sleep(AGAIN_SECONDS)
                continue
            *whole, rest = rest.split(b"\n")
            for one in whole:
                self._take(one.replace(b"\x1b[K", b"").strip(b"\r "))
            self._ask_for_json()

    def _ask_for_json(self) -> None:
        now = time.monotonic()
        pause = PROMPT_SECONDS if self.prompt else ASK_SECONDS
        if self._keep_json and max(self._heard_json, self._asked) + pause < now:
            self._asked = now
            self.type("json on")

    def _tell_plug(self, plugged: bool) -> None:
        if plugged != self._plugged:
            with self._changed:
                self._plugged = plugged
                self.prompt = False
                self._changed.notify_all()
            if self._on_plug is not None:
                self._on_plug(plugged)

    def _take(self, line: bytes) -> None:
        if line.startswith(b"{"):
            with contextlib.suppress(ValueError):  # two lines that ran into each other
                self._take_json(cast("dict[str, Any]", json.loads(line)))
            return
        text = line.decode("utf-8", "replace")
        if text.startswith("Kenshin "):
            self.prompt = False
        elif text.startswith(">>>"):
            self.prompt = True
            self._skip = 4 if text[4:] in ("json on", "json off") else 0
        if self._skip:
            self._skip -= 1
            return
        # The echo of what was typed here is nobody's news.
        if text and text not in ("json on", "json off"):
            self.lines.append(text)
            with self._changed:
                self._changed.notify_all()
            if self._on_line is not None:
                self._on_line(text)

    def _take_json(self, message: dict[str, Any]) -> None:
        with self._changed:
            if "check" in message:
                self._results[str(message["check"])] = message
            else:
                self._heard_json = time.monotonic()
                self.prompt = False
                self._state = message
            self._changed.notify_all()
        if "check" not in message and self._on_state is not None:
            self._on_state(message)

    # ---- asking

    @property
    def state(self) -> dict[str, Any]:
        """The newest JSON line, {} before the first."""
        with self._changed:
            return self._state

    def type(self, word: str) -> None:
        """Type a word; nothing happens while nobody is there."""
        line = self._line
        if line is not None:
            with contextlib.suppress(OSError, serial.SerialException, TypeError):
                line.write(word.encode() + b"\r")

    def wait_line(self, part: str, seconds: float) -> bool:
        """Wait until a line with `part` was seen."""
        with self._changed:
            return self._changed.wait_for(
                lambda: any(part in line for line in self.lines), seconds
            )

    def check(self, what: str, seconds: float) -> dict[str, Any]:
        """`check server` and the like; the result, or {} when none came in time.

        BoardError when the board is unplugged meanwhile.
        """
        with self._changed:
            self._results.pop(what, None)
        self.type("check " + what)
        with self._changed:
            self._changed.wait_for(
                lambda: what in self._results or self._plugged is False, seconds
            )
            if what not in self._results and self._plugged is False:
                raise BoardError(
                    f"{self.port}: unplugged. Plug it in and run the same command again."
                )
            return self._results.get(what, {})
