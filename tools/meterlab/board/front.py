"""What can be seen and touched of a board: pins, LED, button, and the plugs of its UARTs."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

from meterlab.board import registers as r
from meterlab.board.events import EventLog
from meterlab.board.hardware import Colour, Hardware
from meterlab.board.led import DARK, OFF, LedState, LedWatch
from meterlab.board.memory import Registers

TICKS = 0x3FFFFFFF
UART_SECONDS = 0.1
UNDRIVEN = 2
LOOK_SECONDS = 0.04  # an LED may change faster than it is worth looking at
_PIXELS = struct.Struct("<BBI")


def ticks() -> int:
    """The board's ticks_ms, before they wrap."""
    return time.monotonic_ns() // 1_000_000


class Front:
    """Pins and LED. `interrupt(word)` counts that register up and interrupts the board."""

    def __init__(
        self,
        registers: Registers,
        hardware: Hardware,
        events: EventLog,
        interrupt: Callable[[int], None],
    ) -> None:
        self._registers = registers
        self._hardware = hardware
        self._events = events
        self._interrupt = interrupt
        self._watch = LedWatch()
        self.led = DARK
        self.due: float | None = None  # when to look at the LED again
        registers.put(r.PINS, bytes([UNDRIVEN]) * 64)

    def drive(self, pin: int, level: int | None) -> None:
        """Drive an input pin from outside; None lets go of it."""
        before = self._registers.get(r.PINS + pin, 1)[0]
        after = UNDRIVEN if level is None else level
        self._registers.put(r.PINS + pin, bytes([after]))
        # A pin that nobody drives has been pulled to the other level.
        was = before if before < UNDRIVEN else 1 - after
        now = after if after < UNDRIVEN else 1 - before
        if before != after and was != now:
            edges = (r.RISES if now else r.FALLS) + pin
            self._registers.put(edges, bytes([self._registers.get(edges, 1)[0] + 1 & 0xFF]))
        self._interrupt(r.PIN_SEQ)

    def output(self, pin: int, level: int, at: int) -> None:
        """The board has set an output, at `at` of its ticks."""
        if pin == self._hardware.led_pin:
            lit = level == self._hardware.led_on
            self._change(self._hardware.led_colour if lit else OFF, at)
        self._events.add("pin", pin=pin, level=level)

    def pixels(self, message: bytes) -> None:
        """The board has sent a bit stream to a WS2812."""
        pin, _, at = _PIXELS.unpack_from(message, 1)
        data = message[1 + _PIXELS.size :]
        if pin == self._hardware.led_pin and len(data) >= 3:
            self._change((data[1], data[0], data[2]), at)

    def _change(self, colour: Colour, at: int) -> None:
        now = ticks()
        self._watch.change(now - ((now - at) & TICKS), colour)
        soon = time.monotonic() + LOOK_SECONDS
        self.due = soon if self.due is None else min(self.due, soon)

    def look(self) -> None:
        """See what the LED shows by now."""
        state, again = self._watch.look(ticks())
        self.due = None if again is None else time.monotonic() + max(again, 1) / 1000
        self._show(state)

    def dark(self) -> None:
        """The pins are back in their state after a reset."""
        self._watch.reset()
        self.due = None
        self._show(DARK)

    def _show(self, state: LedState) -> None:
        before, self.led = self.led, state
        if (state.colour, state.pattern) != (before.colour, before.pattern):
            self._events.add(
                "led",
                text=str(state),
                colour=state.colour,
                pattern=state.pattern,
                times=state.times,
            )


class Plugs:
    """Which pty hangs on which UART; `paths` by UART number, 0 for any."""

    def __init__(
        self, paths: dict[int, Path], events: EventLog, interrupt: Callable[[int], None]
    ) -> None:
        self._paths = paths
        self._events = events
        self._interrupt = interrupt
        self._plugged = True
        self._due = 0.0
        self.wanted: set[int] = set()  # UARTs that are open and lead nowhere

    def path(self, number: int) -> Path | None:
        """The module's terminal, if it is there now."""
        path = self._paths.get(number) or self._paths.get(0)
        if path is None or not self._plugged or not path.exists():
            return None
        return Path(os.path.realpath(path))

    def plug(self, plugged: bool) -> None:
        """Pull the module's cable, or put it back."""
        self._plugged = plugged
        self._interrupt(r.UART_SEQ)

    def heed(self, number: int, attached: bool) -> None:
        """The board tells that a UART has found its terminal, or lost it."""
        (self.wanted.discard if attached else self.wanted.add)(number)
        self._events.add("uart", id=number, attached=attached)

    def watch(self) -> None:
        """Tell the board when a terminal that it misses is there."""
        now = time.monotonic()
        if self.wanted and now >= self._due:
            self._due = now + UART_SECONDS
            if any(self.path(number) is not None for number in self.wanted):
                self._interrupt(r.UART_SEQ)
