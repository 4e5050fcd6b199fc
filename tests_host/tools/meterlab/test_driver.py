"""The firmware's own driver cannot tell a simulated module from a real one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hostclock import HostClock
from meterlab import frames, vtime
from meterlab.link import MemoryLink
from meterlab.modules.j11_products import J11_KINDS
from meterlab.modules.sk_products import PRODUCTS
from meterlab.scheduler import LoopScheduler
from meterlab.world import World
from wisun.j11 import J11
from wisun.skstack import SkStack


class _Log:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def debug(self, text: str, *args: object) -> None:
        self.lines.append(text % args if args else text)

    info = warn = error = debug


@pytest.mark.parametrize("kind", PRODUCTS)
def test_every_product_from_probe_to_a_reading(lab, kind):
    product = PRODUCTS[kind]

    async def main() -> None:
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=lab.start * 1000)
        world = World(scheduler, lab.plan(kind=kind, seed=2))
        link = MemoryLink(scheduler, world.module, paced=True)
        log, clock = _Log(), HostClock(None)
        got: list[tuple[bytes, Any]] = []
        events: list[Any] = []
        driver: Any = SkStack(
            link.uart,
            clock,
            log,
            lambda payload, mac, secured, rssi: got.append((bytes(payload), rssi)),
            lambda name, value: events.append((name, value)),
        )
        reading = asyncio.create_task(driver.run())
        info = await driver.probe()
        assert info.edition == ("dual" if product.dual else "single")
        assert (info.firmware, info.app) == (product.ever, product.appver)
        await driver.configure(lab.rbid, lab.password)
        assert world.sk.flash.writes == (1 if product.options else 0)
        pan = await driver.find()
        assert (pan.channel, pan.pan_id) == (world.node.channel, world.node.pan_id)
        assert pan.mac == world.node.mac and abs(pan.rssi + 60) <= 3
        await driver.join(pan)
        await asyncio.sleep(4)
        assert frames.parse(got[-1][0]) is not None and got[-1][0][10:13] == b"\x73\x01\xd5"
        request = frames.build(7, frames.CONTROLLER, frames.METER, frames.GET, [(0xE7, b"")])
        assert await driver.send(request) in (0, 2)
        await asyncio.sleep(8)
        answer = frames.parse(got[-1][0])
        assert answer is not None and (answer.tid, answer.service) == (7, frames.GET_RES)
        if product.dual:
            assert abs(got[-1][1] + 60) <= 3
        await driver.leave()
        assert world.node.paa.session is None
        assert not world.module.modem.counters["transmit power set"]
        assert not driver.counters["garbage"] and not driver.counters["timeout"]
        assert not [line for line in log.lines if lab.rbid in line or lab.password in line]
        reading.cancel()

    vtime.run(main(), limit_s=600)


@pytest.mark.parametrize("kind", J11_KINDS)
def test_every_j11_product_from_probe_to_a_reading(lab, kind):
    async def main() -> None:
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=lab.start * 1000)
        world = World(scheduler, lab.plan(kind=kind, seed=2))
        link = MemoryLink(scheduler, world.module, paced=True)
        log, clock = _Log(), HostClock(None)
        got: list[tuple[bytes, Any]] = []
        events: list[Any] = []

        def driver() -> Any:
            return J11(
                link.uart,
                clock,
                log,
                lambda payload, mac, secured, rssi: got.append((bytes(payload), rssi)),
                lambda name, value: events.append((name, value)),
            )

        async def reading(radio: Any, tid: int) -> None:
            asked = [(0xE7, b"")]
            request = frames.build(tid, frames.CONTROLLER, frames.METER, frames.GET, asked)
            assert await radio.send(request) == 0
            await asyncio.sleep(8)
            answer = frames.parse(got[-1][0])
            assert answer is not None and (answer.tid, answer.service) == (tid, frames.GET_RES)
            assert abs(got[-1][1] + 60) <= 3

        radio = driver()
        listening = asyncio.create_task(radio.run())
        info = await radio.probe()
        assert (info.protocol, info.firmware, info.app) == ("j11", "1.3", "0000158A")
        await radio.configure(lab.rbid, lab.password)
        pan = await radio.find()
        assert (pan.channel, pan.pan_id) == (world.node.channel, world.node.pan_id)
        assert pan.mac == world.node.mac and abs(pan.rssi + 60) <= 3
        await radio.join(pan)
        await asyncio.sleep(4)
        assert got[-1][0][10:13] == b"\x73\x01\xd5"
        await reading(radio, 7)

        # The host starts anew, and its module has kept the session.
        listening.cancel()
        radio = driver()
        listening = asyncio.create_task(radio.run())
        await radio.probe()
        await radio.configure(lab.rbid, lab.password)
        await radio.join(pan)
        assert world.node.paa.counters["sessions"] == 1
        await reading(radio, 8)

        await radio.leave()
        await asyncio.sleep(1)
        assert world.node.paa.session is None
        assert not radio.counters["garbage"] and not radio.counters["timeout"]
        assert not [line for line in log.lines if lab.rbid in line or lab.password in line]
        listening.cancel()

    vtime.run(main(), limit_s=600)
