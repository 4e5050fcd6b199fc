"""The whole put together: seeds, orders, days of polling, and what a poll costs."""

from __future__ import annotations

import asyncio

import pytest

from meterlab.control import Control, ControlError
from meterlab.modem import Traits
from meterlab.modules.sk_products import PRODUCTS
from meterlab.pana import Conduct
from meterlab.vtime import VirtualLoop
from meterlab.world import World

WAIT = Traits(forgetful=False)


async def _an_hour(host):
    await host.prepare()
    await host.ok("SKSCAN 2 FFFFFFFF 6" + (" 0" if host.dual else ""))
    await host.until("EVENT 22")
    await host.join()
    for _ in range(60):
        await host.write(host.sendto(host.request(0xE7, 0xE8)))
        await asyncio.sleep(60)
    return bytes(host.raw), [(round(i.t, 6), i.text, i.payload) for i in host.items]


@pytest.mark.parametrize("kind", PRODUCTS)
def test_the_same_seed_is_the_same_world_to_the_last_byte(lab, kind):
    once = lab.run(_an_hour, kind=kind, seed=11, solar=3_000)
    assert once == lab.run(_an_hour, kind=kind, seed=11, solar=3_000)
    assert once != lab.run(_an_hour, kind=kind, seed=12, solar=3_000)


def test_seeds_place_meters_differently(lab):
    async def story(host):
        node = host.world.node
        return node.channel, node.pan_id, node.mac

    nodes = [lab.run(story, seed=seed) for seed in range(40)]
    assert len({mac for _, _, mac in nodes}) == 40
    assert {channel for channel, _, _ in nodes} <= set(range(0x21, 0x3D, 2))
    assert len({channel for channel, _, _ in nodes}) > 8


def test_ten_days_of_polling(lab):
    """Sessions renew, half-hours come, nothing stops; the household's counters arrive."""

    async def story(host):
        await host.joined()
        meter = host.world.meter
        answered = 0
        for _ in range(10 * 144):
            frame = await host.get(0xE0)
            answered += frame[10] == 0x72
            counts = int.from_bytes(frame[14:18], "big")
            assert abs(counts - meter.metering.counters()[0]) < 10
            await asyncio.sleep(600)
            if host.world.module.modem.pac.closed:
                await host.until("EVENT 25", seconds=60)
        return answered, meter.counters, host.world.module.modem.counters

    answered, meter, modem = lab.run(story, traits=WAIT, limit_s=1e6)
    assert answered == 1_440
    assert meter["notified"] >= 480 and modem["joined"] == 13  # every 19.2 hours
    assert not modem["join failed"]


def test_what_a_poll_costs(lab):
    """In events of the loop, which do not depend on the machine."""

    async def story(host):
        await host.joined()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        counts = []
        for _ in range(2):
            before = loop.timers
            for _ in range(100):
                await host.write(host.sendto(host.request(0xE7, 0xE8)))
                await asyncio.sleep(60)
            counts.append(loop.timers - before)
        return counts

    for paced, most in ((False, 4), (True, 10)):
        counts = lab.run(story, traits=WAIT, paced=paced, limit_s=20_000)
        assert max(counts) / 100 <= most


def test_orders_change_what_they_name(lab):
    async def story(host):
        world: World = host.world
        control = Control(world, host.line)
        for order in (
            "manners.silent on", "manners.limit=7", "link.loss_up 0.4", "link.tail none",
            "conduct.newcomer replace", "conduct.stale_refusals 0-3", "traits.limit_ms 1000",
            "line.noise 0.25", "quirks.prompt true", "link.metres 15", " link.late  0.5 ",
        ):  # fmt: skip
            control.apply(order)
        assert world.meter.manners.silent and world.meter.manners.limit == 7
        assert (world.link.loss_up, world.link.tail, world.link.late) == (0.4, None, 0.5)
        conduct: Conduct = world.node.paa.conduct
        assert conduct.newcomer == "replace" and conduct.stale_refusals == (0, 3)
        assert world.module.modem.traits.limit_ms == 1_000
        assert host.line.faults.noise == 0.25 and world.module.quirks.prompt
        assert world.link.rssi == -74
        control.apply("link.loss 0.1")
        assert world.link.loss_up == world.link.loss_down == 0.1

    lab.run(story)


def test_orders_do_what_they_say(lab):
    async def story(host):
        control = Control(host.world, host.line)
        await host.joined()
        control.apply("session.end")
        await host.until("EVENT 26", seconds=1)
        control.apply("session.steal 30")
        await host.join(expect="EVENT 24")
        await asyncio.sleep(30)
        await host.join()
        control.apply("session.drop")
        assert host.world.node.paa.session is None
        control.apply("meter.dead on")
        assert await host.send(host.request(0xE7)) == "01"
        control.apply("module.hang 5")
        await host.write(b"SKVER\r\n")
        await host.quiet("EVER", seconds=6)
        control.apply("module.reset")
        await asyncio.sleep(3)
        return await host.command("SKVER")

    assert lab.run(story, traits=WAIT)[-1] == "OK"


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ("nonsense 1", "manners.silent"),
        ("link.nonsense 1", "link.rssi"),
        ("link.rssi strong", "takes a number"),
        ("manners.silent perhaps", "on or off"),
        ("conduct.newcomer kill", "refuse"),
        ("", "there are"),
    ],
)
def test_orders_that_make_no_sense_say_what_would(lab, order, says):
    async def story(host):
        with pytest.raises(ControlError, match=says):
            Control(host.world, host.line).apply(order)

    lab.run(story)


def test_a_plan_that_cannot_be(lab):
    with pytest.raises(ValueError, match="bp35c2"):
        lab.run(_an_hour, kind="bp99")
    with pytest.raises(ValueError, match="32 characters"):
        lab.run(_an_hour, rbid="short")
