"""A whole house in virtual time, on CPython: the gateway's own code, a simulated module and meter,
and a server that says what it is told to. Nothing here sleeps."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Awaitable, Callable
from typing import Any

import gateway
from gateway import network, ring, summary
from gateway.app import App
from gateway.clock import Clock
from gateway.settings import Settings
from gateway.uplink import HttpError
from meterlab import vtime
from meterlab.control import Control
from meterlab.link import MemoryLink
from meterlab.scheduler import LoopScheduler
from meterlab.world import Plan, World

RBID = "00112233445566778899AABBCCDDEEFF"
PASSWORD = "0123456789AB"
TOKEN = "token-of-the-test-house"
WIFI_KEY = "wifi key of the test house"
START = 1_794_000_000  # 2026-11-07 05:20 UTC
INSTALLED = 20_600
SETTINGS = {
    "broute.id": RBID,
    "broute.password": PASSWORD,
    "wifi.ssid": "house",
    "wifi.key": WIFI_KEY,
    "server.url": "http://192.0.2.1:8080",
    "server.token": TOKEN,
    "time.ntp": "192.0.2.2",
}


class LoopClock(Clock):
    """The gateway's clock on the running loop's time."""

    def _ticks(self) -> int:
        try:
            return int(asyncio.get_running_loop().time() * 1000) + 1
        except RuntimeError:
            return 1  # made before the loop runs

    def _since(self, earlier: int, now: int) -> int:
        return now - earlier

    async def sleep_ms(self, n: int) -> None:
        await asyncio.sleep(n / 1000)

    async def wait_for(self, awaitable: Awaitable[Any], ms: int) -> Any:
        return await asyncio.wait_for(awaitable, ms / 1000)


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

    def up(self, hostname: str, country: str) -> None:
        pass

    def join(self, ssid: str, key: str) -> None:
        pass

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
    root = "/"

    def __init__(self) -> None:
        self.nvs = Nvs()
        self.net = Net()
        self.uart: Any = None
        self.patterns: list[Any] = []
        self.watchdog: list[int] = []
        self.fed_at: list[float] = []
        self.pin_resets = 0
        self.on_pin: Callable[[], None] | None = None

    def uart_baud(self, baud: int) -> None:
        self.baud = baud

    def led(self, pattern: Any) -> None:
        self.patterns.append(pattern)

    def wdt(self, ms: int) -> None:
        self.watchdog.append(ms)

    def feed(self) -> None:
        self.fed_at.append(asyncio.get_running_loop().time())

    def unique_id(self) -> bytes:
        return b"\x24\x0a\xc4\x00\x00\x01"

    def reset_cause(self) -> str:
        return "power-on"

    def set_rtc(self, utc: int) -> None:
        pass

    async def radio_reset(self) -> bool:
        self.pin_resets += 1
        if self.on_pin:
            self.on_pin()
        return self.on_pin is not None


class Server:
    """Stands behind `post`. `reply` may be set to anything that a server should not do."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.reply: Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]] | None = None
        self.raises: Exception | None = None
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
            raise self.raises
        message = json.loads(text)
        self.posts.append(message)
        self.statuses.append(message["status"])
        if self.reply is not None:
            return self.reply(message)
        return 200, {}, self.accept(message)

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


class House:
    """`run` plays a story while the gateway lives; afterwards everything has ended properly.

    `settings`: changes to SETTINGS, None takes one away. Other choices go to meterlab's Plan.
    """

    def __init__(self, settings: dict[str, Any] | None = None, **choices: Any) -> None:
        self.choices = choices
        self.board = Board()
        Settings(self.board.nvs).load(
            {k: v for k, v in {**SETTINGS, **(settings or {})}.items() if v is not None}
        )
        self.written: list[str] = []
        self.app: Any = None

    def run(self, story: Callable[[House], Awaitable[Any]], hours: float = 24) -> Any:
        gc.freeze()  # the gateway collects before each upload, and a test run's heap is large
        try:
            return vtime.run(self._main(story), limit_s=hours * 3600)
        finally:
            gc.unfreeze()

    async def _main(self, story: Callable[[House], Awaitable[Any]]) -> Any:
        loop = asyncio.get_running_loop()
        scheduler = LoopScheduler(loop, utc_ms=START * 1000)
        plan: dict[str, Any] = {"rbid": RBID, "password": PASSWORD, "installed": INSTALLED}
        self.world = World(scheduler, Plan(**{**plan, **self.choices}))
        self.wire = MemoryLink(scheduler, self.world.module, seed=self.world.plan.seed)
        self.control = Control(self.world, self.wire.line)
        self.board.uart = self.wire.uart
        self.server = Server(lambda: scheduler.utc_ms() // 1000)
        self.scheduler = scheduler
        self.ntp_alive = True
        self.world.start()
        drop, network.drop = network.drop, self._drop
        gateway.drop("ntp")  # not the one that others may hold
        from gateway import ntp

        ntp.query = self._ntp  # virtual time has no sockets
        self.keys = asyncio.StreamReader()
        self.app = app = App(
            self.board,
            clock=LoopClock(self.board),
            post=self.server.post,
            reader=_Keys(self.keys),
            write=self.written.append,
        )
        main = asyncio.create_task(app.serve())
        app.stop = main.cancel
        try:
            return await story(self)
        finally:
            network.drop = drop
            gateway.drop("ntp")
            main.cancel()
            await asyncio.gather(main, return_exceptions=True)
            await app.leave()
            self.world.stop()
            self.no_secrets()

    # What is put in the place of ntp.query must stay there.
    def _drop(self, *names: str) -> None:
        gateway.drop(*[name for name in names if name != "ntp"])

    async def _ntp(self, host: str, clock: Any, *limits: int) -> tuple[int, int]:
        await asyncio.sleep(0.03)
        if not (self.ntp_alive and self.board.net.alive):
            from gateway import ntp

            raise ntp.NtpError(f"{host}: no answer in 3000 ms")
        ms = self.scheduler.utc_ms()
        return ms // 1000, clock.ms() - ms % 1000

    # -- what a story needs

    @property
    def status(self) -> Any:
        return self.app.status

    @property
    def count(self) -> dict[str, int]:
        return self.app.status.counters

    def do(self, order: str) -> None:
        self.control.apply(order)

    async def until(self, what: Callable[[], Any], minutes: float = 10) -> Any:
        """Wait until `what()` is true, looking every half second; fails after so many minutes."""
        for _ in range(int(minutes * 120)):
            result = what()
            if result:
                return result
            await asyncio.sleep(0.5)
        log = "\n".join(ring.lines(self.app.log))
        raise AssertionError(f"not within {minutes} min; {summary.snapshot(self.status)}\n{log}")

    async def polling(self, minutes: float = 10, polls: int = 2) -> None:
        """Wait until so many more polls were answered."""
        goal = self.count.get("poll.ok", 0) + polls
        await self.until(lambda: self.count.get("poll.ok", 0) >= goal, minutes)

    async def word(self, word: str, code: str | None = None, minutes: float = 30) -> None:
        """Wait until the gateway names this."""
        await self.until(
            lambda: self.status.code(word) == code if code else self.status.code(word), minutes
        )

    def no_secrets(self) -> None:
        """Nothing that left the gateway may hold one."""
        shown = "\n".join(ring.lines(self.app.log)) + "".join(self.written)
        shown += json.dumps(summary.snapshot(self.status))
        for message in self.server.posts:
            shown += json.dumps(message)
        for secret in (RBID, PASSWORD, WIFI_KEY, TOKEN):
            assert secret.lower() not in shown.lower()


class _Keys:
    def __init__(self, stream: asyncio.StreamReader) -> None:
        self.stream = stream

    async def readinto(self, buf: bytearray) -> int:
        data = await self.stream.read(len(buf))
        buf[: len(data)] = data
        return len(data)


REFUSED = HttpError("refused", "nobody answers at 192.0.2.1 port 8080")
