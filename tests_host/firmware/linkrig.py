# A session that joins by way of a radio which answers as it is told.
import asyncio

from fakeclock import FakeClock, Lines, Recorder
from gateway.session import Session
from helpers import run
from wisun import Info, Pan

MAC = b"\x00\x1c\x64\x00\x03\xdd\x63\x93"
NEAR = Pan(0x3B, 0x8CF5, MAC, -55, "00ABCDEF")
FAR = Pan(0x3B, 0x8CF5, MAC, -92, "00ABCDEF")
SETTINGS = {
    "broute.id": "0123456789ABCDEF0123456789ABCDEF",
    "broute.password": "AB12CD34EF56",
    "radio.module": "auto",
}


class Store:
    def __init__(self, pan=None):
        self.kept = pan

    def pan(self):
        return self.kept

    def set_pan(self, pan):
        self.kept = pan


class Board:
    def __init__(self, pin=False):
        self.pin = pin
        self.calls = []

    async def radio_reset(self, power=False):
        self.calls.append("power" if power else "pin")
        return self.pin and not power

    def restart(self, why):
        self.calls.append("board")


class Radio:
    """Answers probe, find, scan, look and join from scripts; the last entry repeats.

    A look is a scan of the meter's channel; without a script of its own it hears NEAR.
    """

    def __init__(self, joins, finds=(), scans=([],), probes=None, looks=([NEAR],)):
        self.script = {"join": list(joins), "find": list(finds), "scan": list(scans)}
        self.script["look"] = list(looks)
        self.script["probe"] = list(probes or [Info("SKSTACK", "1H", "1.2.10", "rev26e", True)])
        self.calls = []
        self.gate = None
        self.info = Info("skstack", "dual", "1.5.2", None, True)

    async def reset(self):
        self.calls.append(("reset",))

    async def _next(self, what, *args):
        self.calls.append((what,) + args)
        script = self.script[what]
        result = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(result, Exception):
            raise result
        return result

    async def probe(self, kind):
        return await self._next("probe")

    async def configure(self, rbid, password):
        self.calls.append(("configure",))

    async def find(self, durations=()):
        return await self._next("find")

    async def scan(self, duration=6, mask=0, paired=True):
        if paired:
            assert duration == 6 and mask in (1 << 26, 1 << 0)
            return await self._next("look")
        return await self._next("scan")

    async def join(self, pan, timeout_ms):
        return await self._next("join", pan.rssi)

    def named(self, what):
        return len([c for c in self.calls if c[0] == what])


class App:
    pass


class Stop(Exception):
    pass


def connect(
    radio,
    kept=None,
    pauses=100,
    pin=False,
    outbox=(),
    silence=None,
    cause=0,
    ready=False,
    counters=(),
    status=None,
):
    clock = FakeClock()
    status = status or Recorder()
    status.counters.update(counters)
    log = Lines()
    board = Board(pin)
    app = App()
    app.driver, app.board, app.settings, app.store = radio, board, SETTINGS, Store(kept)
    app.clock, app.log, app.status = clock, log, status
    app.air = asyncio.Lock()
    app.outbox = outbox
    session = Session(app)
    session.cause, session.ready = cause, ready
    if silence:
        session.silence, session.cause = silence, None
    left = [pauses]
    sleep = clock.sleep_ms

    async def counted(ms):
        if not left[0]:
            raise Stop
        left[0] -= 1
        await sleep(ms)

    clock.sleep_ms = counted

    async def go():
        try:
            await session._join(lambda ms: None)
            return True
        except Stop:
            return False

    joined = run(go())
    return joined, app, status, clock, log
