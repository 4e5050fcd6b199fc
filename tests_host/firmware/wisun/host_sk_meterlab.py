"""The driver on a simulated module with a bad line between them, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from fakeradio import PASSWORD, RBID, Log
from hostclock import HostClock
from meterlab import vtime
from meterlab.faults import LineFaults
from meterlab.link import MemoryLink
from meterlab.scheduler import LoopScheduler
from meterlab.world import Plan, World
from wisun import GateClosed, RadioError
from wisun.skstack import SkStack

UTC_MS = 1_794_000_000_000
INSTALLED = 20_600  # days: a short history is soon made
GET = bytes.fromhex("1081000105FF010288016201E700")
POLLS = 150

FAULTS = {
    "bytes lost from the module": LineFaults(lose=0.002),
    "bytes lost to the module": LineFaults(lose_in=0.002),
    "noise": LineFaults(noise=0.1),
    "outputs cut short": LineFaults(cut=0.05),
    "outputs twice": LineFaults(double=0.1),
    "line ends lost, late parts": LineFaults(glue=0.2, split=0.3),
    "all": LineFaults(lose=0.0005, lose_in=0.0005, noise=0.03, cut=0.01, split=0.1, glue=0.05),
}


class Home:
    """A driver, and what a gateway does with it at the least: join again after trouble."""

    def __init__(self, world: World, link: MemoryLink) -> None:
        self.world = world
        self.link = link
        self.log = Log()
        self.clock = HostClock(None)
        self.driver = SkStack(link.uart, self.clock, self.log, self.datagram, self.event)
        self.answers = 0
        self.ready = False
        self.troubles = 0

    def datagram(self, payload: memoryview, *_: object) -> None:
        if payload[10] == 0x72:
            self.answers += 1

    def event(self, code: int, _: object) -> None:
        if code == 0x37:
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

    async def poll(self) -> None:
        try:
            if not self.driver.joined:
                await self.join()
            await self.driver.send(GET)
        except GateClosed:
            pass
        except RadioError:
            self.troubles += 1
            self.ready = False
        await self.clock.sleep_ms(12_000)


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("kind", ["bp35a1", "bp35c2", "rl7023-ips"])
def test_a_bad_line(kind: str, name: str) -> None:
    async def main() -> None:
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=UTC_MS)
        world = World(scheduler, Plan(RBID, PASSWORD, kind=kind, seed=3, installed=INSTALLED))
        link = MemoryLink(scheduler, world.module, paced=True, seed=3)
        home = Home(world, link)
        reader = asyncio.create_task(home.driver.run())
        await home.poll()
        assert home.driver.joined
        good = link.line.faults
        link.line.faults = FAULTS[name]
        for _ in range(POLLS):
            await home.poll()
        assert home.answers > POLLS * 6 // 10, (home.troubles, home.driver.counters)
        link.line.faults = good
        for _ in range(4):
            await home.poll()
        home.answers = 0
        for _ in range(10):
            await home.poll()
        assert home.answers >= 8
        for line in home.log.lines:
            assert RBID not in line and PASSWORD not in line
        reader.cancel()

    vtime.run(main(), limit_s=60_000)
