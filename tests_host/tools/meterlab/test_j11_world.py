"""A J11 module and its meter for days: the same every time, and cheap."""

from __future__ import annotations

import asyncio

import pytest

from meterlab.control import Control
from meterlab.modules.j11_products import J11_KINDS
from meterlab.trouble import draw
from meterlab.vtime import VirtualLoop

KIND = {"kind": "bp35c0-j11"}


GET = "1081000105FF010288016202E700E800"


@pytest.mark.parametrize("kind", J11_KINDS)
def test_the_same_seed_is_the_same_world_to_the_last_byte(lab, kind):
    async def story(host):
        host._take = lambda: False  # what the line has spoilt cannot be read
        host.uart.rxbuf = 1 << 20
        control = Control(host.world, host.line)
        await asyncio.sleep(1)
        control.play(draw(2, 0.1, kind, per_day=300, calm_s=60, only=["line", "link"]))
        steps = (
            (0x5F, bytes([5, 0, host.channel, 0])),
            (0x54, host.IDENTITY),
            (0x53, b""),
            (0x05, b"\x0e\x1a"),
            (0x56, b""),
        )
        for code, data in steps:
            await host.write(host.request(code, data))
            await asyncio.sleep(10)
        for _ in range(60):
            await host.write(host.request(0x08, host.datagram(bytes.fromhex(GET))))
            await asyncio.sleep(60)
        return bytes(host.raw)

    once = lab.run(story, kind=kind, seed=11, solar=3_000)
    assert once == lab.run(story, kind=kind, seed=11, solar=3_000)
    assert once != lab.run(story, kind=kind, seed=12, solar=3_000)
    assert once.count(bytes.fromhex("D0F9EE5D6018")) > 10


def test_ten_days_of_polling(lab):
    """Sessions renew in silence, half-hours come, nothing stops."""

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
        return answered, meter.counters, host.world.module.modem.counters

    answered, meter, modem = lab.run(story, limit_s=1e6, **KIND)
    assert answered == 1_440
    assert meter["notified"] >= 480 and modem["joined"] == 13  # every 19.2 hours
    assert not modem["join failed"]


@pytest.mark.parametrize(("paced", "most"), [(False, 4), (True, 7)])
def test_what_a_poll_costs(lab, paced, most):
    """In events of the loop, which do not depend on the machine."""

    async def story(host):
        await host.joined()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        before = loop.timers
        for _ in range(200):
            await host.write(host.request(0x08, host.datagram(bytes.fromhex(GET))))
            await asyncio.sleep(60)
        return (loop.timers - before) / 200

    assert lab.run(story, paced=paced, limit_s=20_000, **KIND) <= most
