# A console with a person or a program at its other end.
import asyncio

from fakeclock import FakeClock
from gateway.console import Console
from gateway.log import Log
from gateway.reading import Reading
from gateway.status import Status
from helpers import run

UTC = 1763609696  # 2025-11-20 12:34:56 JST
TURNS = 40


class Board:
    name = "fake"

    def led(self, pattern):
        pass

    def reset_cause(self):
        return "power-on"


class Keys:
    """A serial line on which somebody types."""

    def __init__(self):
        self.data = b""
        self.some = asyncio.Event()
        self.reads = 0
        self.closed = False

    async def readinto(self, buf):
        self.reads += 1
        while not self.data:
            self.some.clear()
            await self.some.wait()
        if self.data is EOF:
            return 0
        if self.closed:
            await asyncio.Event().wait()
        buf[0] = self.data[0]
        self.data = self.data[1:]
        return 1


EOF = b"EOF"


class HeldClock(FakeClock):
    """While `held`, time does not pass for who waits with a limit."""

    held = False

    async def wait_for(self, awaitable, ms):
        if self.held:
            return await awaitable
        return await super().wait_for(awaitable, ms)


class App:
    """What the console knows of the gateway."""

    def __init__(self):
        self.clock = HeldClock(UTC)
        self.log = Log(self.clock)
        self.status = Status(Board(), self.clock, self.log)
        self.stops = 0
        self.checks = []
        self.gate = asyncio.Event()  # while not set, it holds checks back
        self.gate.set()

    def stop(self):
        self.stops += 1

    async def check(self, what):
        self.checks.append(what)
        await self.gate.wait()
        if what == "server":
            raise OSError(113)
        return {"check": what, "ok": True}


class Rig:
    def __init__(self, prepare=None):
        self.app = App()
        self.status = self.app.status
        self.keys = Keys()
        self.out = ""
        self.beats = []
        self.status.set_phase("running")
        if prepare:
            prepare(self.app)
        self.console = Console(self.app, self.keys, self._write)

    def _write(self, text):
        self.out += text

    async def start(self):
        self.task = asyncio.create_task(self.console.run(self.beats.append))
        await self.turns()

    async def turns(self):
        for _ in range(TURNS):
            await asyncio.sleep(0)

    # Types and returns what came.
    async def type(self, data):
        self.out = ""
        self.keys.data += data
        self.keys.some.set()
        for _ in range(len(data) + 1):
            await self.turns()
        return self.out

    async def end(self):
        self.task.cancel()
        try:
            await self.task
        except asyncio.CancelledError:
            pass


# Runs `scenario(rig)` with a console that is up.
def with_console(scenario, prepare=None, trial=False):
    async def go():
        rig = Rig(prepare)
        rig.console.trial = trial
        await rig.start()
        try:
            await scenario(rig)
        finally:
            await rig.end()

    run(go())


def reading(power=1234, normal=None):
    return Reading("instant", UTC, "ntp", power, 50, None, normal, None, "get")
