"""A UART in memory, for hosts that run in the same process: above all in virtual time.

The host's end has the face of a board's UART: `async readinto(buf) -> n`, `async write(buf)`.
Paced, each byte takes its ten bit times, and the host gets bytes in portions as large as a UART's
FIFO hands them out; unpaced, everything arrives at once. What the host does not fetch in time
overflows its receive buffer and is lost, as on hardware.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from meterlab.faults import Line, LineFaults
from meterlab.modules.base import Module
from meterlab.scheduler import Scheduler

_PORTION = 120


class Pace:
    """Delivers bytes as a line of so many baud does, in order. `deliver` gets them."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        deliver: Callable[[bytes], Any],
        early_s: float = 0.0,
    ) -> None:
        self._loop = loop
        self._deliver = deliver
        self._early_s = early_s
        self._free = 0.0

    def send(self, data: bytes, baud: int) -> None:
        now = self._loop.time()
        at = max(self._free, now)
        for i in range(0, len(data), _PORTION):
            portion = data[i : i + _PORTION]
            at += len(portion) * 10 / baud
            self._loop.call_at(max(at - self._early_s, now), self._deliver, portion)
        self._free = at


class MemoryUart:
    """The host's end. `overflow` counts bytes lost because nobody read them."""

    def __init__(self, write: Callable[[bytes], None], rxbuf: int) -> None:
        self.rxbuf = rxbuf
        self.overflow = 0
        self._write = write
        self._received = bytearray()
        self._waiter: asyncio.Future[None] | None = None

    async def readinto(self, buf: bytearray | memoryview) -> int:
        """Waits for bytes, puts as many as fit into `buf`; -> how many."""
        received = self._received
        while not received:
            if self._waiter is not None:
                raise RuntimeError("one reader at a time")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        n = min(len(buf), len(received))
        buf[:n] = received[:n]
        del received[:n]
        return n

    async def write(self, buf: bytes | bytearray | memoryview) -> int:
        """Takes all of `buf`; it leaves at the line's pace. -> its length."""
        data = bytes(buf)
        self._write(data)
        return len(data)

    def arrive(self, data: bytes) -> None:
        room = self.rxbuf - len(self._received)
        if len(data) > room:
            self.overflow += len(data) - room
            data = data[:room]
        self._received += data
        if self._received and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class MemoryLink:
    """A module on a UART in memory; `uart` is the host's end.

    `paced`: at the module's baud rate. `rxbuf`: bytes the host's driver holds.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        module: Module,
        *,
        paced: bool = False,
        rxbuf: int = 4_096,
        faults: LineFaults | None = None,
        seed: int = 0,
    ) -> None:
        self.module = module
        self.uart = MemoryUart(self._send, rxbuf)
        self._inward: Pace | None = None
        to_host: Callable[[bytes], None] = self.uart.arrive
        if paced:
            loop = asyncio.get_running_loop()
            outward = Pace(loop, self.uart.arrive)
            self._inward = Pace(loop, self._arrive)

            def pace(data: bytes) -> None:
                outward.send(data, module.baud)

            to_host = pace
        self.line = Line(scheduler, module, to_host, faults=faults, seed=seed)

    def _send(self, data: bytes) -> None:
        if self._inward is not None:
            self._inward.send(data, self.line.baud)
        else:
            self.line.write(data)

    def _arrive(self, data: bytes) -> None:
        self.line.write(data)
