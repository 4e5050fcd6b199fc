"""The receiving half of an SKSTACK UART: lines, echo, and the counted payload of SKSENDTO."""

from __future__ import annotations

from collections.abc import Callable

_LINE = 512  # longer than any command
_BUFFER = 4_096  # what a host may send ahead while a command runs

Header = list[bytes]  # handle, IP, port, security, [side,] length


class SkInput:
    """Bytes in; commands out, one at a time.

    `on_line(line)` gets each command without its end; `on_datagram(header, payload)` each
    SKSENDTO; `on_fault(code)` what cannot be read. While `busy` is set nothing is taken: call
    `resume` when it is cleared. `echo` is read before anything is written back through `emit`.
    """

    def __init__(
        self,
        *,
        dual: bool,
        emit: Callable[[bytes], None],
        on_line: Callable[[bytes], None],
        on_datagram: Callable[[Header, bytes], None],
        on_fault: Callable[[str], None],
    ) -> None:
        self.echo = True
        self.busy = False
        self._fields = 6 if dual else 5
        self._emit = emit
        self._on_line = on_line
        self._on_datagram = on_datagram
        self._on_fault = on_fault
        self._buffer = bytearray()
        self._echoed = 0
        self._header: Header | None = None
        self._need = 0
        self._after_cr = False
        self._skipping = False  # the rest of a broken SKSENDTO, up to the end of its line

    def clear(self) -> None:
        self._buffer.clear()
        self._echoed = 0
        self._header = None
        self._after_cr = False
        self._skipping = False
        self.busy = False

    @property
    def waiting(self) -> int:
        """Payload bytes that an SKSENDTO still waits for."""
        return self._need - len(self._buffer) if self._header else 0

    def feed(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > _BUFFER and self._header is None:
            del self._buffer[_BUFFER:]
        if not self.busy:
            self.resume()

    def silence(self) -> None:
        """The line has been quiet: what is left of a broken SKSENDTO will not come."""
        if self._skipping:
            self._skipping = False
            self._buffer.clear()
            self._echoed = 0

    def resume(self) -> None:
        """Take commands from the buffer until one keeps the module busy or nothing is left."""
        while not self.busy and self._buffer and self._take():
            pass

    def _take(self) -> bool:
        buffer = self._buffer
        if self._header is not None:
            if len(buffer) < self._need:
                return False
            payload = bytes(buffer[: self._need])
            del buffer[: self._need]
            header, self._header = self._header, None
            self._on_datagram(header, payload)
            return True
        if self._after_cr:
            self._after_cr = False
            if buffer[0] == 10:
                del buffer[0]
                return True
        if buffer.startswith(b"SKSENDTO ") and self._take_header():
            return True
        if self._header is None and (end := _line_end(buffer)) >= 0:
            self._take_line(end)
            return True
        if len(buffer) > _LINE:
            self._show(len(buffer))
            self._drop()
            if self.echo:
                self._emit(b"\r\n")
            self._on_fault("ER09")
            return True
        self._show(len(buffer))
        return False

    def _take_line(self, end: int) -> None:
        buffer = self._buffer
        line = bytes(buffer[:end])
        self._after_cr = buffer[end] == 13
        if self.echo:
            tail = b"\r" if line[:4] in _CR_ONLY or line[:5] in _CR_ONLY else b"\r\n"
            self._emit(line[self._echoed :] + tail)
        del buffer[: end + 1]
        self._echoed = 0
        if self._skipping:
            self._skipping = False
        elif len(line) > _LINE:
            self._on_fault("ER09")
        elif line.rstrip(b" "):
            self._on_line(line)

    def _take_header(self) -> bool:
        """SKSENDTO ends its header with a space, not with a line. -> something was taken."""
        buffer = self._buffer
        at = 8
        marks: list[int] = [at]
        while len(marks) <= self._fields:
            at = buffer.find(b" ", at + 1, at + 64)
            if at < 0:
                break
            marks.append(at)
        ends = _line_end(buffer)
        if 0 <= ends < marks[-1]:
            return False  # an ordinary line, with too few arguments
        fields = [bytes(buffer[a + 1 : b]) for a, b in zip(marks, marks[1:], strict=False)]
        fault = self._check(fields)
        if fault is not None:
            self._show(marks[-1] + 1)
            self._drop(marks[-1] + 1)
            self._skipping = True
            self._on_fault(fault)
            return True
        if len(fields) < self._fields:
            return False
        self._show(marks[-1] + 1)
        self._drop(marks[-1] + 1)
        self._header = fields
        self._need = int(fields[-1], 16)
        return True

    def _check(self, fields: Header) -> str | None:
        """What is wrong with the header as far as it has come."""
        dual = self._fields == 6
        if len(fields) >= 5:
            # The length where the side belongs, or the side where the length belongs.
            if dual != (len(fields[4]) == 1):
                return "ER05" if len(fields[4]) in (1, 4) else "ER06"
            if dual and fields[4] not in (b"0", b"1"):
                return "ER06"
        if len(fields) < self._fields:
            return None
        length = fields[-1]
        if len(length) != 4 or not _is_hex(length) or not 1 <= int(length, 16) <= 0x4D0:
            return "ER06"
        handle, address, port, security = fields[:4]
        if handle not in (b"1", b"2", b"3", b"4", b"5", b"6") or len(address) != 39:
            return "ER06"
        if len(port) != 4 or not _is_hex(port) or security not in (b"0", b"1", b"2"):
            return "ER06"
        return None

    def _show(self, end: int) -> None:
        """Echo what has come of the command so far."""
        if self.echo and end > self._echoed and not self._skipping:
            self._emit(bytes(self._buffer[self._echoed : end]))
            self._echoed = end

    def _drop(self, count: int | None = None) -> None:
        del self._buffer[:count]
        self._echoed = 0


_CR_ONLY = (b"ROPT", b"WOPT", b"RUART", b"WUART")


def _line_end(buffer: bytearray) -> int:
    cr, lf = buffer.find(b"\r"), buffer.find(b"\n")
    return max(cr, lf) if cr < 0 or lf < 0 else min(cr, lf)


def _is_hex(text: bytes) -> bool:
    return not text.strip(b"0123456789ABCDEFabcdef")
