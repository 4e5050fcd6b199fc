"""Which module is it, asked of every product that the simulator plays, at a real line's pace."""

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
from meterlab.world import KINDS, Plan, World
from wisun import Info, probe
from wisun.skstack import SkStack

UTC_MS = 1_794_000_000_000
LIMIT_S = 5.0


def nobody(*_: object) -> None:
    pass


class Bench:
    """A module on a paced line; `find` takes it from there. `took`: seconds until it was known."""

    def __init__(self, kind: str, **choices: Any) -> None:
        self.kind = kind
        self.choices = choices
        self.took = 0.0
        self.found: tuple[str, int] = ("", 0)
        self.info: Info | None = None
        self.whole = True  # edition and data format, too

    async def _main(self, before: Any) -> None:
        loop = asyncio.get_running_loop()
        scheduler = LoopScheduler(loop, utc_ms=UTC_MS)
        self.world = World(
            scheduler, Plan(RBID, PASSWORD, kind=self.kind, installed=20_600, **self.choices)
        )
        self.link = MemoryLink(scheduler, self.world.module, paced=True)
        if before:
            await before(self)
        clock = HostClock(None)
        begun = loop.time()
        self.found = await probe.find(self.link.uart, clock, self.speed)
        if not self.whole:
            return
        driver: Any = _driver(self.found[0])(self.link.uart, clock, Log(), nobody, nobody)
        reader = asyncio.create_task(driver.run())
        try:
            self.info = await driver.probe()
        finally:
            reader.cancel()
        self.took = loop.time() - begun

    def speed(self, baud: int) -> None:
        self.link.line.baud = baud

    def run(self, before: Any = None) -> Bench:
        vtime.run(self._main(before), limit_s=120)
        return self


def _driver(protocol: str) -> Any:
    if protocol == "j11":
        from wisun.j11 import J11

        return J11
    return SkStack


def expected(world: World) -> Info:
    """What the probe has to find out of this product."""
    module: Any = world.module
    product = module.product
    if "j11" in product.kind:
        version: bytes = product.firmware
        text = f"{version[2]}.{version[3]}"
        return Info("j11", "dual", text, version[4:].hex().upper(), False)
    edition = "dual" if product.dual else "single"
    hex_data = product.hex_data or not product.options
    return Info("skstack", edition, product.ever, product.appver, hex_data)


@pytest.mark.parametrize("kind", KINDS)
def test_every_product_is_known_in_five_seconds(kind: str) -> None:
    bench = Bench(kind).run()
    assert bench.info == expected(bench.world)
    assert bench.found[1] == 115_200
    assert bench.took < LIMIT_S, bench.took


@pytest.mark.parametrize("kind", KINDS)
def test_a_module_with_power_since_a_second(kind: str) -> None:
    async def before(bench: Bench) -> None:
        bench.world.module.power_cycle()
        await asyncio.sleep(1)

    assert Bench(kind).run(before).took < LIMIT_S


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_with_faults(kind: str) -> None:
    async def before(bench: Bench) -> None:
        bench.link.line.faults = LineFaults(noise=0.2, split=0.5, glue=0.5)

    bench = Bench(kind)
    bench.whole = False
    assert bench.run(before).found[1] == 115_200
