"""The other end of the board's serial line: a pseudo terminal with a link to it, or this
terminal.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from pathlib import Path

CHUNK = 4096


class PtyLine:
    """A pty; programs open the link at `path`. What the board says while nobody has it open is
    gone.
    """

    check_seconds = 0.02  # how often to see whether somebody has opened it
    left = False

    def __init__(self, path: Path) -> None:
        if path.is_symlink():
            path.unlink()
        elif path.exists():
            raise FileExistsError(f"{path} exists and is not a link")
        self.path = path
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.device = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        os.symlink(self.device, path)
        self._poll = select.poll()
        self._poll.register(self._master, select.POLLIN)

    def readers(self) -> list[int]:
        """Descriptors to wait on for input; none while nobody has the line open."""
        return [self._master] if self.attached() else []

    def attached(self) -> bool:
        """Whether a program has the line open."""
        return not any(event & select.POLLHUP for _, event in self._poll.poll(0))

    def read(self) -> bytes:
        """What was sent to the board, b"" when nothing."""
        with contextlib.suppress(OSError):
            return os.read(self._master, CHUNK)
        return b""

    def write(self, data: bytes) -> int:
        """Send; returns how many bytes were taken."""
        if not self.attached():
            return len(data)
        try:
            return os.write(self._master, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)

    def writer(self) -> int:
        """The descriptor to wait on for room."""
        return self._master

    def close(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(self.path) == self.device:
                self.path.unlink()
        os.close(self._master)


class TerminalLine:
    """This terminal. Ctrl-] leaves it, which `left` tells."""

    check_seconds = None
    escape = 0x1D

    def __init__(self) -> None:
        self._in, self._out = sys.stdin.fileno(), sys.stdout.fileno()
        self.left = False
        self._end = False
        self._before: list[int | list[bytes | int]] | None = None
        if os.isatty(self._in):
            self._before = termios.tcgetattr(self._in)
            tty.setraw(self._in)

    def readers(self) -> list[int]:
        return [] if self._end else [self._in]

    def attached(self) -> bool:
        return True

    def read(self) -> bytes:
        data = os.read(self._in, CHUNK)
        if not data:
            self._end = True
        at = data.find(self.escape) if self._before is not None else -1
        if at >= 0:
            self.left = True
            return data[:at]
        return data

    def write(self, data: bytes) -> int:
        return os.write(self._out, data)

    def writer(self) -> int:
        return self._out

    def close(self) -> None:
        if self._before is not None:
            termios.tcsetattr(self._in, termios.TCSADRAIN, self._before)


SerialLine = PtyLine | TerminalLine
