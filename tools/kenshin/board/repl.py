"""A board's Python prompt, through mpremote's own library; errors say what to do."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import serial

from kenshin.board.ports import BoardError, find_port, taken

ENTER_SECONDS = 10
OPEN_SECONDS = 10
DATA = 0x4000  # the mode bit of a folder

# mpremote has no types of its own.
_transport = importlib.import_module("mpremote.transport")
_serial = importlib.import_module("mpremote.transport_serial")

_HASH = """
import hashlib, binascii
_buf = memoryview(bytearray(512))
def _hash(path):
    h = hashlib.sha256()
    try:
        with open(path, "rb") as f:
            while True:
                n = f.readinto(_buf)
                if not n:
                    break
                h.update(_buf[:n])
    except OSError:
        print("-")
        return
    print(str(binascii.hexlify(h.digest()), "ascii"))
"""


class BoardSaid(BoardError):
    """The board raised an exception; the text is its last line."""


@dataclass(frozen=True)
class Entry:
    """A file or folder on the board."""

    path: str
    size: int
    folder: bool


@contextlib.contextmanager
def _told(port: str) -> Generator[None]:
    try:
        yield
    except _transport.TransportExecError as error:
        lines = str(error.error_output).strip().splitlines()
        raise BoardSaid(lines[-1] if lines else "the board raised an exception") from None
    except _transport.TransportError as error:
        text = str(error)
        if "raw repl" in text:
            raise BoardError(
                f"No MicroPython answers at {port}. Is it installed on this board? Close other "
                "programs that use the port, press the board's reset button and try again. "
                "docs/troubleshooting.md has more."
            ) from None
        if "failed to access" in text:
            raise taken(port) from None
        raise BoardError(f"{port}: {text}. Try again.") from None
    except (OSError, serial.SerialException, ValueError, SyntaxError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # the board's word
            raise BoardError(
                "The board's flash is full. Remove files of yours, or start afresh with: "
                "kenshin board erase"
            ) from None
        raise BoardError(
            f"{port}: the line to the board broke off ({error}). Plug it in and run the same "
            "command again; it goes on where it ended."
        ) from None


class Repl:
    """The raw Python prompt of the board at `port` (None: the only one there is).

    `with Repl(port) as repl:` stops what runs there. `soft_reset` starts Python afresh before,
    without main.py; else what ran there leaves its objects behind. With `revive` an error in the
    midst starts the board anew: else the gateway would stay stopped, and nobody be told.
    """

    def __init__(self, port: str | None, *, soft_reset: bool = True, revive: bool = True) -> None:
        self.port = find_port(port)
        self._soft_reset = soft_reset
        self._revive = revive
        self._line: Any = None

    def __enter__(self) -> Repl:
        self.open(self._soft_reset)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self._revive:
            with contextlib.suppress(BoardError):  # it may be what the error is about
                self.restart()
        self.close()

    def open(self, soft_reset: bool) -> None:
        """Into the raw prompt."""
        # mpremote prints what it got instead of a prompt, which may be anything.
        with _told(self.port), contextlib.redirect_stdout(None):
            # So that a board that is gone does not block for ever.
            self._line = _serial.SerialTransport(self.port, timeout=OPEN_SECONDS)
            self._line.serial.write_timeout = OPEN_SECONDS
            try:
                self._enter(soft_reset)
            except BaseException:
                self.close()
                raise

    # A board that is just starting may miss the first call.
    def _enter(self, soft_reset: bool) -> None:
        for last in (False, True):
            try:
                self._line.enter_raw_repl(soft_reset=soft_reset, timeout_overall=ENTER_SECONDS)
                return
            except _transport.TransportError:
                if last:
                    raise

    def close(self) -> None:
        """Leave the friendly prompt behind. The board does not start anything by itself."""
        line, self._line = self._line, None
        if line is None:
            return
        with contextlib.suppress(OSError, serial.SerialException):
            if line.in_raw_repl:
                line.exit_raw_repl()
            line.close()

    # ---- Python

    def exec(self, code: str, seconds: float = 10) -> str:
        """Run code; -> what it printed. `seconds`: without a sign of life, that is."""
        with _told(self.port):
            out, error = self._line.exec_raw(code, timeout=seconds)
            if error:
                raise _transport.TransportExecError(out, error.decode("utf-8", "replace"))
            return str(out.decode("utf-8", "replace"))

    def eval(self, expression: str) -> Any:
        """The value of an expression that is plain data."""
        with _told(self.port):
            return self._line.eval(expression)

    def leave_running(self, code: str) -> None:
        """Start code and do not wait for it."""
        with _told(self.port):
            self._line.exec_raw_no_follow(code)
            self._line.in_raw_repl = False

    def read_text(self, seconds: float, until: Callable[[str], bool]) -> str:
        """What the board says by itself, until `until(text)` or so long."""
        text = b""
        end = time.monotonic() + seconds
        with _told(self.port):
            port = self._line.serial
            port.timeout = 0.2
            while time.monotonic() < end and not until(text.decode("utf-8", "replace")):
                text += port.read(port.in_waiting or 1)
        return text.decode("utf-8", "replace")

    # ---- files

    def tree(self, top: str) -> list[Entry]:
        """Everything below `top`, folders before what is in them; [] when it is not there."""
        found: list[Entry] = []
        with _told(self.port):
            try:
                rows = self._line.fs_listdir(top)
            except FileNotFoundError:
                return []
        for name, mode, _, size in rows:
            path = f"{top.rstrip('/')}/{name}"
            folder = bool(mode & DATA)
            found.append(Entry(path, size, folder))
            if folder:
                found += self.tree(path)
        return found

    def sha256(self, paths: list[str]) -> dict[str, bytes | None]:
        """The hash of each file, None when it is not there; in one go, which saves seconds."""
        self.exec(_HASH)
        said = self.exec(f"for p in {paths!r}: _hash(p)").split()
        return {
            path: None if word == "-" else bytes.fromhex(word)
            for path, word in zip(paths, said, strict=True)
        }

    def read(self, path: str) -> bytes:
        with _told(self.port):
            return bytes(self._line.fs_readfile(path, chunk_size=1024))

    def write(self, path: str, data: bytes) -> None:
        """Replace a file as a whole: whatever happens on the way, it is the old or the new."""
        part = path.rpartition("/")[0] + "/.part"
        with _told(self.port):
            self._line.fs_writefile(part, data, chunk_size=1024)
            got = bytes(self._line.fs_hashfile(part, "sha256"))
        if got != hashlib.sha256(data).digest():
            raise BoardError(f"{path} did not arrive whole. Run the same command again.")
        self.exec(f"import os; os.rename({part!r}, {path!r})")

    def mkdir(self, path: str) -> None:
        self.exec(f"import os; os.mkdir({path!r})")

    def remove(self, entry: Entry) -> None:
        """Remove a file or an empty folder."""
        self.exec(f"import os; os.{'rmdir' if entry.folder else 'remove'}({entry.path!r})")

    # ---- the board

    def restart(self) -> None:
        """Reset it, as its button does, and stay on the line; USB may go away for a moment."""
        self.leave_running("import machine; machine.reset()")
        end = time.monotonic() + OPEN_SECONDS
        while True:
            time.sleep(0.1)
            try:
                _ = self._line.serial.in_waiting
                return
            except (OSError, serial.SerialException):
                with contextlib.suppress(OSError, serial.SerialException):
                    self._line.serial.close()
            with contextlib.suppress(OSError, serial.SerialException):
                self._line.serial.open()
                return
            if time.monotonic() > end:
                raise BoardError(f"{self.port} did not come back after the restart. Replug it.")
