# UART: a pty of the module's, read directly, with a board's receive buffer: what does not fit is
# lost.
#
# The driver's ring is filled here at reading time, which comes to the same: between two reads the
# ring takes the first `rxbuf` bytes that arrived and loses the rest. As long as less than that
# waits, it may as well wait in the pty.
import io
import struct
import sys
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms

import uctypes
import vb_chip as chip
import vb_regs as r

_FIONREAD = 0x541B
_TCGETS = 0x5401
_TCSETS = 0x5402
_TCFLSH = 0x540B
_O_RDWR_NONBLOCK_NOCTTY = 0o4402
_AF_UNIX = 1
_SOCK_STREAM_NONBLOCK = 0o4001
_POLLIN = 1
_POLLHUP_ERR = 0o30
_MP_STREAM_POLL = 3
_MP_STREAM_GET_FILENO = 10
_MP_STREAM_FLUSH = 1
_FULL = 4095  # what a pty hands over at once; more may wait behind
_CHUNK = 4096
# Linux's numbers for the speeds.
_SPEEDS = {
    1200: 9,
    2400: 11,
    4800: 12,
    9600: 13,
    19200: 14,
    38400: 15,
    57600: 0o10001,
    115200: 0o10002,
    230400: 0o10003,
    460800: 0o10004,
    500000: 0o10005,
    921600: 0o10007,
    1000000: 0o10010,
    2000000: 0o10013,
}
_CS8_CREAD_CLOCAL = 0o4260

_uarts = {}
_seen = [chip.R[r.UART_SEQ]]
_pair = bytearray(8)
_count = bytearray(4)
_COUNT = chip.words(uctypes.addressof(_count), 1, uctypes.INT32)
_termios = bytearray(64)


# Two descriptors that stand in for the pty: one is never readable, one always is; both take
# writes for ever.
def _placeholders():
    chip.socketpair(_AF_UNIX, _SOCK_STREAM_NONBLOCK, 0, _pair)
    idle, keep = struct.unpack("ii", _pair)
    chip.socketpair(_AF_UNIX, _SOCK_STREAM_NONBLOCK, 0, _pair)
    ready, other = struct.unpack("ii", _pair)
    chip.write(other, b"!", 1)
    return idle, ready


_idle, _ready = _placeholders()


class UART(io.IOBase):
    INV_TX = 32
    INV_RX = 4
    INV_RTS = 64
    INV_CTS = 8
    RTS = 1
    CTS = 2

    def __new__(cls, id, *args, **kwargs):
        if not 0 <= id <= 2:
            raise ValueError("UART(%d) does not exist" % id)
        if id == 0:
            raise ValueError("UART(0) is disabled (dedicated to REPL)")
        uart = _uarts.get(id)
        if uart is None:
            uart = _uarts[id] = object.__new__(cls)
            uart._id = id
            uart._fd = chip.dup(_idle)
            uart._tty = -1
            uart._path = ""
            uart._spill = None
        return uart

    def __init__(self, id, baudrate=115200, bits=8, parity=None, stop=1, **kwargs):
        self._rxbuf = self._txbuf = 256
        self._timeout = self._timeout_char = 0
        self._tx = self._rx = -1
        self._open = True
        self.init(baudrate, bits, parity, stop, **kwargs)

    def init(
        self,
        baudrate=0,
        bits=0,
        parity=-1,
        stop=0,
        *,
        tx=None,
        rx=None,
        rts=None,
        cts=None,
        txbuf=None,
        rxbuf=None,
        timeout=0,
        timeout_char=0,
        invert=0,
        flow=0,
    ):
        if bits not in (0, 5, 6, 7, 8):
            raise ValueError("invalid data bits")
        if stop not in (0, 1, 2):
            raise ValueError("invalid stop bits")
        for size in (rxbuf, txbuf):
            if size is not None and not 129 <= size <= 65535:
                raise ValueError("uart buffer must be 129 to 65535 bytes")
        self._bits = bits or getattr(self, "_bits", 8)
        self._stop = stop or getattr(self, "_stop", 1)
        self._parity = parity if parity != -1 else getattr(self, "_parity", None)
        self._baudrate = baudrate or getattr(self, "_baudrate", 115200)
        self._tx = self._tx if tx is None else tx
        self._rx = self._rx if rx is None else rx
        self._rxbuf = rxbuf or self._rxbuf
        self._txbuf = txbuf or self._txbuf
        self._timeout = timeout
        self._timeout_char = max(timeout_char, 13000 // self._baudrate + 1)
        self._ask(True)

    # The module's pty, by the PC side; it may be there only later.
    def _ask(self, anew):
        n = chip.request("U", str(self._id))[1]
        path = chip.text(n)
        if path and path == self._path and self._tty >= 0 and not anew:
            return
        chip.hold()
        try:
            self._drop()
            if path:
                self._plug(path)
            else:
                chip.event("U", self._id)
        finally:
            chip.release()

    def _plug(self, path):
        tty = chip.open_(path, _O_RDWR_NONBLOCK_NOCTTY)
        if tty < 0:
            chip.event("U", self._id)
            return
        self._tty = tty
        self._path = path
        self._speed()
        chip.dup2(tty, self._fd)
        chip.ioctl(tty, _TCFLSH, None)
        chip.read(tty, bytearray(64), 64)
        chip.ioctl(tty, _TCFLSH, None)
        chip.event("u", self._id)

    # Raw, and read() returns at once.
    def _speed(self):
        speed = _SPEEDS.get(self._baudrate, 0o10002)
        if chip.ioctl(self._tty, _TCGETS, _termios) < 0:
            return
        flags = _CS8_CREAD_CLOCAL | speed
        struct.pack_into("IIII", _termios, 0, 0, 0, flags, 0)
        for i in range(17, 36):
            _termios[i] = 0
        chip.ioctl(self._tty, _TCSETS, _termios)

    # The line to the module is gone, or taken away.
    def _drop(self):
        if self._spill:
            chip.free(self._spill[0])
            self._spill = None
        chip.dup2(_idle, self._fd)
        if self._tty >= 0:
            chip.close(self._tty)
            self._tty = -1

    def _lost(self):
        chip.hold()
        try:
            self._drop()
            chip.event("U", self._id)
        finally:
            chip.release()

    # More is waiting than the ring holds: keep what came first, as the ring does, and poll as
    # readable meanwhile.
    def _overflow(self):
        chip.hold()
        try:
            if not self._spill:
                place = chip.malloc(self._rxbuf + _CHUNK)
                self._spill = [place, uctypes.bytearray_at(place, self._rxbuf + _CHUNK), 0, 0]
                chip.dup2(_ready, self._fd)
            _, ring, start, end = self._spill
            view = memoryview(ring)
            if start:
                view[: end - start] = bytes(view[start:end])
                start, end = 0, end - start
            lost = 0
            while True:
                n = chip.read(self._tty, view[end : end + _CHUNK], _CHUNK)
                if n <= 0:
                    break
                fits = min(n, self._rxbuf - end)
                end += fits
                lost += n - fits
            self._spill[2], self._spill[3] = start, end
            chip.R[r.UART_LOST] += lost
        finally:
            chip.release()

    def _waiting(self):
        _COUNT[0] = 0
        if self._tty >= 0:
            chip.ioctl(self._tty, _FIONREAD, _count)
        return _COUNT[0]

    # Into `buf` what is there, at most n bytes. -> count, 0 when there is nothing.
    def _take(self, buf, n):
        if self._tty < 0:
            return 0
        if self._spill or self._waiting() > min(self._rxbuf, _FULL - 1):
            self._overflow()
            spill = self._spill
            n = min(n, spill[3] - spill[2])
            memoryview(buf)[:n] = memoryview(spill[1])[spill[2] : spill[2] + n]
            spill[2] += n
            if spill[2] == spill[3]:
                chip.free(spill[0])
                self._spill = None
                chip.dup2(self._tty, self._fd)
            return n
        got = chip.read(self._tty, buf, n)
        if got > 0:
            return got
        struct.pack_into("ihh", _pair, 0, self._tty, _POLLIN, 0)
        chip.poll_(_pair, 1, 0)
        if _pair[6] & _POLLHUP_ERR:
            self._lost()
        return 0

    # Up to n bytes, waiting as timeout and timeout_char say.
    def _fill(self, buf, n):
        if not self._open:
            raise OSError(19)
        got = self._take(buf, n)
        if self._timeout and got < n:
            view = memoryview(buf)
            end = ticks_add(ticks_ms(), self._timeout)
            while got < n:
                more = self._take(view[got:n], n - got)
                if more:
                    got += more
                    end = ticks_add(ticks_ms(), max(self._timeout_char, 1))
                elif ticks_diff(end, ticks_ms()) <= 0:
                    break
                else:
                    sleep_ms(1)
        return got

    def readinto(self, buf, n=-1):
        n = len(buf) if n < 0 else min(n, len(buf))
        return self._fill(buf, n) or None

    def read(self, n=-1):
        if n >= 0:
            buf = bytearray(n)
            n = self._fill(buf, n)
            return bytes(memoryview(buf)[:n]) if n else None
        out = b""
        while True:
            more = self.read(256)
            if not more:
                return out or None
            out += more

    def readline(self, n=-1):
        out = b""
        one = bytearray(1)
        while n and self._fill(one, 1):
            out += one
            if one[0] == 10:
                break
            n -= 1
        return out or None

    # The wire takes everything, whether or not somebody listens at its other end.
    def write(self, buf, *part):
        if not self._open:
            raise OSError(19)
        if isinstance(buf, str):
            buf = buf.encode()
        if part:
            buf = memoryview(buf)[part[0] if len(part) > 1 else 0 :][: part[-1]]
        size = len(buf)
        sent = 0 if self._tty < 0 else chip.write(self._tty, buf, size)
        while 0 < sent < size:
            n = chip.write(self._tty, memoryview(buf)[sent:], size - sent)
            if n <= 0:
                break
            sent += n
        return size

    def any(self):
        if self._spill:
            return self._spill[3] - self._spill[2]
        return min(self._waiting(), self._rxbuf)

    def flush(self):
        pass

    def txdone(self):
        return True

    def sendbreak(self):
        self.write(b"\0")

    def deinit(self):
        chip.hold()
        try:
            self._drop()
            self._open = False
        finally:
            chip.release()

    def ioctl(self, request, arg):
        if request == _MP_STREAM_GET_FILENO:
            return self._fd
        if request == _MP_STREAM_POLL:
            return chip.ready(self._fd, arg)
        return 0 if request == _MP_STREAM_FLUSH else -1

    def __repr__(self):
        return (
            "UART(%d, baudrate=%d, bits=%d, parity=%s, stop=%d, tx=%d, rx=%d, txbuf=%d, rxbuf=%d)"
            % (
                self._id,
                self._baudrate,
                self._bits,
                self._parity,
                self._stop,
                self._tx,
                self._rx,
                self._txbuf,
                self._rxbuf,
            )
        )


def _on_interrupt():
    if chip.R[r.UART_SEQ] == _seen[0]:
        return
    _seen[0] = chip.R[r.UART_SEQ]
    for uart in _uarts.values():
        if uart._open:
            try:
                uart._ask(False)
            except OSError as e:
                sys.print_exception(e)


chip.listeners.append(_on_interrupt)
