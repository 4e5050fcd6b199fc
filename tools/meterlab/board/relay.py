"""Carries bytes between the board's process and the other end of its serial line."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

from meterlab.board.serialline import SerialLine

CTRL_C = b"\x03"
PACKET = 65536
BACKLOG = 1 << 20  # bytes kept for a slow listener
READS = 16  # packets of output in a turn, before something else gets its turn


class Relay:
    """`interrupt()` tries to turn a Ctrl-C into an interrupt; it is data when that returns False.

    A serial line does not wait for a slow listener: what is more than BACKLOG is gone.
    """

    def __init__(self, line: SerialLine, interrupt: Callable[[], bool]) -> None:
        self.line = line
        self._interrupt = interrupt
        self._console: socket.socket | None = None
        self._to_board = bytearray()
        self._to_host = bytearray()

    def attach(self, console: socket.socket) -> None:
        """The board's process has started; `console` is its standard input and output."""
        console.setblocking(False)
        self._console = console

    def detach(self) -> None:
        """The process has ended: what it still said is carried on."""
        if self._console is not None:
            self.collect()
            self._console.close()
            self._console = None

    def forget_input(self) -> None:
        """A reset empties the receive buffer."""
        self._to_board.clear()

    def say(self, text: bytes) -> None:
        """Uncooked bytes from the board; what it printed before comes first."""
        self.collect()
        self._to_host += text

    def newest(self, length: int) -> str:
        """The end of what was said and not yet taken."""
        return bytes(self._to_host[-length:]).decode(errors="replace")

    def waits_for(self) -> tuple[list[int], list[int], bool]:
        """Descriptors to wait on for input and for room, and whether somebody listens."""
        readers = self.line.readers() if len(self._to_board) < BACKLOG else []
        listening = bool(readers)
        writers = [self.line.writer()] if self._to_host else []
        if self._console is not None:
            readers.append(self._console.fileno())
            if self._to_board:
                writers.append(self._console.fileno())
        return readers, writers, listening

    def pump(self, ready: list[int]) -> None:
        """Carry what there is; `ready` are the descriptors with input."""
        if any(fd in ready for fd in self.line.readers()):
            self._from_host(self.line.read())
        if self._console is not None and self._to_board:
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                del self._to_board[: self._console.send(self._to_board)]
        self.collect(READS)
        self.flush()

    def _from_host(self, data: bytes) -> None:
        if self._console is None:
            return
        if CTRL_C in data and self._interrupt():
            data = data.replace(CTRL_C, b"")
        self._to_board += data

    def collect(self, reads: int = -1) -> None:
        """Take what the board has printed, at most so many packets."""
        while self._console is not None and reads:
            reads -= 1
            try:
                data = self._console.recv(PACKET)
            except (BlockingIOError, ConnectionResetError):
                return
            if not data:
                return
            if len(self._to_host) < BACKLOG:
                self._to_host += data.replace(b"\n", b"\r\n")

    def flush(self) -> None:
        """Hand on what the listener takes."""
        while self._to_host:
            taken = self.line.write(bytes(self._to_host[:PACKET]))
            if not taken:
                return
            del self._to_host[:taken]
