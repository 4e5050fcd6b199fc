"""`meterlab board` as a program: its lines, its orders, this terminal as the serial line."""

from __future__ import annotations

import json
import os
import pty
import queue
import re
import select
import signal
import subprocess
import sys
import threading
import time

import pytest

from meterlab.board import VirtualBoard
from meterlab.board.orders import OrderError, obey

COMMAND = [sys.executable, "-m", "meterlab", "board"]
SECONDS = 100

BLINK = """
from machine import Pin, Timer
p = Pin(2, Pin.OUT, value=1)
times = (60, 60, 60, 420)
at = 0
def step(t):
    global at
    p.value(at % 2)
    t.init(mode=Timer.ONE_SHOT, period=times[at - 1], callback=step)
    at = (at + 1) % 4
step(Timer(0))
"""


class Program:
    """The command at work; `lines` is what it said so far."""

    def __init__(self, *arguments, env=None):
        self.process: subprocess.Popen[str] = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(env or {})},
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self._in, self._out = self.process.stdin, self.process.stdout
        self.lines = []
        self._queue = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self._out:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def wait(self, pattern):
        end = time.monotonic() + SECONDS
        while (left := end - time.monotonic()) > 0:
            try:
                line = self._queue.get(timeout=left)
            except queue.Empty:
                break
            assert line is not None, f"it ended: {self.lines}"
            self.lines.append(line)
            if re.search(pattern, line):
                return line
        raise AssertionError(f"no {pattern!r} in {self.lines}")

    def order(self, line):
        self._in.write(line + "\n")
        self._in.flush()

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        self._thread.join()
        self._in.close()
        self._out.close()
        return code


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "main.py").write_text("print('main runs')\n" + BLINK)
    return folder


@pytest.fixture
def program(tmp_path, folder, runtime):
    programs = []

    def start(*arguments, env=None):
        base = ["--flash", folder, "--flash-size", "128K", "--runtime", runtime.name]
        programs.append(Program(*base, *arguments, env=env))
        return programs[-1]

    yield start
    for one in programs:
        one.end(signal.SIGKILL)


def test_ready_line_led_line_and_a_clean_end(program, tmp_path, runtime):
    link = tmp_path / "serial"
    board = program("--link", link)
    ready = board.wait("ready")
    assert str(link) in ready and str(runtime) in ready
    assert "102400 bytes of heap for the firmware" in ready
    assert re.search(r"stand-ins and REPL take \d{5,} more", ready)
    assert link.is_symlink()
    board.wait("^LED: blue, double blink$")
    assert board.end(signal.SIGINT) == 0
    assert not link.is_symlink()


def test_events_as_json_and_orders(program, tmp_path):
    log = tmp_path / "log"
    board = program("--link", tmp_path / "s", "--json", "--control", "--events", log)
    ready = json.loads(board.wait('"ready"'))
    assert ready["heap"] > 102_000 and ready["standins"] > 20_000
    led = json.loads(board.wait('"double blink"'))
    assert (led["event"], led["text"], len(led["times"])) == ("led", "blue, double blink", 4)
    board.order("power cycle")
    board.wait('"event": "off"')
    assert json.loads(board.wait('"boot"'))["cause"] == "power-on"
    board.order("fly")
    assert "there are: wifi, rssi" in board.wait("error: no order 'fly'")
    board.order("wifi dead")
    board.wait("ok: wifi dead")
    assert board.end() == 0
    kinds = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert "ready" in kinds and "led" in kinds


def test_orders_from_environment_and_file(program, tmp_path, connect):
    fifo = tmp_path / "orders"
    env = {"METERLAB_BOARD": "wifi no-ap; rssi -80"}
    board = program("--link", tmp_path / "s", "--control-file", fifo, env=env)
    board.wait("ready")

    class Serial:
        serial = tmp_path / "s"

    raw = connect(Serial)
    raw.raw()
    raw.run(
        "import network, time\nw = network.WLAN(0); w.active(True); w.config(reconnects=0)\n"
        "w.connect('x', 'y')\nwhile w.status() > 1000: time.sleep_ms(10)"
    )
    assert raw.eval("w.status()") == 201
    fifo.write_text("wifi ok\nnonsense\n")
    board.wait("ok: wifi ok")
    board.wait("error: no order 'nonsense'")
    raw.run("w.connect('x', 'y')\nwhile not w.isconnected(): time.sleep_ms(10)")
    assert raw.eval("w.status('rssi')") == -80
    assert board.end() == 0
    assert not fifo.exists()


def test_this_terminal_is_the_serial_line(folder, runtime):
    master, slave = pty.openpty()
    command = [*COMMAND, "--flash", str(folder), "--flash-size", "128K", "--runtime", runtime.name]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    seen = b""

    def expect(what):
        nonlocal seen
        end = time.monotonic() + SECONDS
        while what not in seen:
            assert time.monotonic() < end, seen
            if select.select([master], [], [], 0.1)[0]:
                seen += os.read(master, 4096)
        seen = seen.split(what, 1)[1]

    try:
        expect(b"stand-ins and REPL take")
        expect(b"Ctrl-] ends it")
        expect(b"main runs\r\n")
        expect(b">>> ")
        os.write(master, b"6 * 7\r")
        expect(b"42\r\n>>> ")
        expect(b"\x1b]2;LED: blue, double blink\x07")
        os.write(master, b"for n in range(1 << 30): n or print('begun')\r\r")
        expect(b"... \r\n")
        expect(b"begun\r\n")
        os.write(master, b"\x03")
        expect(b"KeyboardInterrupt")
        os.write(master, b"\x1d")
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--heap", "lots"), "is not a size"),
        (("--runtime", "nothing"), "no MicroPython runtime nothing"),
        (("--hardware", "toaster"), "there is: generic"),
        (("--wifi", "nokey"), "is not SSID:KEY"),
        (("--forward", "x"), "is not NAME:PORT=ADDRESS:PORT"),
        (("--set", "wifi maybe"), "wifi takes one of"),
    ],
)
def test_mistakes_are_named(tmp_path, folder, arguments, complaint):
    command = [*COMMAND, "--flash", str(folder), "--link", str(tmp_path / "s"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 1
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "s").is_symlink()


def test_a_file_in_the_way_of_the_link(tmp_path, folder):
    (tmp_path / "s").write_text("precious")
    command = [*COMMAND, "--flash", str(folder), "--link", str(tmp_path / "s")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 1 and "exists and is not a link" in done.stderr
    assert (tmp_path / "s").read_text() == "precious"


def test_orders(make_board, connect):
    board: VirtualBoard = make_board(hardware="atoms3lite-a1")
    raw = connect(board)
    raw.raw()
    raw.run("from machine import Pin\nb = Pin(41, Pin.IN, Pin.PULL_UP); q = Pin(7, Pin.IN)")
    obey(board, "button down")
    obey(board, "pin 7 1")
    assert raw.eval("(b(), q())") == (0, 1)
    obey(board, "button up")
    obey(board, "pin 7 free")
    assert raw.eval("(b(), q())") == (1, 0)
    for order in ("rssi -70", "wifi drop", "lan unplug", "lan plug", "uart unplug", "uart plug"):
        obey(board, order)
    mark = board.events.mark()
    obey(board, "power cut-at 1 3")
    raw.start("f = open('x', 'w'); f.write('y'); f.close()")
    board.events.wait("off", 60, mark)
    obey(board, "power on")
    assert board.powered
    obey(board, "power off")
    assert not board.powered
    for bad in ("", "wifi", "button hold", "pin 7 2", "pin x 1", "power maybe", "rssi loud"):
        with pytest.raises(OrderError):
            obey(board, bad)
