# The serial line as a board has it: text in and out is cooked, `buffer` is not, nothing echoes.
import io
import sys

import vb_chip as chip

_POLL = 3
_GET_FILENO = 10
_FLUSH = 1

raw_in = sys.stdin.buffer
put_bytes = sys.stdout.buffer.write  # bytes without a newline need no detour


# One byte of input as a number; waits for it.
def getch():
    while True:
        c = raw_in.read(1)
        if c:
            return c[0]


def _control(fd, request, arg):
    if request == _POLL:
        return chip.ready(fd, arg)
    return fd if request == _GET_FILENO else 0 if request == _FLUSH else -1


class _Stdin(io.IOBase):
    buffer = raw_in

    # Exactly n characters, as a board does it; Enter arrives as "\r" and is read as "\n".
    def read(self, n=-1):
        out = bytearray()
        while n:
            c = getch()
            out.append(10 if c == 13 else c)
            more = 3 if c >= 0xF0 else 2 if c >= 0xE0 else 1 if c >= 0xC0 else 0
            for _ in range(more):
                out.append(getch())
            n -= 1
        return bytes(out).decode()

    def readinto(self, buf, n=-1):
        n = len(buf) if n < 0 else n
        for i in range(n):
            c = getch()
            buf[i] = 10 if c == 13 else c
        return n

    def readline(self, n=-1):
        out = ""
        while n:
            c = self.read(1)
            out += c
            if c == "\n":
                break
            n -= 1
        return out

    def write(self, *data):
        return stdout.write(*data)

    def ioctl(self, request, arg):
        return _control(0, request, arg)


# Uncooked bytes go by the bus, behind what was printed before.
class _RawOut(io.IOBase):
    # write(data), write(data, length) or write(data, offset, length)
    def write(self, data, *part):
        view = memoryview(data.encode() if isinstance(data, str) else data)
        if part:
            view = view[part[0] if len(part) > 1 else 0 :][: part[-1]]
        for i in range(0, len(view), 8192):
            chip.request("O", view[i : i + 8192])
        return len(view)

    def read(self, n=-1):
        return raw_in.read(n)

    def readinto(self, buf, n=-1):
        return raw_in.readinto(buf) if n < 0 else raw_in.readinto(buf, n)

    def ioctl(self, request, arg):
        return _control(1, request, arg)


class _Stdout(io.IOBase):
    buffer = _RawOut()

    def __init__(self):
        self.write = sys.stdout.write

    def read(self, n=-1):
        return stdin.read(n)

    def readinto(self, buf, n=-1):
        return stdin.readinto(buf, n)

    def ioctl(self, request, arg):
        return _control(1, request, arg)


stdin = _Stdin()
stdout = _Stdout()
