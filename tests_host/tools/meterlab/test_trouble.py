"""Faults: drawn from seeds, begun and ended, and what was there before comes back."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from meterlab import control
from meterlab.control import Control, ControlError
from meterlab.modules.j11_products import J11_KINDS
from meterlab.trouble import CATALOGUE, DAY_S, GROUPS, Fault, draw, last_end


def test_a_seed_draws_the_same_faults_again():
    assert draw(5, 10) == draw(5, 10) != draw(6, 10)


@pytest.mark.parametrize("kind", ["bp35a1", "bp35c1-j11-t01"])
def test_faults_are_in_order_end_in_time_and_are_orders(kind):
    kinds = set()
    for seed in range(40):
        faults = draw(seed, 10, kind)
        assert [fault.at_s for fault in faults] == sorted(fault.at_s for fault in faults)
        assert 0 < last_end(faults) <= 10 * DAY_S - 7_200
        for fault in faults:
            kinds.add(fault.name)
            for order in fault.orders:
                control.parse(order)
    other = "sk" if kind in J11_KINDS else "j11"
    assert kinds == {entry.name for entry in CATALOGUE if entry.protocol != other}


def test_how_many_and_which():
    assert sum(len(draw(seed, 10, per_day=4)) for seed in range(20)) == pytest.approx(
        800, rel=0.15
    )
    assert {fault.name.partition(".")[0] for fault in draw(1, 20, only=["link"])} == {"link"}
    assert {fault.name for fault in draw(1, 9, only=["session.drop"])} == {"session.drop"}
    with pytest.raises(ValueError, match="no faults called 'weather'.*link.loss"):
        draw(1, 10, only=["weather"])
    with pytest.raises(ValueError, match="has no faults of line.glue"):
        draw(1, 10, "bp35c0-j11", only=["line.glue"])
    assert set(GROUPS) == {"line", "link", "meter", "session", "module"}


def test_a_fault_ends_and_what_was_there_comes_back(lab):
    async def story(host):
        control = Control(host.world, host.line)
        link = host.world.link
        link.loss_up = 0.1
        control.play(
            [
                Fault(10, 100, ("link.loss 0.3", "manners.silent on")),
                Fault(50, 20, ("link.loss_up 0.4",)),
                Fault(80, 60, ("link.rssi -90",)),
            ]
        )
        seen = []
        for wait in (5, 10, 40, 30, 10, 30, 60):
            await asyncio.sleep(wait)
            seen.append((link.loss_up, link.loss_down, host.world.meter.manners.silent, link.rssi))
        assert not control.active
        return seen

    assert lab.run(story) == [
        (0.1, None, False, -60),
        (0.3, 0.3, True, -60),
        (0.4, 0.3, True, -60),
        (0.3, 0.3, True, -90),
        (0.3, 0.3, True, -90),
        (0.1, None, False, -90),
        (0.1, None, False, -60),
    ]


def test_of_two_that_overlap_the_later_rules_and_an_order_waits_for_the_end(lab):
    async def story(host):
        control = Control(host.world, host.line)
        link = host.world.link
        control.play([Fault(1, 10, ("link.rssi -70",)), Fault(5, 20, ("link.rssi -80",))])
        await asyncio.sleep(6)
        assert link.rssi == -80
        control.apply("link.rssi -50")  # what will be there afterwards
        assert link.rssi == -80
        await asyncio.sleep(7)
        assert link.rssi == -80 and len(control.active) == 1
        await asyncio.sleep(13)
        assert link.rssi == -50

    lab.run(story)


def test_a_fault_with_nonsense_in_it_says_so(lab):
    async def story(host):
        with pytest.raises(ControlError, match="from 0 to 1, not '7'"):
            Control(host.world, host.line).apply(Fault(0, 1, ("link.late 7",)))

    lab.run(story)


@pytest.mark.parametrize("kind", ["bp35a1", "rs-wsuha-j11"])
def test_every_fault_can_be_begun_and_ended(lab, kind):
    rng = Random(1)
    faults = [
        Fault(1_800 * i, 2_400, entry.make(rng, 2_400), entry.name)
        for i, entry in enumerate(CATALOGUE)
    ]

    async def story(host):
        control = Control(host.world, host.line)
        before = {name: control._read(name) for name in _settings()}
        control.play(faults)
        await asyncio.sleep(last_end(faults) + 1)
        assert {name: control._read(name) for name in _settings()} == before

    lab.run(story, limit_s=2 * DAY_S, kind=kind)


def _settings():
    return [name for name in control.names() if name in control.settings.KINDS]


def test_a_module_that_stops_in_mid_line(lab):
    async def story(host):
        control = Control(host.world, host.line)
        host.world.module.quirks.prompt = True
        await host.ok("SKSREG SFE 0")
        control.apply("module.stall 30")
        await asyncio.sleep(10)
        host.raw.clear()
        await host.write(b"SKVER\r\n")
        await asyncio.sleep(19)
        stopped = bytes(host.raw)
        await asyncio.sleep(2)
        host._rest.clear()
        return stopped, await host.command("SKVER")

    stopped, later = lab.run(story)
    assert stopped == b"EVER 1.2"
    assert later == ["EVER 1.2.10", "OK"]


def test_a_module_that_has_nothing_to_say_does_not_stop(lab):
    async def story(host):
        Control(host.world, host.line).apply("module.stall 30")
        await asyncio.sleep(31)
        return await host.command("SKVER")

    assert lab.run(story)[-1] == "OK"


def test_when_the_middle_one_of_three_ends_the_last_still_rules(lab):
    async def story(host):
        faults = [
            Fault(1, 50, ("link.rssi -70",)),
            Fault(2, 20, ("link.rssi -80",)),
            Fault(3, 30, ("link.rssi -90",)),
        ]
        Control(host.world, host.line).play(faults)
        seen = []
        for wait in (10, 15, 10, 20):
            await asyncio.sleep(wait)
            seen.append(host.world.link.rssi)
        return seen

    assert lab.run(story) == [-90, -90, -70, -60]


def test_a_meter_that_moves_is_found_on_its_new_channel_only(lab):
    async def story(host):
        await host.joined()
        node = host.world.node
        before = node.pan_id
        channel = "2B" if node.channel != 0x2B else "2D"
        Control(host.world, host.line).apply("meter.move " + channel)
        assert node.paa.session is None and node.pan_id != before
        assert await host.send(host.request(0xE7)) in ("01", "02")
        since = len(host.items)
        await host.ok("SKSCAN 2 FFFFFFFF 8")
        await host.until("EVENT 22", seconds=100)
        return channel, [t for t in host.texts(since) if t.startswith("  Channel:")]

    channel, found = lab.run(story)
    assert found == ["  Channel:" + channel]


def test_beacons_that_are_missed(lab):
    async def story(host):
        await host.prepare()
        mask = 1 << host.world.node.channel - 0x21
        counts = []
        for share in (0, 1):
            host.world.link.beacon_loss = share
            since = len(host.items)
            for _ in range(10):
                await host.ok(f"SKSCAN 2 {mask:08X} 7")
                await host.until("EVENT 22", seconds=10)
            counts.append(sum(t.startswith("EPANDESC") for t in host.texts(since)))
        return counts

    heard, missed = lab.run(story)
    assert heard >= 8 and not missed


def test_junk_before_what_the_host_writes(lab):
    async def story(host):
        await host.ok("SKSREG SFE 0")
        host.line.faults.noise_in = 1.0
        replies = []
        for _ in range(20):
            await host.write(b"SKVER\r\n")
            replies.append((await host.until("OK", "FAIL", seconds=5)).text)
            await asyncio.sleep(1)
        assert host.line.counters["noise in"] == 20
        host.line.faults.noise_in = 0.0
        await asyncio.sleep(1)
        return replies, await host.command("SKVER")

    replies, later = lab.run(story)
    assert replies.count("FAIL ER04") > 15 and later[-1] == "OK"


@pytest.mark.parametrize(
    ("kind", "order", "refused", "not_refused"),
    [
        ("bp35a1", "SKSREG S2 ER06", "SKSREG S2 21", "SKSREG S3 8888"),
        ("bp35c2", "SKVER ER09", "SKVER", "SKINFO"),
    ],
)
def test_a_command_can_be_refused_for_a_while(lab, kind, order, refused, not_refused):
    async def story(host):
        Control(host.world, host.line).apply(Fault(0, 10, ("quirks.refuse " + order,)))
        seen = [(await host.command(refused))[-1], (await host.command(not_refused))[-1]]
        await asyncio.sleep(11)
        return [*seen, (await host.command(refused))[-1]]

    assert lab.run(story, kind=kind) == ["FAIL " + order[-4:], "OK", "OK"]


def test_what_can_be_refused_is_a_command_and_a_code(lab):
    async def story(host):
        control = Control(host.world, host.line)
        for order in ("quirks.refuse SKSCAN", "quirks.refuse 0008 6", "quirks.refuse"):
            with pytest.raises(ControlError, match="SKSCAN ER10"):
                control.apply(order)
        control.apply("quirks.refuse SKSCAN ER10")
        control.apply("quirks.refuse none")
        assert host.world.module.quirks.refusal("SKSCAN 2 FFFFFFFF 6") is None

    lab.run(story)
