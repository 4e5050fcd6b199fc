"""A whole house in virtual time, on CPython: the gateway's own code, a simulated module and meter,
and a server that says what it is told to. Nothing here sleeps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from json.encoder import encode_basestring_ascii
from types import SimpleNamespace
from typing import Any

from campaign import firmware
from campaign.flash import Flash
from meterlab import vtime
from meterlab.control import Control
from meterlab.link import MemoryLink
from meterlab.scheduler import LoopScheduler
from meterlab.world import Plan, World

RBID = "00112233445566778899AABBCCDDEEFF"
PASSWORD = "0123456789AB"
TOKEN = "token-of-the-test-house"
WIFI_KEY = "wifi key of the test house"
SECRETS = (RBID, PASSWORD, WIFI_KEY, TOKEN)
START = 1_794_000_000  # 2026-11-07 05:20 UTC
INSTALLED = 20_600
# The gateway's modules that go to files.
ON_FLASH = tuple(
    "gateway." + name
    for name in (
        "backlog",
        "ledger",
        "opening",
        "rebuild",
        "segments",
        "settle",
        "shrink",
        "spill",
    )
)
SETTINGS = {
    "broute.id": RBID,
    "broute.password": PASSWORD,
    "wifi.ssid": "house",
    "wifi.key": WIFI_KEY,
    "server.url": "http://192.0.2.1:8080",
    "server.token": TOKEN,
    "time.ntp": "192.0.2.2",
}


def _run_out(task: asyncio.Task[Any], over: list[bool]) -> None:
    over.append(True)
    task.cancel()


def loop_clock(board: Any) -> Any:
    """The gateway's clock on the running loop's time."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, vtime.VirtualLoop):
        raise TypeError("this clock is for virtual time")

    class LoopClock(firmware.module("gateway.clock").Clock):
        def ms(self) -> int:
            return int(loop.now * 1000) + 1

        _ticks = ms

        def sleep_ms(self, n: int) -> Awaitable[None]:
            return asyncio.sleep(n / 1000)

        # A third of the cost of asyncio.wait_for, which makes a task of what is waited for.
        async def wait_for(self, awaitable: Awaitable[Any], ms: int) -> Any:
            task = asyncio.current_task(loop)
            if task is None:
                raise RuntimeError("to be awaited by a task")
            over: list[bool] = []
            timer = loop.call_later(ms / 1000, _run_out, task, over)
            try:
                return await awaitable
            except asyncio.CancelledError:
                if over and task.uncancel() == 0:
                    raise TimeoutError from None
                raise
            finally:
                timer.cancel()

    return LoopClock(board)


# A board's json is C throughout. CPython's makes three objects of its own for each number.
def _dumps(value: Any) -> str:
    if type(value) is str:
        return encode_basestring_ascii(value)
    if type(value) is int:
        return str(value)
    return "null" if value is None else json.dumps(value)


_QUICK_JSON = SimpleNamespace(dumps=_dumps)


def _with_quick_json(module: Any) -> None:
    module.json = _QUICK_JSON


class Nvs:
    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        return self.blobs.get(name)

    def set(self, name: str, blob: bytes) -> None:
        self.blobs[name] = bytes(blob)

    def erase(self, name: str) -> None:
        self.blobs.pop(name, None)

    def commit(self) -> None:
        pass


class Net:
    """A link that is up at once. `alive` False: no connection."""

    kind = "wifi"

    def __init__(self) -> None:
        self.alive = True
        self.reason = "no-wifi"
        self.turn = 0

    def up(self, hostname: str, country: str) -> None:
        pass

    def join(self, ssid: str, key: str) -> bool:
        return True

    def dhcp(self) -> None:
        pass

    def static(self, *address: str) -> None:
        pass

    def connected(self) -> bool:
        return self.alive

    def address(self) -> tuple[str, str, str, str]:
        return ("192.0.2.9", "255.255.255.0", "192.0.2.254", "192.0.2.254")

    def rssi(self) -> int | None:
        return -50

    def why(self) -> str:
        return self.reason

    def kick(self) -> None:
        pass

    def down(self) -> None:
        pass


class Board:
    name = "house"

    def __init__(self) -> None:
        self.root = "/"
        self.flash = Flash()
        self.nvs = Nvs()
        self.net = Net()
        self.uart: Any = None
        self.patterns: list[Any] = []
        self.watchdog: list[int] = []
        self.fed_at: list[float] = []
        self.pin_resets = 0
        self.on_pin: Callable[[], None] | None = None
        self.on_baud: Callable[[int], None] | None = None
        self.on_power: Callable[[], None] | None = None
        self.power_cycles = 0
        self.resets = 0
        self.cause = "power-on"

    def uart_baud(self, baud: int) -> None:
        self.baud = baud
        if self.on_baud:
            self.on_baud(baud)

    def led(self, pattern: Any) -> None:
        self.patterns.append(pattern)

    def wdt(self, ms: int) -> None:
        self.watchdog.append(ms)

    def doing(self, task: str) -> None:
        self.last_task = task

    def feed(self) -> None:
        self.fed_at.append(asyncio.get_running_loop().time())

    def unique_id(self) -> bytes:
        return b"\x24\x0a\xc4\x00\x00\x01"

    def good(self) -> None:
        self.good_at = asyncio.get_running_loop().time()

    def reset_cause(self) -> str:
        return self.cause

    def set_rtc(self, utc: int) -> None:
        pass

    def restart(self, why: str) -> None:
        self.resets += 1

    async def radio_reset(self, power: bool = False) -> bool:
        if power:
            self.power_cycles += 1
            if self.on_power:
                self.on_power()
            return self.on_power is not None
        self.pin_resets += 1
        if self.on_pin:
            self.on_pin()
        return self.on_pin is not None


class Server:
    """Stands behind `post`. `reply` may be set to anything that a server should not do."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.reply: Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]] | None = None
        self.raises: Exception | Callable[[], Exception] | None = None
        self.posts: list[dict[str, Any]] = []
        self.rows: dict[int, list[Any]] = {}  # by sequence number
        self.statuses: list[dict[str, Any]] = []

    async def post(
        self, url: str, headers: dict[str, str], body: Any, length: int, deadline_ms: int
    ) -> tuple[int, dict[str, str], bytes]:
        text = b"".join(body)
        assert len(text) == length
        assert headers["Authorization"] == "Bearer " + TOKEN
        await asyncio.sleep(0.05)
        if self.raises is not None:
            raise self.raises() if callable(self.raises) else self.raises
        message = json.loads(text)
        self.received(text, message)
        if self.reply is not None:
            return self.reply(message)
        return 200, {}, self.accept(message)

    def received(self, text: bytes, message: dict[str, Any]) -> None:
        self.posts.append(message)
        self.statuses.append(message["status"])

    def accept(self, message: dict[str, Any]) -> bytes:
        ack: list[list[int]] = []
        for row in message["readings"]:
            assert row[0] not in self.rows or self.rows[row[0]] == row
            self.rows[row[0]] = row
            ack.append([row[0], row[0]])
        reply = {"v": 1, "time": self.now(), "ack": ack, "rejected": [], "want": []}
        return json.dumps({**reply, "interval": None}).encode()

    def kind(self, name: str) -> list[list[Any]]:
        return [row for row in self.rows.values() if row[1] == name]


class Keys:
    """What a person types at the console."""

    def __init__(self) -> None:
        self.stream = asyncio.StreamReader()

    async def readinto(self, buf: bytearray) -> int:
        data = await self.stream.read(len(buf))
        buf[: len(data)] = data
        return len(data)


class House:
    """`run` plays a story while the gateway lives; afterwards everything has ended properly.

    `settings`: changes to SETTINGS, None takes one away. Other choices go to meterlab's Plan.
    `paced`: the module's line takes its time.
    """

    app: Any
    world: World
    wire: MemoryLink
    control: Control
    server: Server
    scheduler: LoopScheduler

    def __init__(
        self, settings: dict[str, Any] | None = None, *, paced: bool = False, **choices: Any
    ) -> None:
        self.choices = choices
        self.paced = paced
        self.board = Board()
        firmware.module("gateway.settings").Settings(self.board.nvs).load(
            {k: v for k, v in {**SETTINGS, **(settings or {})}.items() if v is not None}
        )
        self.written: list[str] = []
        self.ntp_alive = True
        self._main: asyncio.Task[Any] | None = None

    def overlays(self) -> dict[str, firmware.Overlay]:
        """What is laid on the firmware's modules: virtual time has no sockets to ask the time."""
        return {"gateway.ntp": self._no_sockets}

    def run(self, story: Callable[[Any], Awaitable[Any]], hours: float = 24) -> Any:
        here = {"gateway.pieces": _with_quick_json}
        here.update(dict.fromkeys(ON_FLASH, self.board.flash.laid_on))
        with firmware.quick({**here, **self.overlays()}):
            return vtime.run(self._play(story), limit_s=hours * 3600)

    async def _play(self, story: Callable[[Any], Awaitable[Any]]) -> Any:
        self.build()
        self.switch_on()
        try:
            return await story(self)
        finally:
            await self.switch_off()
            await self.app.leave()
            self.world.stop()

    def build(self) -> None:
        """The meter, the module and its line, the server."""
        loop = asyncio.get_running_loop()
        self.scheduler = scheduler = LoopScheduler(loop, utc_ms=START * 1000)
        plan: dict[str, Any] = {"rbid": RBID, "password": PASSWORD, "installed": INSTALLED}
        self.world = World(scheduler, Plan(**{**plan, **self.choices}))
        self.wire = MemoryLink(
            scheduler, self.world.module, paced=self.paced, seed=self.world.plan.seed
        )
        self.control = Control(self.world, self.wire.line)
        self.board.uart = self.wire.uart
        self.board.on_baud = self._speed
        self.server = Server(lambda: scheduler.utc_ms() // 1000)
        self.world.start()

    def switch_on(self) -> None:
        """The board starts."""
        self.keys = Keys()
        self.app = app = firmware.module("gateway.app").App(
            self.board,
            clock=loop_clock(self.board),
            post=self.server.post,
            reader=self.keys,
            write=self.write,
        )
        self._main = main = asyncio.create_task(app.serve())
        app.stop = main.cancel

    def write(self, text: str) -> None:
        """What the gateway says on its serial line."""
        self.written.append(text)

    async def switch_off(self) -> None:
        """The board's program ends where it is."""
        if self._main is not None:
            self._main.cancel()
            await asyncio.gather(self._main, return_exceptions=True)

    def _speed(self, baud: int) -> None:
        self.wire.line.baud = baud

    def _no_sockets(self, ntp: Any) -> None:
        async def query(host: str, clock: Any, *limits: int) -> tuple[int, int]:
            await asyncio.sleep(0.03)
            if not (self.ntp_alive and self.board.net.alive):
                raise ntp.NtpError(f"{host}: no answer in 3000 ms")
            ms = self.scheduler.utc_ms()
            return ms // 1000, clock.ms() - ms % 1000

        ntp.query = query

    # -- what a story needs

    @property
    def status(self) -> Any:
        return self.app.status

    @property
    def count(self) -> dict[str, int]:
        return self.app.status.counters

    def do(self, order: str) -> None:
        """Something happens to the simulated world; see meterlab.control."""
        self.control.apply(order)
