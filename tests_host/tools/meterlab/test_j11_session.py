"""How the sessions of a J11 module go on, and how they end."""

from __future__ import annotations

import asyncio

from meterlab.control import Control
from meterlab.modules.base import Quirks
from meterlab.pana import Conduct

KIND = {"kind": "rs-wsuha-j11"}
ALL = 0x0003FFF0


async def joining(host) -> tuple[int, float]:
    """Result of an authentication, and seconds until it came."""
    await host.ok(0x0056)
    begun = host.now()
    _, data = await host.until(0x6028, seconds=800)
    assert data[1:] == host.world.node.mac
    return data[0], host.now() - begun


def test_it_renews_by_itself_and_nobody_is_told(lab):
    async def story(host):
        await host.joined()
        number = host.world.node.paa.session.number
        since = len(host.frames)
        await asyncio.sleep(0.8 * 1_000 - 30)
        assert host.world.node.paa.session.number == number
        sends = []
        for _ in range(30):  # while it renews, sending goes on
            await asyncio.sleep(2)
            sends.append((await host.ok(0x0008, host.datagram(b"abc")))[0])
        assert host.world.node.paa.session.number != number
        assert set(host.codes(since)) <= {0x2008, 0x6018}
        return sends, await host.ok(0x0001)

    sends, status = lab.run(story, conduct=Conduct(lifetime_s=1_000), **KIND)
    assert set(sends) == {0} and status == b"\x03\x03\x01"


def test_a_renewal_that_fails_is_told(lab):
    async def story(host):
        await host.joined()
        host.world.node.dead = True
        begun = host.now()
        host.world.module.modem.pac.renew()
        _, data = await host.until(0x6028, seconds=400)
        return data[0], host.now() - begun, await host.ok(0x0001)

    result, took, status = lab.run(story, **KIND)
    assert result == 3 and 180 <= took <= 237 and status == b"\x03\x02\x01"


def test_a_meter_that_refuses_to_renew(lab):
    async def story(host):
        await host.joined()
        host.world.node.paa.conduct.rejoin_refusal = 1.0
        host.world.module.modem.pac.renew()
        result = (await host.until(0x6028, seconds=400))[1][0]
        host.world.node.paa.conduct.stale_refusals = 0, 0
        return result, (await joining(host))[0]

    assert lab.run(story, **KIND) == (2, 1)


def test_a_stubborn_module_does_not_see_that_it_lost_its_session(lab):
    async def story(host):
        await host.joined()
        host.world.node.dead = True
        host.world.module.modem.pac.renew()
        await host.until(0x6028, seconds=400)
        host.world.node.dead = False
        host.world.node.paa.conduct.stale_refusals = 0, 0
        status = await host.ok(0x0001)
        await host.ok(0x0008, host.datagram(bytes.fromhex("1081000105FF010288016201E700")))
        await host.quiet(0x6018, seconds=20)
        await host.ok(0x00D2)
        assert (await host.until(0x6028, seconds=60))[1][0] == 1
        await host.get(0xE7)
        return status

    assert lab.run(story, quirks=Quirks(stubborn=True), **KIND) == b"\x03\x03\x01"


def test_renewing_when_asked(lab):
    async def story(host):
        await host.joined()
        number = host.world.node.paa.session.number
        await host.ok(0x00D2)
        assert await host.ask(0x00D2) == b"\x52"
        assert (await host.until(0x6028))[1][0] == 1
        return host.world.node.paa.session.number != number

    assert lab.run(story, **KIND)


def test_a_session_that_ends_while_a_renewal_was_asked_for(lab):
    async def story(host):
        await host.joined()
        host.world.node.dead = True
        await host.ok(0x00D2)
        await asyncio.sleep(1)
        Control(host.world).apply("session.expire")
        return (await host.until(0x6028, seconds=5))[1][0], await host.ok(0x0001)

    assert lab.run(story, **KIND) == (3, b"\x03\x02\x01")


def test_the_meter_ends_the_session(lab):
    async def story(host):
        await host.joined()
        host.world.node.end_session(tell=True)
        _, data = await host.until(0x601A, seconds=3)
        assert data[0] == 4 and data[1:9] == host.world.node.mac and -65 < data[9] - 256 < -55
        assert await host.ok(0x0001) == b"\x03\x02\x01"
        await asyncio.sleep(4)
        return (await joining(host))[0]

    assert lab.run(story, **KIND) == 1


def test_ending_it_wipes_the_credentials_and_tells_the_meter(lab):
    async def story(host):
        await host.joined()
        await host.ok(0x0057)
        await asyncio.sleep(1)
        assert host.world.node.paa.session is None
        status = await host.ok(0x0001)
        await host.ok(0x0054, host.IDENTITY)
        await asyncio.sleep(3)
        result = (await joining(host))[0]
        await host.ok(0x0057)
        await host.ok(0x0058)
        return status, result, await host.ok(0x0001), await host.ask(0x0053)

    assert lab.run(story, **KIND) == (b"\x03\x02\x01", 1, b"\x03\x01\x01", b"\x0e")


def test_without_a_session_the_stack_lets_go_after_80_minutes(lab):
    async def story(host):
        await host.started()
        await host.quiet(0x601A, seconds=79 * 60)
        _, data = await host.until(0x601A, seconds=120)
        assert data == b"\x03" + host.world.node.mac + b"\x00"
        return await host.ok(0x0001), await host.ask(0x0007)

    assert lab.run(story, **KIND) == (b"\x03\x01\x01", b"\x10")


def test_the_host_starts_anew_and_the_session_is_still_there(lab):
    async def story(host):
        await host.joined()
        await host.write(host.request(0x0008, bytes(40))[:20])  # it was cut off in mid-command
        await asyncio.sleep(30)
        host._rest.clear()
        assert await host.ok(0x0001) == b"\x03\x03\x01"
        assert (await host.ok(0x0007)) == b"\x01\x0e\x1a"
        return (await host.get(0xE7))[10]

    assert lab.run(story, **KIND) == 0x72


def test_power_and_pin_make_it_forget_everything_and_say_that_it_booted(lab):
    async def story(host):
        await host.joined()
        host.world.module.power_cycle()
        await host.until(0x6019, seconds=2)
        return await host.ok(0x0001), await host.ask(0x0008, host.datagram(b"abc"))

    assert lab.run(story, **KIND) == (b"\x02\x01\x01", b"\x37")


def test_a_module_that_hangs_says_nothing_and_boots_by_its_pin_only(lab):
    async def story(host):
        await host.joined()
        host.world.module.hang(None)
        await host.write(host.request(0x00D9))
        await host.quiet(0x6019, 0x20D9, seconds=60)
        host.world.module.power_cycle()
        await host.until(0x6019, seconds=2)
        host.world.module.hang(2_000)
        await asyncio.sleep(3)
        return await host.ok(0x0001)  # no second word of a boot came

    assert lab.run(story, **KIND) == b"\x02\x01\x01"


def test_multicasts_of_somebody_elses_session_cannot_be_read(lab):
    async def story(host):
        await host.joined()
        Control(host.world).apply("session.steal 300")
        _, data = await host.until(0x6038, seconds=10)
        return data[0], data[1:17] == host.meter, len(data)

    assert lab.run(story, **KIND) == (1, True, 26)
