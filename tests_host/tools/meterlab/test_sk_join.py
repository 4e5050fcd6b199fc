"""PANA sessions: joining, being refused, living, renewing, ending."""

from __future__ import annotations

import asyncio

import pytest

from meterlab.air import Link
from meterlab.modem import Traits
from meterlab.pana import Conduct

SOON = Conduct(lifetime_s=600, stale_refusals=(0, 0))


@pytest.mark.parametrize("kind", ["bp35a1", "bp35c2"])
def test_the_script_of_a_join(lab, kind):
    async def story(host):
        await host.prepare()
        first = len(host.items)
        done = await host.join()
        inf = await host.until("ERXUDP", seconds=4)
        return host.items[first:], done.t - host.items[first].t, inf.t - done.t, host.meter

    items, took, announced, meter = lab.run(story, kind=kind)
    side = " 0" if kind == "bp35c2" else ""
    shapes = []
    for item in items:
        if item.payload is None:
            shapes.append(item.text)
        else:
            parts = item.text.split(" ")
            shapes.append(f"{parts[0]} {parts[3]} {parts[6]} {parts[-1]}")
            assert parts[1] == meter and len(item.payload) == int(parts[-1], 16)
    sent = f"EVENT 21 {meter}{side} 00"
    assert shapes == [
        "OK",
        f"EVENT 21 {meter}{side} 02", f"EVENT 02 {meter}{side}",
        "ERXUDP 02CC 0 0028", sent,
        "ERXUDP 02CC 0 0068", sent,
        "ERXUDP 02CC 0 0054", sent,
        "ERXUDP 02CC 0 0058", sent,
        f"EVENT 25 {meter}{side}",
        "ERXUDP 0E1A 1 0012",
    ]  # fmt: skip
    assert 2 < took < 12 and 0.4 < announced < 3.3
    assert items[-1].text.split(" ")[2] == "FF02:0000:0000:0000:0000:0000:0000:0001"
    assert items[-1].payload[4:] == bytes.fromhex("0EF0010EF0017301D50401028801")


def test_the_messages_of_the_meter_have_the_captured_layout(lab):
    async def story(host):
        await host.prepare()
        await host.join()
        return [i.payload for i in host.items if i.payload and " 02CC " in i.text]

    start, hello, proof, done = lab.run(story)
    number, sequence = start[8:12], int.from_bytes(start[12:16], "big")
    for i, (message, flags) in enumerate(
        ((start, 0xC000), (hello, 0x8000), (proof, 0x8000), (done, 0xA000))
    ):
        assert message[:2] == b"\0\0" and int.from_bytes(message[2:4], "big") == len(message)
        assert int.from_bytes(message[4:6], "big") == flags and message[6:8] == b"\0\2"
        assert message[8:12] == number
        assert int.from_bytes(message[12:16], "big") == sequence + i
    assert start[16:].hex() == "00060000000400000000000500030000000400000000000c"
    assert hello[70:] == b"SM" + lab.rbid.encode()
    assert done[-36:-24].hex() == "000800000004000000015180"[:24]


def test_a_known_neighbour_is_not_solicited(lab):
    async def story(host):
        await host.prepare()
        await host.ok(f"SKADDNBR {host.meter} {host.world.node.mac.hex()}")
        first = len(host.items)
        await host.join()
        return host.texts(first)

    lines = lab.run(story)
    assert lines[1].endswith(" 00") and not [t for t in lines if t.startswith("EVENT 02")]


@pytest.mark.parametrize(
    "wrong", [{"password": "0123456789AC"}, {"rbid": "10112233445566778899AABBCCDDEEFF"}]
)
def test_wrong_credentials_end_in_event_24(lab, wrong):
    async def story(host):
        await host.prepare(**wrong)
        took = []
        for _ in range(3):
            t = host.now()
            await host.join(expect="EVENT 24")
            took.append(host.now() - t)
        return took, host.world.node.paa.session

    took, session = lab.run(story)
    assert all(10 <= t <= 40.1 for t in took)
    assert session is None


def test_join_without_credentials_fails(lab):
    async def story(host):
        node = host.world.node
        await host.ok(f"SKSREG S2 {node.channel:02X}")
        await host.ok(f"SKSREG S3 {node.pan_id:04X}")
        return await host.join(expect="EVENT 24")

    lab.run(story)


@pytest.mark.parametrize("register", ["S2 22", "S3 0001"])
def test_the_wrong_channel_or_pan_finds_nobody(lab, register):
    async def story(host):
        await host.prepare()
        await host.ok("SKSREG " + register)
        t = host.now()
        await host.join(expect="EVENT 24")
        assert not [i for i in host.items if i.payload]
        return host.now() - t

    assert 10 <= lab.run(story) <= 40.1


def test_a_second_controller_is_refused_while_the_first_is_joined(lab):
    async def story(host):
        host.world.node.paa.seize(bytes(8), 120)
        await host.prepare()
        await host.join(expect="EVENT 24")
        await asyncio.sleep(120)
        await host.join()

    lab.run(story)


def test_or_throws_the_first_one_out(lab):
    async def story(host):
        await host.joined()
        host.world.node.paa.seize(bytes(8), 120)
        await host.send(host.request(0xE7))
        await host.quiet("ERXUDP", seconds=60)  # sent, acknowledged, never answered
        await host.join()

    lab.run(story, conduct=Conduct(newcomer="replace"))


def test_after_an_abrupt_restart_the_meter_refuses_once_or_twice(lab):
    async def story(host):
        await host.joined()
        await host.ok("SKRESET")
        await host.prepare()
        refused = 0
        while True:
            await host.ok(f"SKJOIN {host.meter}")
            if (await host.until("EVENT 24", "EVENT 25")).text.startswith("EVENT 25"):
                return refused
            refused += 1

    counts = {lab.run(story, seed=seed) for seed in range(8)}
    assert counts == {1, 2}


def test_a_clean_end_leaves_nothing_behind(lab):
    async def story(host):
        await host.joined()
        await host.ok("SKTERM")
        t = host.now()
        ended = await host.until("EVENT 27", "EVENT 28")
        assert ended.text.startswith("EVENT 27") and host.now() - t < 2
        assert await host.command("SKTERM") == ["FAIL ER10"]
        await host.join(expect="EVENT 24")  # at once: the meter is still tidying up
        await host.join()

    lab.run(story)


def test_an_end_that_nobody_answers(lab):
    async def story(host):
        await host.joined()
        host.world.node.dead = True
        await host.ok("SKTERM")
        ended = await host.until("EVENT 27", "EVENT 28", seconds=10)
        return ended.text, await host.command("SKTERM")

    text, again = lab.run(story)
    assert text.startswith("EVENT 28") and again == ["FAIL ER10"]


def test_renewal_at_four_fifths_of_the_lifetime(lab):
    async def story(host):
        await host.prepare()
        joined = (await host.join()).t
        first = len(host.items)
        begun = await host.until("EVENT 29", seconds=500)
        assert await host.send(host.request(0xE7)) == "01"  # hold your transmissions
        renewed = await host.until("EVENT 25", "EVENT 24", seconds=30)
        instance = await host.until("ERXUDP", seconds=5)
        assert instance.payload[10:13] == b"\x73\x01\xd5"
        kinds = [i.text.split(" ")[:2] for i in host.items[first:]]
        await host.get(0xE7)
        return begun.t - joined, renewed.text, renewed.t - begun.t, kinds

    at, renewed, took, kinds = lab.run(story, conduct=SOON)
    assert 479 < at < 481
    assert renewed.startswith("EVENT 25") and took < 15
    assert len([k for k in kinds if k[0] == "ERXUDP"]) >= 5


def test_renewal_is_refused_when_the_meter_forgot(lab):
    async def story(host):
        await host.joined()
        host.world.node.paa.seize(bytes(8), 3_600)
        await host.until("EVENT 29", seconds=500)
        return (await host.until("EVENT 25", "EVENT 24", seconds=60)).text

    assert lab.run(story, conduct=SOON).startswith("EVENT 24")


def test_without_renewal_the_session_runs_out(lab):
    async def story(host):
        await host.prepare()
        await host.ok("SKSREG S17 0")
        joined = (await host.join()).t
        over = await host.until("EVENT 29", seconds=700)
        assert await host.send(host.request(0xE7)) == "01"
        return over.t - joined, await host.command("SKREJOIN")

    at, rejoin = lab.run(story, conduct=SOON)
    assert 599 < at < 601 and rejoin == ["FAIL ER10"]


def test_rejoin_on_demand(lab):
    async def story(host):
        await host.joined()
        before = host.world.node.paa.session.number
        await host.ok("SKREJOIN")
        await host.until("EVENT 25", seconds=30)
        return before != host.world.node.paa.session.number

    assert lab.run(story)


def test_the_meter_may_end_the_session(lab):
    async def story(host):
        await host.joined()
        host.world.node.end_session(tell=True)
        await host.until("ERXUDP", seconds=1)
        await host.until("EVENT 21", seconds=1)
        await host.until("EVENT 26", seconds=1)
        return await host.send(host.request(0xE7))

    assert lab.run(story) == "01"


def test_or_forget_it_in_silence(lab):
    async def story(host):
        await host.joined()
        host.world.node.end_session(tell=False)
        results = [await host.send(host.request(0xE7)) for _ in range(2)]
        await host.quiet("ERXUDP", "EVENT 26", seconds=60)
        return results

    assert lab.run(story, traits=Traits(forgetful=False)) == ["00", "00"]


def test_a_weak_link_hears_the_beacon_and_never_finishes_joining(lab):
    async def story(host):
        await host.prepare()
        await host.ok(f"SKJOIN {host.meter}")
        await host.quiet("EVENT 24", "EVENT 25", seconds=120)
        return (await host.until("EVENT 24", "EVENT 25", seconds=600)).text

    assert lab.run(story, link=Link(loss_up=0.97, loss_down=0.97)).startswith("EVENT 24")


def test_lost_messages_are_repeated(lab):
    async def story(host):
        await host.prepare()
        done = await host.join(seconds=300)
        return done.t

    took = [lab.run(story, seed=s, link=Link(loss_up=0.3, loss_down=0.3)) for s in range(8)]
    assert max(took) > 6


def test_joining_during_a_scan_is_refused(lab):
    async def story(host):
        await host.prepare()
        await host.ok("SKSCAN 2 FFFFFFFF 4")
        return await host.command(f"SKJOIN {host.meter}")

    assert lab.run(story) == ["FAIL ER10"]


def test_no_line_outside_pana_shows_the_id(lab):
    async def story(host):
        await host.joined()
        return host.items

    for item in lab.run(story):
        if item.payload is None or " 02CC " not in item.text:
            assert lab.rbid not in item.text or item.text.startswith("SKSETRBID")
