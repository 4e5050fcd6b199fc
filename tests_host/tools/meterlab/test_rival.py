"""A second HEMS that takes the session of the meter."""

from __future__ import annotations

import asyncio

from meterlab.control import Control
from meterlab.modem import Traits


def test_while_it_has_the_session_nobody_else_gets_in(lab):
    async def story(host):
        world = host.world
        await host.joined()
        control = Control(world, host.line)
        control.apply("session.steal 600")
        await asyncio.sleep(5)
        assert world.node.paa.session.peer != world.module.modem.mac
        # The radio acknowledges, the meter does not answer.
        assert await host.send(host.request(0xE7)) == "00"
        await host.quiet("ERXUDP", seconds=30)
        await host.join(expect="EVENT 24")
        await asyncio.sleep(600)
        await host.join()
        return await host.get(0xE7)

    assert lab.run(story, traits=Traits(forgetful=False))[10] == 0x72


def test_a_meter_that_takes_newcomers_is_taken_back_and_taken_again(lab):
    async def story(host):
        world = host.world
        control = Control(world, host.line)
        control.apply("conduct.newcomer replace")
        await host.joined()
        control.apply("session.steal 3600")
        await asyncio.sleep(10)
        await host.join()
        owner = world.node.paa.session.peer
        await asyncio.sleep(300)
        return owner == world.module.modem.mac, world.node.paa.session.peer

    mine, later = lab.run(story)
    assert mine and later == bytes.fromhex("001D12900000FFFF")


def test_a_j11_module_is_told_of_what_it_cannot_decipher(lab):
    async def story(host):
        await host.joined()
        Control(host.world, host.line).apply("session.steal 600")
        _, data = await host.until(0x6038, seconds=10)
        assert data[0] == 1 and data[1:17] == host.meter and len(data) == 26

    lab.run(story, kind="bp35c0-j11")


def test_it_keeps_the_meter_busy(lab):
    async def story(host):
        Control(host.world, host.line).apply("session.steal 600")
        await asyncio.sleep(599)
        return host.world.meter.counters["answers"]

    assert lab.run(story) == 9


def test_it_is_one_whoever_asks_for_it(lab):
    async def story(host):
        for _ in range(2):
            Control(host.world, host.line).apply("session.steal 60")
            await asyncio.sleep(90)
        return host.world.rival.heard

    assert lab.run(story) >= 2  # an instance list each time
