"""The J11 driver on a simulated module with a bad line between them, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fakeradio import PASSWORD, RBID, Log
from hostclock import HostClock
from meterlab import vtime
from meterlab.faults import LineFaults
from meterlab.link import MemoryLink
from meterlab.scheduler import LoopScheduler
from meterlab.world import Plan, World
from wisun import GateClosed, RadioError
from wisun.j11 import J11

UTC_MS = 1_794_000_000_000
INSTALLED = 20_600  # days: a short history is soon made
GET = bytes.fromhex("1081000105FF010288016201E700")
POLLS = 150

FAULTS = {
    "bytes lost from the module": LineFaults(lose=0.002),
    "bytes lost to the module": LineFaults(lose_in=0.002),
    "noise": LineFaults(noise=0.1),
    "noise to the module": LineFaults(noise_in=0.1),
    "outputs cut short": LineFaults(cut=0.05),
    "outputs twice": LineFaults(double=0.1),
    "late parts": LineFaults(split=0.3),
    "all": LineFaults(
        lose=0.0005, lose_in=0.0005, noise=0.03, noise_in=0.03, cut=0.01, double=0.02, split=0.1
    ),
}


class Home:
    """A driver, and what a gateway does with it at the least: join again after trouble."""

    def __init__(self, world: World, link: MemoryLink) -> None:
        self.world = world
        self.link = link
        self.log = Log()
        self.clock = HostClock(None)
        self.driver: Any = None
        self.reader: asyncio.Task[None] | None = None
        self.answers = 0
        self.troubles = 0
        self.told: list[tuple[str, object]] = []
        self.restart()

    def restart(self) -> None:
        """The host starts anew; the module knows nothing of it."""
        if self.reader is not None:
            self.reader.cancel()
        self.driver = J11(self.link.uart, self.clock, self.log, self.datagram, self.event)
        self.reader = asyncio.create_task(self.driver.run())
        self.ready = False

    def datagram(self, payload: memoryview, *_: object) -> None:
        if payload[10] == 0x72:
            self.answers += 1

    def event(self, name: str, value: object) -> None:
        self.told.append((name, value))
        if name == "reboot":
            self.ready = False

    async def join(self) -> None:
        driver = self.driver
        if not self.ready:
            await driver.probe()
            await driver.configure(RBID, PASSWORD)
            self.ready = True
        pan = await driver.find()
        if pan:
            await driver.join(pan)

    async def poll(self, seconds: float = 12) -> None:
        try:
            if not self.driver.joined:
                await self.join()
            await self.driver.send(GET)
        except GateClosed:
            pass
        except RadioError:
            self.troubles += 1
            self.ready = False
        await self.clock.sleep_ms(int(seconds * 1000))

    async def recovers(self) -> None:
        """Within a few polls everything is answered again."""
        for _ in range(8):
            await self.poll()
        self.answers = 0
        for _ in range(10):
            await self.poll()
        assert self.answers >= 9, (self.answers, self.driver.counters)


def play(story: Any, limit_s: float = 90_000, **plan: Any) -> None:
    async def main() -> None:
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=UTC_MS)
        choices = {"kind": "bp35c0-j11", "seed": 3, "installed": INSTALLED, **plan}
        world = World(scheduler, Plan(RBID, PASSWORD, **choices))
        home = Home(world, MemoryLink(scheduler, world.module, paced=True, seed=3))
        await home.poll()
        assert home.driver.joined
        await story(home)
        for line in home.log.lines:
            assert RBID not in line and PASSWORD not in line
        assert home.reader is not None and not home.reader.done()
        home.reader.cancel()

    vtime.run(main(), limit_s=limit_s)


@pytest.mark.parametrize("name", FAULTS)
def test_a_bad_line(name: str) -> None:
    async def story(home: Home) -> None:
        good = home.link.line.faults
        home.link.line.faults = FAULTS[name]
        for _ in range(POLLS):
            await home.poll()
        assert home.answers > POLLS * 6 // 10, (home.troubles, home.driver.counters)
        home.link.line.faults = good
        await home.recovers()

    play(story)


def test_the_session_outlives_the_host() -> None:
    async def story(home: Home) -> None:
        for _ in range(5):
            home.restart()
            await home.poll()
            assert home.driver.joined
        assert home.world.node.paa.counters["sessions"] == 1
        await home.recovers()

    play(story)


@pytest.mark.parametrize("what", ["module", "hang", "stall", "drop", "end", "expire", "dark"])
def test_after_trouble_it_works_again(what: str) -> None:
    async def story(home: Home) -> None:
        world = home.world
        for _ in range(3):
            if what == "module":
                world.module.power_cycle()
            elif what == "hang":
                world.module.hang(30_000)
            elif what == "stall":
                world.module.stall(30_000)
            elif what == "drop":
                world.node.end_session(tell=False)
                home.driver.on_event("lost", None)  # as the gateway finds when nothing answers
                await home.driver.leave()
            elif what == "end":
                world.node.end_session(tell=True)
            elif what == "expire":
                world.node.paa.forget()
                world.j11.modem.pac.expire()
            else:
                world.node.dead = True
                await home.poll(300)
                world.node.dead = False
            for _ in range(4):
                await home.poll(30)
            await home.recovers()

    play(story)


def test_a_renewal_that_nobody_is_told_of_costs_no_poll() -> None:
    async def story(home: Home) -> None:
        world = home.world
        world.node.paa.conduct.lifetime_s = 600
        world.module.modem.pac.renew()
        await home.poll(30)
        home.answers = 0
        for _ in range(200):
            await home.poll()
        assert home.answers >= 199 and world.node.paa.counters["sessions"] >= 5

    play(story)
