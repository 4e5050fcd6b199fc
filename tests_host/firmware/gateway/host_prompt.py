"""The Python prompt of a real MicroPython on a terminal: secrets, mistakes, Ctrl-C, the console.

The terminal is set as a board's serial line is: nothing is echoed or edited for anybody, Ctrl-C
interrupts what runs.
"""

from __future__ import annotations

import os
import pty
import select
import subprocess
import termios
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterlab.runtimes import Runtime, find_runtimes

ROOT = Path(__file__).resolve().parents[3]
LIB = ROOT / ".cache" / "upy" / "lib"
SECONDS = 60

SECRET = "correct horse battery"
OTHER = "staple and so on"

# A board as far as the prompt's functions need one.
BOARD = """
class Nvs:
    blobs = {}
    def get(self, name):
        return self.blobs.get(name)
    def set(self, name, blob):
        self.blobs[name] = bytes(blob)
    def commit(self):
        pass
class Board:
    name = "fake"
    nvs = Nvs()
    def led(self, pattern):
        pass
    def reset_cause(self):
        return "power-on"
import gateway
gateway.use(Board())
def key():
    from gateway.settings import Settings
    return Settings(gateway.nvs())["wifi.key"]
"""

# An app as far as the console needs one.
CONSOLE = """
import asyncio
from gateway.clock import Clock
from gateway.console import Console
from gateway.log import Log
from gateway.status import Status
class App:
    def __init__(self):
        self.clock = Clock()
        self.log = Log(self.clock)
        self.status = Status(Board(), self.clock, self.log)
        self.ended = asyncio.Event()
        self.stop = self.ended.set
    async def check(self, what):
        return {"check": what, "ok": True}
async def go(app):
    app.console = Console(app)
    console = asyncio.create_task(app.console.run(lambda ms: None))
    await app.ended.wait()
    console.cancel()
def console():
    try:
        asyncio.run(go(App()))
    except KeyboardInterrupt:
        pass
    asyncio.new_event_loop()
    print("console ended")
"""


class Terminal:
    """A MicroPython on the other end of a serial line."""

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        (folder / "standin.py").write_text(BOARD + CONSOLE)
        self.fd, slave = pty.openpty()
        tty.setraw(slave)
        attributes = termios.tcgetattr(slave)
        attributes[3] |= termios.ISIG
        attributes[6][termios.VQUIT] = attributes[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        self.process = subprocess.Popen(
            [*runtime.argv, "-X", "heapsize=256k" if runtime.bits == 32 else "heapsize=512k"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env={**os.environ, "MICROPYPATH": f".frozen:{LIB}:{folder}", "TERM": "dumb"},
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)
        self.seen = ""
        self.until(">>> ")
        said = self.say("from standin import *")
        assert not said, said

    def until(self, words: str) -> str:
        """What comes up to and with `words`; a failure when they do not come."""
        end = time.monotonic() + SECONDS
        while words not in self.seen:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise AssertionError(f"no {words!r} in {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 4096).decode(errors="replace")
            except OSError as error:
                raise AssertionError(f"MicroPython is gone: {self.seen!r}") from error
        at = self.seen.index(words) + len(words)
        out, self.seen = self.seen[:at], self.seen[at:]
        return out

    def send(self, data: bytes) -> None:
        os.write(self.fd, data)

    def say(self, line: str) -> str:
        """One command; what it printed."""
        self.send(line.encode() + b"\r")
        self.until(line)
        return self.until(">>> ")[: -len(">>> ")].strip()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(timeout=SECONDS)
        os.close(self.fd)


def _take_terminal() -> None:
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture(params=find_runtimes(), ids=str)
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(request.param, tmp_path)
    yield one
    one.close()


def ask(terminal: Terminal) -> None:
    terminal.send(b'gateway.set("wifi.key")\r')
    terminal.until("nothing is shown while you type): ")


def test_a_secret_is_asked_for_without_echo(terminal: Terminal) -> None:
    ask(terminal)
    terminal.send(SECRET.encode() + b"x\x7f\r")
    out = terminal.until(">>> ")
    assert "wifi.key = set" in out
    for part in (SECRET, SECRET[:3], "\b", "*"):
        assert part not in out
    assert terminal.say("key()") == repr(SECRET)


def test_typing_slowly_shows_nothing_either(terminal: Terminal) -> None:
    ask(terminal)
    for c in SECRET:
        terminal.send(c.encode())
        assert not select.select([terminal.fd], [], [], 0.002)[0]
    terminal.send(b"\r")
    terminal.until("wifi.key = set")


def test_ctrl_c_cancels(terminal: Terminal) -> None:
    terminal.say(f'x = gateway.set("wifi.key", "{OTHER}")')
    ask(terminal)
    terminal.send(SECRET.encode() + b"\x03")
    out = terminal.until(">>> ")
    assert "cancelled, nothing is changed" in out and "Traceback" not in out
    assert terminal.say("key()") == repr(OTHER)
    assert terminal.say("1 + 1") == "2"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (b"\r", "nothing typed"),
        (b"\x04", "cancelled"),
        (b"a" * 300 + b"\r", "too long"),
        ("パスワード\r".encode(), "not plain ASCII"),
        ("pass\u00e9word\r".encode(), "not plain ASCII"),
        (b"1234567\r", "8 to 63"),
    ],
)
def test_what_cannot_be_a_secret_changes_nothing(
    terminal: Terminal, typed: bytes, words: str
) -> None:
    ask(terminal)
    terminal.send(typed)
    out = terminal.until(">>> ")
    assert words in out and "Traceback" not in out
    assert terminal.say("key()") == ""


def test_arrow_keys_are_no_part_of_a_secret(terminal: Terminal) -> None:
    ask(terminal)
    terminal.send(b"\x1b[A12345\x1b[D678\x1bOP\r")
    terminal.until("wifi.key = set")
    terminal.until(">>> ")
    assert terminal.say("key()") == "'12345678'"


def test_nobody_there_to_type_ends_the_question(terminal: Terminal) -> None:
    terminal.say("from gateway import secret")
    assert "Cancelled: no key for 0 s" in terminal.say("secret.ask('? ', 200)")


# -- a secret as part of a command


def test_a_secret_in_a_command_is_refused(terminal: Terminal) -> None:
    terminal.say(f'x = gateway.set("wifi.key", "{OTHER}")')
    out = terminal.say(f'gateway.set("wifi.key", "{SECRET}")')
    assert "not changed" in out and 'Type gateway.set("wifi.key")' in out
    assert "Traceback" not in out and SECRET not in out
    # The prompt keeps its last result; showing it again does no harm.
    assert "not changed" in terminal.say("_")
    assert terminal.say("key()") == repr(OTHER)


def test_a_secret_is_refused_in_a_loop_and_in_paste_mode(terminal: Terminal) -> None:
    terminal.send(f'for k in ("wifi.key",): gateway.set(k, "{SECRET}")\r\r'.encode())
    assert "not changed" in terminal.until("Type gateway.set")
    terminal.until(">>> ")
    assert terminal.say("key()") == ""
    terminal.send(b"\x05")
    terminal.until("=== ")
    terminal.send(f'gateway.set("wifi.key", "{SECRET}")\r\x04'.encode())
    assert "not changed" in terminal.until("Type gateway.set")
    terminal.until(">>> ")
    assert terminal.say("key()") == ""


# The raw REPL compiles what it gets as a file, and so does exec().
def test_a_program_may_give_a_secret(terminal: Terminal) -> None:
    command = f'gateway.set("wifi.key", "{SECRET}")'
    assert terminal.say(f"exec({command!r})") == ""
    assert terminal.say("key()") == repr(SECRET)
    assert terminal.say(f"exec({f'print({command})'!r})") == "wifi.key: set"
    assert terminal.say("key()") == repr(SECRET)


def test_mistakes_are_answered_without_a_traceback(terminal: Terminal) -> None:
    for line, words in (
        ('gateway.set("wifi.keey", "x")', "did you mean wifi.key?"),
        ('gateway.set("poll.interval", "often")', "from 10 to 3600"),
        ("gateway.set()", "Type it like this"),
        ("gateway.show", "Type gateway.show()"),
        ('gateway.check("radar")', 'gateway.check("radio")'),
        ('gateway.help("wifi")', "did you mean wifi."),
    ):
        out = terminal.say(line)
        assert words in out and "Traceback" not in out, out
    assert "did you mean gateway.status()?" in terminal.say("gateway.statsu()")


# -- the console on a real line


def test_console_echoes_answers_and_stops(terminal: Terminal) -> None:
    terminal.send(b"console()\r")
    terminal.until("Ctrl-C stops")
    terminal.send(b"helpp\x7f\r")
    assert "helpp\b \b" in terminal.until("check network|server|radio")
    terminal.send(b"check radio\r")
    assert '"ok": true' in terminal.until("}")
    terminal.send(b"stop\r")
    terminal.until("console ended")
    terminal.until(">>> ")
    assert terminal.say("1 + 1") == "2"


def test_console_is_left_by_ctrl_c_also_in_mid_word(terminal: Terminal) -> None:
    terminal.send(b"console()\r")
    terminal.until("sent 0")
    terminal.send(b"json o")
    terminal.until("json o")
    terminal.send(b"\x03")
    terminal.until("console ended")
    terminal.until(">>> ")
    assert terminal.say("1 + 1") == "2"


def test_console_sleeps_until_a_key_comes(terminal: Terminal) -> None:
    terminal.send(b"console()\r")
    terminal.until("sent 0")
    # As soon as its start is over there is half a second in which it does nothing.
    end = time.monotonic() + SECONDS
    while True:
        ticks = _cpu_ticks(terminal.process.pid)
        switches = _switches(terminal.process.pid)
        time.sleep(0.5)
        ticks = _cpu_ticks(terminal.process.pid) - ticks
        switches = _switches(terminal.process.pid) - switches
        if ticks <= 1 and switches <= 2:
            break
        assert time.monotonic() < end, (ticks, switches)
    terminal.send(b"\x03")
    terminal.until("console ended")


def test_console_takes_a_flood_of_noise(terminal: Terminal) -> None:
    terminal.send(b"console()\r")
    terminal.until("sent 0")
    noise = bytes(c for c in range(256) if c not in (3, 10, 13)) * 20
    for at in range(0, len(noise), 256):
        terminal.send(noise[at : at + 256])
    terminal.send(b"\x15stop\r")
    terminal.until("console ended")


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _switches(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches"):
            return int(line.split()[1])
    raise AssertionError("no count of context switches")
