"""The gateway at work on a virtual board, with everything around it, watched by `probe.py`."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType

from bench import radio
from bench.tls import TlsServer
from meterlab.board import AccessPoint, VirtualBoard
from meterlab.datagrams import TimeServer
from meterlab.demo.owner import configure
from meterlab.demo.parts import Part, Server
from meterlab.runtimes import Runtime
from setup import build
from setup.arguments import used

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

ROOMY = 400 * 1024  # bytes of heap in which anything fits
_SPARE = 64  # bytes by which a heap may turn out larger than was measured
STALL_SECONDS = 30  # without a line from the board: it is stuck
_WIFI = "bench"
_HOST = "server.home"
_TIME = "time.home"
_PORT = 8000
_CA = "ca.der"
_PASSWORD = "BENCHMARK012"

_THRESHOLD = re.compile(r"^gc\.threshold\(\w+\)", re.MULTILINE)
_LARGEST = re.compile(r"max free sz: (\d+)")
# In a line of the gateway's log at the console, or of Python's traceback.
_MEMORY = re.compile(r"MemoryError|memory allocation failed")
_ERROR = re.compile(r"\b\w*(Error|Exception)\b")
_STAMP = re.compile(r"^\S+( \S+)? E ")  # before an error in the log: how long it runs, or the time


@dataclass(frozen=True, slots=True)
class Sample:
    """After so many polls: bytes free after a collection, the largest block of them, and the
    least that was free at any moment since the last sample, garbage included."""

    polls: int
    free: int
    largest: int
    least: int


@dataclass
class Run:
    """What the probe told. `trouble`: why it did not come to its end, or None."""

    free: int = 0  # what the gateway finds free, before anything is imported
    loaded: int = 0  # free when everything is imported and built
    samples: list[Sample] = field(default_factory=list[Sample])
    counters: dict[str, int] = field(default_factory=dict[str, int])
    counts: list[radio.Count] = field(default_factory=list[radio.Count])
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """The arguments of `probe.run`."""

    polls: int
    step: int
    poll_ms: int
    energy: int = 10
    upload_s: int = 10
    uploaded: int = 1
    slots: int = 0

    def code(self) -> str:
        values = (self.polls, self.step, self.poll_ms, self.energy)
        values += (self.upload_s, self.uploaded, self.slots)
        return f"probe.run{values}"


def threshold(main: str) -> str:
    """The call of gc.threshold in the text of main.py."""
    found = _THRESHOLD.search(main)
    if found is None:
        raise ValueError("main.py does not set gc.threshold before it loads anything")
    return found[0]


def read(lines: Iterable[str], block: int) -> Run:
    """What the lines of a probe say. `block`: bytes of one block of the heap.

    Stops at the probe's end, or when the memory did not suffice.
    """
    run = Run()
    error = "no sign of life"
    pending: tuple[int, int, int] | None = None
    for line in lines:
        words = line.split()
        if words[:1] == ["="] and len(words) > 1:
            word, rest = words[1], words[2:]
            if word == "heap":
                pending = int(rest[0]), int(rest[1]), int(rest[2])
            elif word == "count":
                run.counters[rest[0]] = int(rest[1])
            elif word == "free":
                run.free = int(rest[0])
            elif word == "loaded":
                run.loaded = int(rest[0])
            elif word == "end":
                return run
        elif pending and (found := _LARGEST.search(line)):
            polls, least, free = pending
            run.samples.append(Sample(polls, free, int(found[1]) * block, min(least, free)))
            pending = None
        elif _ERROR.search(line):
            error = _STAMP.sub("", line.strip())
            if _MEMORY.search(line):
                break
    done = run.samples[-1].polls if run.samples else 0
    run.trouble = f"stopped after {done} polls: {error}"
    return run


class _Mpremote:
    """`mpremote exec` on the board; its output line by line."""

    def __init__(self, port: Path, code: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mpremote", "connect", str(port), "exec", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._said: SimpleQueue[str | None] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, name="mpremote", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.put(line)
        self._said.put(None)

    def lines(self, seconds: float) -> Iterable[str]:
        """Until it ends, says nothing for long, or `seconds` are over."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                line = self._said.get(timeout=min(left, STALL_SECONDS))
            except Empty:
                return
            if line is None:
                return
            yield line

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()


class House:
    """`with House() as house:` a meter, a radio module, a server and a time server; then boards.

    `paced`: the module's wire takes the time that 115,200 baud take. `lifetime`: of a session,
    in seconds, of which the module makes a tenth. `kind`: of module. `tls`: uploads over https.
    `ahead`: seconds by which the clocks of meter and time server are ahead of this PC's.
    """

    def __init__(
        self,
        *,
        paced: bool,
        lifetime: int = 86_400,
        kind: str = "bp35a1",
        tls: bool = False,
        ahead: int = 0,
    ) -> None:
        self._ahead = ahead
        self._kind = kind
        self._tls: TlsServer | None = None
        self._wants_tls = tls
        self._paced = paced
        self._lifetime = lifetime
        self._stack = ExitStack()
        self._images: dict[Runtime, tuple[Path, int]] = {}

    def __enter__(self) -> House:
        with self._stack as stack:
            self._folder = folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self._files(folder / "board")
            # As main.py says before it loads anything.
            self._threshold = threshold((ROOT / "firmware" / "main.py").read_text("utf-8"))
            self._server = Server(folder)
            stack.callback(self._server.stop)
            self._rbid = secrets.token_hex(16).upper()
            self._clock = stack.enter_context(TimeServer(self._ahead))
            self._server.ready()
            if self._wants_tls:
                self._tls = stack.enter_context(TlsServer(_HOST, self._server.port))
                (folder / "board" / _CA).write_bytes(self._tls.ca)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def handshakes(self) -> int:
        """Connections over TLS so far."""
        return self._tls.handshakes if self._tls else 0

    @staticmethod
    def _files(target: Path) -> None:
        """What lies on the board: the firmware as it is now, and the probe instead of main.py."""
        probe = (HERE / "probe.py").read_text("utf-8")
        build.build(ROOT / "firmware", target, frozenset(used(probe)))
        (target / "main.py").unlink()
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "probe.py").write_bytes((HERE / "probe.py").read_bytes())
            build.compile_tree(Path(folder), target / "probe")
        (target / "probe" / "probe.mpy").rename(target / "probe.mpy")
        (target / "probe").rmdir()

    def _radio(self) -> Part:
        words = ["bench.radio", "--link", str(self._folder / "radio")]
        words += ["--lifetime", str(self._lifetime), "--kind", self._kind]
        words += ["--ahead", str(self._ahead)]
        words += [] if self._paced else ["--unpaced"]
        secret = {"METERLAB_ID": self._rbid, "METERLAB_PASSWORD": _PASSWORD}
        return Part("the radio module", words, {**secret, "PYTHONPATH": str(HERE.parent)})

    def _board(self, flash: Path, runtime: Runtime, heap: int, image: Path | None) -> VirtualBoard:
        return VirtualBoard(
            flash,
            link=self._folder / "serial",
            uart=self._folder / "radio",
            heap=heap,
            runtime=runtime,
            image=image,
            networks=[AccessPoint(_WIFI, _WIFI * 2, rssi=-52)],
            forwards={
                (_HOST, _PORT): ("127.0.0.1", self._server.port),
                (_HOST, 443): ("127.0.0.1", self._tls.port if self._tls else 9),
                (_TIME, 123): ("127.0.0.1", self._clock.port),
            },
        )

    def _prepare(self, runtime: Runtime) -> tuple[Path, int]:
        """A flash image with the settings on it; what the probe and the prompt cost a heap."""
        if runtime in self._images:
            return self._images[runtime]
        image = self._folder / f"flash-{runtime.bits}"
        with self._board(self._folder / "board", runtime, ROOMY, image) as board:
            serial = board.serial
            url = f"http://{_HOST}:{_PORT}"
            secure = {"server.url": f"https://{_HOST}", "server.ca": _CA} if self._tls else {}
            configure(
                serial,
                {
                    "broute.id": self._rbid,
                    "broute.password": _PASSWORD,
                    "wifi.ssid": _WIFI,
                    "wifi.key": _WIFI * 2,
                    "server.url": url,
                    "server.token": self._server.token,
                    "time.ntp": _TIME,
                    **secure,
                },
            )
            free = self._exec(serial, "probe.free()", runtime, STALL_SECONDS).free
            self._images[runtime] = image, board.heap_free - free
        return self._images[runtime]

    def _exec(self, serial: Path, code: str, runtime: Runtime, seconds: float) -> Run:
        mpremote = _Mpremote(serial, f"import gc\n{self._threshold}\nimport probe\n{code}")
        try:
            return read(mpremote.lines(seconds), runtime.bits // 2)
        finally:
            mpremote.close()

    def run(self, runtime: Runtime, heap: int, order: Order, seconds: float) -> Run:
        """The gateway in a heap of which it finds `heap` bytes free."""
        image, cost = self._prepare(runtime)
        module = self._radio()  # a new one, whose meter does not hold an earlier session
        try:
            module.ready()
            # What was measured may be a block off: never more than was asked for, then.
            with self._board(image, runtime, heap + cost - _SPARE, None) as board:
                run = self._exec(board.serial, order.code(), runtime, seconds)
                run.free = board.heap_free - cost
        finally:
            module.stop()
        said = module.last_words().splitlines()
        run.counts = [count for line in said if (count := radio.parse(line)) is not None]
        restarts = [name for name in run.counters if name.startswith("restart.")]
        if restarts and run.trouble is None:
            run.trouble = "died and started again: " + ", ".join(restarts)
        return run

    def drain(self, runtime: Runtime, heap: int, readings: int, seconds: float) -> Run:
        """The gateway without a meter, with `readings` that wait; see `probe.drain`."""
        image, cost = self._prepare(runtime)
        with self._board(image, runtime, heap + cost, None) as board:
            return self._exec(board.serial, f"probe.drain({readings})", runtime, seconds)
