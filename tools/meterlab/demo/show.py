"""The demo's few lines that change."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from kenshin.board import words

PLAIN_SECONDS = 5
_KWH = 10_000  # 0.1 Wh


def _tenths(value: int | None) -> str:
    if value is None:
        return "-"
    sign = "-" if value < 0 else ""
    return f"{sign}{abs(value) // 10}.{abs(value) % 10}"


def _kwh(value: int | None) -> str:
    return "-" if value is None else f"{value // _KWH}.{value % _KWH // 100:02d}"


def _link(state: dict[str, Any]) -> str:
    if not state:
        return "the board starts"
    text = str(state.get("phase", "?"))
    if state.get("module"):
        text += f", {state['module']}"
    if state.get("rssi") is not None:
        text += f", {state['rssi']} dBm"
    if state.get("word") or state.get("code"):
        text += f"; {state.get('word') or ''} {state.get('code') or ''}: {state.get('detail')}"
    return text


def _reading(state: dict[str, Any]) -> str:
    # Rows as in the upload, without a number: kind, t, quality, W, R, T, normal, reverse, origin.
    reading = state.get("reading")
    if not reading:
        return "none yet"
    _, t, quality, power, current_r, current_t, *_ = reading
    text = f"{power} W, {_tenths(current_r)} + {_tenths(current_t)} A"
    if state.get("time") and quality:
        text += f", {max(state['time'] - t, 0)} s ago"
    energy = state.get("energy")
    return text + (f", meter at {_kwh(energy[6])} kWh" if energy else "")


def lines(led: str, state: dict[str, Any], stored: int, url: str) -> list[tuple[str, str]]:
    """(name, text) of what is shown."""
    uploaded = state.get("counters", {}).get("uploaded", 0)
    # The lamp of this board has one colour only: what it says is in its rhythm.
    if state.get("led"):
        led = f"{words.led(state['led'])[1]}; a plain lamp, now {led}"
    return [
        ("LED", led),
        ("link", _link(state)),
        ("reading", _reading(state)),
        ("uploaded", f"{uploaded}, waiting {state.get('queue', 0)}, at the server {stored}"),
        ("page", url),
    ]


class Show:
    """A table that is redrawn in a terminal; elsewhere a line when something changed."""

    def __init__(self) -> None:
        self._console = Console()
        self._live: Live | None = None
        self._last = ""
        self._next = 0.0
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()

    def update(self, rows: list[tuple[str, str]]) -> None:
        if self._live is not None:
            self._live.update(self._table(rows), refresh=True)
            return
        text = " | ".join(f"{name}: {value}" for name, value in rows[:-1])
        if time.monotonic() >= self._next and text != self._last:
            print(text, flush=True)
            self._last = text
            self._next = time.monotonic() + PLAIN_SECONDS

    @staticmethod
    def _table(rows: list[tuple[str, str]]) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for name, value in rows:
            table.add_row(f"[bold]{name}", value)
        return table

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        sys.stdout.flush()
