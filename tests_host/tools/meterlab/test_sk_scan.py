"""Scanning: who answers, when, and how often."""

from __future__ import annotations

import asyncio

import pytest

from meterlab.air import Link, rssi_at
from meterlab.modem import lqi


def _scan(host, mode: int, duration: int, mask: str = "FFFFFFFF") -> str:
    return f"SKSCAN {mode} {mask} {duration}" + (" 0" if host.dual else "")


async def _until_found(host, mode: int = 2, duration: int = 6):
    """The block of the first beacon, in as many scans as it takes."""
    for _ in range(10):
        begun = len(host.items)
        t = host.now()
        await host.ok(_scan(host, mode, duration))
        await host.until("EVENT 22")
        lines = host.texts(begun)
        if "EPANDESC" in lines:
            heard = next(i for i in host.items[begun:] if i.text.startswith("EVENT 20"))
            at = lines.index("EPANDESC")
            return heard.t - t, lines[at:-1], host.items[-1].t - t
    raise AssertionError("never heard")


@pytest.mark.parametrize("kind", ["bp35a1", "bp35c2"])
def test_the_block_of_a_beacon(lab, kind):
    async def story(host):
        await host.prepare()
        node = host.world.node
        found = await _until_found(host)
        return node.channel, node.pan_id, node.mac.hex().upper(), found

    channel, pan, mac, (heard, block, took) = lab.run(story, kind=kind)
    strength = block.pop(5)
    assert strength.startswith("  LQI:") and abs(int(strength[6:], 16) - lqi(-60)) <= 8
    side = ["  Side:0"] if kind == "bp35c2" else []
    assert block == [
        "EPANDESC", f"  Channel:{channel:02X}", "  Channel Page:09", f"  Pan ID:{pan:04X}",
        f"  Addr:{mac}", *side, f"  PairID:{lab.rbid[-8:]}",
    ]  # fmt: skip
    # 28 channels of 0.624 s, the beacon at its channel's turn.
    assert 17.4 < took < 18.5
    turn = (channel - 0x21) * took / 28
    assert turn - 0.05 <= heard < turn + 0.7


@pytest.mark.parametrize(("duration", "low", "high"), [(4, 4.5, 5.6), (5, 8.8, 10.3), (7, 34, 36)])
def test_scans_take_their_time(lab, duration, low, high):
    async def story(host):
        await host.prepare()
        t = host.now()
        await host.ok(_scan(host, 2, duration))
        assert host.now() - t < 0.05  # OK at once
        await host.until("EVENT 22")
        return host.now() - t

    assert low < lab.run(story) < high


def test_time_goes_with_the_channels_asked_for(lab):
    async def story(host):
        await host.prepare()
        t = host.now()
        await host.ok(_scan(host, 2, 6, "00000003"))
        await host.until("EVENT 22")
        return host.now() - t

    assert 1.2 < lab.run(story) < 1.6


def test_a_channel_not_asked_for_is_not_heard(lab):
    async def story(host):
        await host.prepare()
        bit = 1 << (host.world.node.channel - 0x21)
        heard = []
        for mask in (0x0FFFFFFF & ~bit, bit):
            begun = len(host.items)
            for _ in range(8):
                await host.ok(_scan(host, 2, 6, f"{mask:08X}"))
                await host.until("EVENT 22")
            heard.append("EPANDESC" in host.texts(begun))
        return heard

    assert lab.run(story) == [False, True]


def test_a_wrong_id_hears_nothing_in_mode_2_but_everyone_in_mode_3(lab):
    async def story(host):
        await host.prepare(rbid=lab.rbid[:-1] + "0")
        begun = len(host.items)
        for _ in range(10):
            await host.ok(_scan(host, 2, 6))
            await host.until("EVENT 22")
        assert not [t for t in host.texts(begun) if t.startswith(("EVENT 20", "EPANDESC"))]
        return (await _until_found(host, mode=3))[1]

    block = lab.run(story)
    assert "EPANDESC" in block
    assert not [line for line in block if "PairID" in line]


def test_short_dwells_miss_most_beacons(lab):
    async def story(host):
        await host.prepare()
        air, module, node = host.world.air, host.world.module.modem, host.world.node
        pairing = lab.rbid[-8:]
        return [
            sum(
                bool(air.beacons(module, node.channel, pairing, d, module.rng)) for _ in range(500)
            )
            for d in (3, 4, 5, 6, 7, 10)
        ]

    hits = lab.run(story)
    assert hits == sorted(hits)
    assert hits[1] < 125 and hits[3] > 450


def test_distance_costs_beacons(lab):
    def hits(link: Link) -> int:
        async def story(host):
            air, module, node = host.world.air, host.world.module.modem, host.world.node
            return sum(
                bool(air.beacons(module, node.channel, None, 6, module.rng)) for _ in range(500)
            )

        return lab.run(story, link=link)

    near, far, gone = (hits(Link(rssi=rssi)) for rssi in (-50, -93, -104))
    assert near > 450 and 150 < far < 330 and gone < 5
    assert rssi_at(0.5) == -35 and rssi_at(15) in range(-76, -70) and rssi_at(60) < -90


def test_a_second_scan_is_accepted_and_comes_to_nothing(lab):
    async def story(host):
        await host.prepare()
        t = host.now()
        await host.ok(_scan(host, 2, 4))
        await asyncio.sleep(4)
        await host.ok(_scan(host, 2, 6))
        await host.until("EVENT 22")
        first = host.now() - t
        await host.quiet("EVENT 22", seconds=60)
        return first

    assert 4.5 < lab.run(story) < 5.6


def test_a_dead_meter_sends_no_beacon(lab):
    async def story(host):
        await host.prepare()
        host.world.node.dead = True
        for _ in range(5):
            await host.ok(_scan(host, 3, 6))
            await host.until("EVENT 22")
        return host.texts()

    assert "EPANDESC" not in lab.run(story)


def test_energy_scan(lab):
    async def story(host):
        await host.ok("SKSREG SFE 0")
        first = len(host.items)
        await host.ok(_scan(host, 0, 4))
        await host.until("EEDSCAN")
        await asyncio.sleep(1)
        return host.texts(first), bytes(host.raw)

    lines, raw = lab.run(story, kind="bp35a1")
    assert lines[1].startswith("EVENT 1F FE80:") and lines[2] == "EEDSCAN"
    pairs = lines[3].split()
    assert pairs[::2] == [f"{c:02X}" for c in range(0x21, 0x3D)]
    assert raw.endswith(b"\r\n\r\n")  # the empty line that this edition adds
    lines, raw = lab.run(story, kind="bp35c2")
    assert lines[3].split()[0] == "0" and len(lines[3].split()) == 57
    assert not raw.endswith(b"\r\n\r\n")
