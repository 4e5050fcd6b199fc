"""A module on a pseudo terminal, for hosts that open a serial port.

The terminal is raw and stays open on our side, so hosts may come and go like the owner of a USB
stick. Paced, both directions take the time 115,200 baud takes. What the host leaves unread beyond
`rxbuf` bytes is lost, as in a real driver's buffer.
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import termios
import tty
from pathlib import Path

from meterlab.faults import Line, LineFaults
from meterlab.link import Pace
from meterlab.modules.base import Module
from meterlab.scheduler import Scheduler

_EARLY_S = 0.0005  # the loop's timers fire up to 1 ms late; this centres them


class PtyLink:
    """`name`: the terminal's own path. `overflow`: bytes lost because the host did not read."""

    def __init__(
        self,
        scheduler: Scheduler,
        module: Module,
        path: Path,
        *,
        paced: bool = True,
        rxbuf: int = 4_096,
        faults: LineFaults | None = None,
        seed: int = 0,
    ) -> None:
        if path.exists() and not path.is_symlink():
            raise FileExistsError(f"{path} exists and is not a link")
        self.path = path
        self.rxbuf = rxbuf
        self.overflow = 0
        self.module = module
        self._loop = loop = asyncio.get_running_loop()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.name = os.ttyname(self._slave)
        self._inward = Pace(loop, self._arrive, _EARLY_S) if paced else None
        self._outward = Pace(loop, self._put, _EARLY_S) if paced else None
        self.line = Line(scheduler, module, self._to_host, faults=faults, seed=seed)
        self._closed = False
        loop.add_reader(self._master, self._readable)
        try:
            _point(path, self.name)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Take the terminal and the link to it away."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._master)
        if self.path.is_symlink() and os.readlink(self.path) == self.name:
            self.path.unlink()
        os.close(self._master)
        os.close(self._slave)

    def _readable(self) -> None:
        try:
            data = os.read(self._master, 4_096)
        except BlockingIOError:
            return
        if self._inward is not None:
            self._inward.send(data, self.line.baud)
        else:
            self.line.write(data)

    def _arrive(self, data: bytes) -> None:
        if not self._closed:
            self.line.write(data)

    def _to_host(self, data: bytes) -> None:
        if self._outward is not None:
            self._outward.send(data, self.module.baud)
        else:
            self._put(data)

    def _put(self, data: bytes) -> None:
        if self._closed:
            return
        room = max(self.rxbuf - self.unread(), 0)
        try:
            written = os.write(self._master, data[:room]) if room else 0
        except BlockingIOError:
            written = 0
        self.overflow += len(data) - written

    def unread(self) -> int:
        """Bytes that lie in the terminal and the host has not fetched."""
        count = array.array("i", [0])
        fcntl.ioctl(self._slave, termios.FIONREAD, count)
        return count[0]


def _point(path: Path, target: str) -> None:
    """Make `path` a symbolic link to `target`, replacing an older link in one step."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    os.symlink(target, fresh)
    os.replace(fresh, path)
