"""UART: a pty at the other end, a receive buffer that overflows, a module that comes and goes."""

from __future__ import annotations

import hashlib
import os
import random
import select
import termios
import time
import tty

import pytest


class Module:
    """The other end of a UART: a pty with a link to it."""

    def __init__(self, path):
        self.path = path
        self.master = -1
        self.plug()

    def plug(self):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.symlink(os.ttyname(self.slave), self.path)

    def unplug(self):
        if self.master >= 0:
            os.unlink(self.path)
            os.close(self.master)
            os.close(self.slave)
            self.master = -1

    def send(self, data):
        while data:
            data = data[os.write(self.master, data) :]

    def receive(self, n, seconds=60):
        data, end = b"", time.monotonic() + seconds
        while len(data) < n and time.monotonic() < end:
            if select.select([self.master], [], [], 0.1)[0]:
                data += os.read(self.master, 4096)
        return data


@pytest.fixture
def module(tmp_path):
    module = Module(tmp_path / "module")
    yield module
    module.unplug()


@pytest.fixture
def board(make_board, module):
    return make_board(uart=module.path)


def loses(raw, board, n):
    """Waits until so many bytes were lost; the board counts them when it looks."""
    end = time.monotonic() + 60
    while board.uart_lost < n and time.monotonic() < end:
        raw.run("u.read(0)")
    assert board.uart_lost == n


OPEN = "import machine\nu = machine.UART(1, 115200, tx=17, rx=16%s)\n"


def test_bytes_both_ways(raw, module):
    raw.run(OPEN % "" + "print(u.write(b'AT\\r\\n'), u.write('\u00e9'), u.write(b'abcdef', 2, 3))")
    assert module.receive(9) == b"AT\r\n\xc3\xa9cde"
    assert raw.eval("(u.any(), u.read(), u.read(5), u.readline())") == (0, None, None, None)
    module.send(b"OK\r\nrest")
    raw.run("import time\nwhile u.any() < 8: time.sleep_ms(1)")
    assert raw.eval("(u.readline(), u.read(2), u.read(), u.any())") == (b"OK\r\n", b"re", b"st", 0)
    module.send(bytes(range(256)))
    raw.run("b = bytearray(300)\nwhile u.any() < 256: time.sleep_ms(1)")
    assert raw.eval("(u.readinto(b), bytes(b[:256]) == bytes(range(256)))") == (256, True)


def test_reading_does_not_wait_unless_told(raw, module):
    # On a busy machine something else may come in between; but not each time.
    raw.run(
        OPEN % "" + "import time\ndef once():\n    a = time.ticks_ms(); u.read(10)\n"
        "    return time.ticks_diff(time.ticks_ms(), a)"
    )
    assert raw.eval("min([once() for _ in range(20)])") < 50
    raw.run("u.init(timeout=300, timeout_char=100)")
    raw.run("a = time.ticks_ms(); r = u.read(10); b = time.ticks_ms()")
    assert raw.eval("(r, 290 <= time.ticks_diff(b, a))") == (None, True)
    raw.start("print('go'); r = u.read(4); print(r)")
    raw.expect(b"go\r\n")
    module.send(b"ab")
    module.send(b"cd")
    assert raw.finish() == "b'abcd'\n"


def test_what_does_not_fit_is_lost(raw, module, board):
    raw.run(OPEN % ", rxbuf=256" + "u.any()")
    module.send(b"x" * 256 + b"lost" * 10)
    loses(raw, board, 40)
    assert raw.eval("(u.any(), u.read() == b'x' * 256, u.any(), u.read())") == (256, True, 0, None)
    module.send(b"again")
    raw.run("while u.any() < 5: time.sleep_ms(1)")
    assert raw.eval("u.read()") == b"again"


@pytest.mark.parametrize("rxbuf", [1024, 4096])
def test_overflow_at_any_size_keeps_what_came_first(raw, module, board, rxbuf):
    raw.run(OPEN % f", rxbuf={rxbuf}" + "import time, hashlib")
    data = random.Random(rxbuf).randbytes(rxbuf + 5000)
    module.send(data)
    loses(raw, board, 5000)
    raw.run(
        "h = hashlib.sha256(); n = 0\nwhile True:\n    d = u.read(700)\n"
        "    if not d: break\n    h.update(d); n += len(d)"
    )
    n, digest = raw.eval("(n, h.digest())")
    assert (n, digest) == (rxbuf, hashlib.sha256(data[:rxbuf]).digest())
    assert board.uart_lost == 5000


STREAM = """
import asyncio, hashlib, time
async def main(total):
    stream = asyncio.StreamReader(u)
    h = hashlib.sha256(); n = 0
    view = memoryview(bytearray(256))
    while n < total:
        k = await stream.readinto(view)
        h.update(view[:k]); n += k
    return h.digest()
print('go')
print(asyncio.run(main(%d)))
"""


def test_asyncio_stream_loses_nothing_at_line_speed(raw, module, board):
    raw.run(OPEN % ", rxbuf=4096")
    data = random.Random(1).randbytes(11_520)
    raw.start(STREAM % len(data))
    raw.expect(b"go\r\n")
    start = time.monotonic()
    for i in range(0, len(data), 96):
        module.send(data[i : i + 96])
        delay = start + i / 11_520 - time.monotonic()
        if delay > 0:
            time.sleep(delay)
    assert eval(raw.finish()) == hashlib.sha256(data).digest()
    assert board.uart_lost == 0


def test_a_stream_wakes_for_what_was_kept_at_an_overflow(raw, module):
    raw.run(OPEN % ", rxbuf=256")
    module.send(b"y" * 600)
    raw.start(STREAM % 256)
    assert eval(raw.finish().split("\n")[1]) == hashlib.sha256(b"y" * 256).digest()


def test_speed_is_set_on_the_line(raw, module):
    raw.run("import machine\nu = machine.UART(1, 9600)")
    assert termios.tcgetattr(module.slave)[4:6] == [termios.B9600, termios.B9600]
    raw.run("u.init(baudrate=115200)")
    assert termios.tcgetattr(module.slave)[4:6] == [termios.B115200, termios.B115200]


def test_what_came_before_the_uart_was_opened_is_gone(raw, module):
    module.send(b"before")
    raw.run(OPEN % "" + "import time; time.sleep_ms(20)")
    assert raw.eval("u.read()") is None


def test_module_goes_and_comes_back(raw, module, board):
    raw.run(OPEN % ", rxbuf=4096" + "import asyncio\nprint(u.write(b'1'))")
    assert module.receive(1) == b"1"
    mark = board.events.mark()
    raw.start(
        "async def main():\n    s = asyncio.StreamReader(u)\n    while True:\n"
        "        d = await s.read(9)\n"
        "        print('got', d)\n        if d == b'end': return\nprint('go')\nasyncio.run(main())"
    )
    raw.expect(b"go\r\n")
    module.unplug()
    board.events.wait("uart", 60, mark, lambda e: not e["attached"])
    mark = board.events.mark()  # that it was attached at first may have been told only now
    module.plug()
    board.events.wait("uart", 60, mark, lambda e: e["attached"])
    module.send(b"end")
    raw.expect(b"got b'end'\r\n")
    raw.finish()
    assert raw.eval("u.write(b'2')") == 1
    assert module.receive(1) == b"2"


def test_without_a_module_nothing_comes_and_writing_works(raw, module, board):
    module.unplug()
    raw.run(OPEN % "")
    assert raw.eval("(u.write(b'hello'), u.read(), u.any())") == (5, None, 0)
    raw.run(
        "import asyncio\nasync def f():\n    w = asyncio.StreamWriter(u, {})\n"
        "    w.write(b'x' * 500)\n"
        "    await w.drain()\nasyncio.run(f())"
    )
    mark = board.events.mark()
    module.plug()
    board.events.wait("uart", 60, mark, lambda e: e["attached"])
    module.send(b"here")
    raw.run("import time\nwhile u.any() < 4: time.sleep_ms(1)")
    assert raw.eval("u.read()") == b"here"


def test_cable_pulled_and_put_back(raw, module, board):
    raw.run(OPEN % "")
    mark = board.events.mark()
    board.uart_cable(False)
    board.events.wait("uart", 60, mark, lambda e: not e["attached"])
    module.send(b"unheard")
    assert raw.eval("(u.write(b'unsent'), u.read())") == (6, None)
    mark = board.events.mark()
    board.uart_cable(True)
    board.events.wait("uart", 60, mark, lambda e: e["attached"])
    module.send(b"heard")
    raw.run("import time\nwhile u.any() < 5: time.sleep_ms(1)")
    assert raw.eval("u.read()") == b"heard"
    assert module.receive(1, 0.1) == b""


def test_poll_waits_in_the_kernel(raw, module):
    raw.run(OPEN % "" + "import select, time\np = select.poll(); p.register(u, select.POLLIN)")
    assert raw.eval("p.poll(20)") == []
    raw.start("print('go'); r = p.poll(5000); print(r[0][0] is u, r[0][1])")
    raw.expect(b"go\r\n")
    module.send(b"!")
    assert raw.finish() == "True 1\n"


def test_numbers_and_sizes(raw):
    for bad in ("UART(0)", "UART(3)", "UART(1, bits=9)", "UART(1, rxbuf=70000)"):
        with pytest.raises(AssertionError, match="ValueError"):
            raw.run(f"from machine import UART; {bad}")
    assert "rxbuf=4096" in raw.run("print(UART(1, 115200, rxbuf=4096))")


def test_deinit_closes(raw, module):
    raw.run(OPEN % "" + "u.deinit()")
    with pytest.raises(AssertionError, match="OSError"):
        raw.run("u.write(b'x')")
    raw.run(OPEN % "" + "u.write(b'y')")
    assert module.receive(1) == b"y"
