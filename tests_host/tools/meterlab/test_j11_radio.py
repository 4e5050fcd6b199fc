"""A J11 module and its meter: scanning, joining and sending."""

from __future__ import annotations

import asyncio
import struct

import pytest

from meterlab.control import Control

KIND = {"kind": "rs-wsuha-j11"}
ALL = 0x0003FFF0


def scan(time: int, pairing: bytes = b"", mask: int = ALL) -> bytes:
    return struct.pack(">BIB", time, mask, bool(pairing)) + pairing


async def found(host, data: bytes):
    """(channels in the order they were told, entries that were found, seconds)."""
    since, begun = len(host.frames), host.now()
    await host.ok(0x0051, data, seconds=4_000)
    said = [data for _, code, data in host.frames[since:] if code == 0x4051]
    return [d[1] for d in said], [d for d in said if not d[0]], host.now() - begun


def test_a_scan_tells_of_each_channel_in_order(lab):
    async def story(host):
        await host.prepare()
        channels, hits, took = await found(host, scan(7, host.IDENTITY[24:32]))
        node = host.world.node
        assert [h[1] for h in hits] == [host.channel] and hits[0][2] == 1
        assert hits[0][3:13] == node.mac + struct.pack(">H", node.pan_id)
        assert -64 <= hits[0][13] - 256 <= -56
        return channels, took

    channels, took = lab.run(story, **KIND)
    assert channels == list(range(4, 18)) and 17 < took < 18


@pytest.mark.parametrize(("time", "low", "high"), [(4, 2.1, 2.6), (6, 8.6, 9.0), (8, 34.5, 35.8)])
def test_how_long_a_scan_takes(lab, time, low, high):
    async def story(host):
        await host.prepare()
        return await found(host, scan(time))

    assert low < lab.run(story, **KIND)[2] < high


def test_of_one_channel_alone_it_tells_alone(lab):
    async def story(host):
        await host.prepare()
        channels, _, took = await found(host, scan(8, mask=1 << 9))
        return channels, took

    channels, took = lab.run(story, **KIND)
    assert channels == [9] and took < 2.6


def test_who_answers_a_scan(lab):
    async def story(host):
        await host.prepare()
        seen = []
        for pairing in (host.IDENTITY[24:32], b"DEADBEEF", b""):
            seen.append(sum(h[2] for h in (await found(host, scan(8, pairing)))[1]))
        return seen

    assert lab.run(story, neighbours=2, seed=3, **KIND) == [1, 0, 3]


def test_beacons_are_missed_at_short_times_and_far_away(lab):
    async def story(host):
        await host.prepare()
        only = 1 << host.channel
        hits = {}
        for time, rssi in ((3, -60), (6, -60), (8, -95)):
            host.world.link.rssi = rssi
            tries = [await found(host, scan(time, mask=only)) for _ in range(40)]
            hits[time] = sum(bool(hit) for _, hit, _ in tries)
        return hits

    hits = lab.run(story, limit_s=40_000, **KIND)
    assert hits[3] < 6 and hits[6] > 30 and hits[8] < 25


def test_starting_the_b_route_takes_the_right_channel_and_credentials(lab):
    async def story(host):
        wrong = 4 if host.channel != 4 else 5
        await host.ok(0x005F, bytes([5, 0, wrong, 0]))
        said = [await host.ask(0x0053)]  # no credentials yet
        await host.ok(0x0054, host.IDENTITY)
        said += [await host.ask(0x0053)]
        await host.ok(0x005F, bytes([5, 0, host.channel, 0]))
        begun = host.now()
        started = await host.ok(0x0053)
        assert 2 < host.now() - begun < 2.6
        node = host.world.node
        assert started[:11] == bytes([host.channel]) + struct.pack(">H", node.pan_id) + node.mac
        return said

    assert lab.run(story, **KIND) == [b"\x0e", b"\x0e"]


def test_the_b_route_is_not_started_with_a_neighbours_meter(lab):
    async def story(host):
        world = host.world
        other = world.neighbours[0]
        assert other.channel == world.node.channel
        world.air.link(world.module.modem, other).rssi = -40
        await host.prepare()
        mine = (await host.ok(0x0053))[3:11] == world.node.mac
        await host.ok(0x0058)
        world.node.dead = True
        return mine, await host.ask(0x0053)

    assert lab.run(story, neighbours=1, **KIND) == (True, b"\x0e")


async def joining(host) -> tuple[int, float]:
    """Result of an authentication, and seconds until it came."""
    await host.ok(0x0056)
    begun = host.now()
    _, data = await host.until(0x6028, seconds=800)
    assert data[1:] == host.world.node.mac
    return data[0], host.now() - begun


def test_a_join_takes_seconds_and_the_meter_speaks_afterwards(lab):
    async def story(host):
        await host.started()
        result, took = await joining(host)
        _, data = await host.until(0x6018, seconds=10)
        assert data[:16] == host.meter and data[22:24] == b"\x01\x02"
        assert data[27:][10:13] == b"\x73\x01\xd5"
        return result, took

    result, took = lab.run(story, **KIND)
    assert result == 1 and 1 < took < 10


def test_wrong_credentials_are_refused(lab):
    async def story(host):
        await host.started(host.IDENTITY[:-1] + b"X")
        result, took = await joining(host)
        assert await host.ok(0x0001) == b"\x03\x02\x01"
        await host.ok(0x0054, host.IDENTITY)
        return result, took, (await joining(host))[0]

    result, took, again = lab.run(story, **KIND)
    assert (result, again) == (2, 1) and took < 20


def test_without_credentials_and_twice(lab):
    async def story(host):
        await host.started()
        host.world.node.dead = True
        await host.ok(0x0056)
        twice = await host.ask(0x0056)
        host.world.node.dead = False
        await host.write(host.request(0x00D9))
        await host.until(0x6019)
        await host.joined()
        await host.ok(0x0057)
        return twice, await host.ask(0x0056)

    assert lab.run(story, **KIND) == (b"\x52", b"\x51")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_meter_that_is_not_there_is_waited_for_for_minutes(lab, seed):
    async def story(host):
        await host.started()
        host.world.node.dead = True
        return await joining(host)

    result, took = lab.run(story, seed=seed, **KIND)
    assert result == 3 and 492 <= took <= 706


def test_a_handshake_that_stops(lab):
    async def story(host):
        await host.started()
        await host.ok(0x0056)
        begun = host.now()
        await asyncio.sleep(0.7)
        host.world.link.loss_up = 1.0
        return (await host.until(0x6028, seconds=800))[1][0], host.now() - begun

    result, took = lab.run(story, seed=3, **KIND)
    assert result == 3 and 311 <= took <= 345  # the last repetition's pause comes on top


def test_a_meter_in_other_hands_is_silent(lab):
    async def story(host):
        await host.started()
        Control(host.world).apply("session.steal 5000")
        return await joining(host)

    result, took = lab.run(story, **KIND)
    assert result == 3 and took >= 492


def test_readings_and_half_hours(lab):
    async def story(host):
        await host.joined()
        answer = await host.get(0xE7, 0xE8)
        assert answer[10] == 0x72 and answer[11] == 2
        _, data = await host.until(0x6018, seconds=2_400)
        return data[22:24], data[27 + 10 : 27 + 13]

    assert lab.run(story, **KIND) == (b"\x00\x02", b"\x73\x02\xea")


def test_what_a_send_says(lab):
    async def story(host):
        await host.joined()
        get = bytes.fromhex("1081000105FF010288016201E700")
        link = host.world.link
        said = [await host.ask(0x0008, host.datagram(get))]
        said += [await host.ask(0x0008, host.datagram(b"abc"))]
        link.loss_up = 1.0
        fails = {(await host.ask(0x0008, host.datagram(get)))[1] for _ in range(60)}
        link.loss_up = None
        wrong = host.meter[:15] + bytes([host.meter[15] ^ 1])
        said += [await host.ask(0x0008, host.datagram(get, wrong))]
        said += [await host.ask(0x0008, host.datagram(get, bytes(16)))]
        said += [await host.ask(0x0008, host.datagram(get)[:-1])]
        said += [await host.ask(0x0008, host.datagram(b"", host.meter))]
        everyone = bytes.fromhex("FF020000000000000000000000000001")
        said += [await host.ask(0x0008, host.datagram(get, everyone))]
        await host.ok(0x0006, b"\x0e\x1a")
        said += [await host.ask(0x0008, host.datagram(get))]
        return [s.hex() for s in said], fails

    said, fails = lab.run(story, **KIND)
    ok, short, stranger, nowhere, cut, empty, everyone, closed = said
    assert ok == everyone == "01001081000105" and short == "0100616263"
    assert stranger[:4] in ("0105", "0103")
    assert (nowhere, cut, empty, closed) == ("06", "11", "04", "0b")
    assert fails == {0, 3, 5}  # sometimes the loss is not noticed by the radio


def test_the_largest_datagram(lab):
    async def story(host):
        await host.joined()
        good = await host.ask(0x0008, host.datagram(bytes(1_232)))
        return good[:2], await host.ask(0x0008, host.datagram(bytes(1_233)))

    assert lab.run(story, **KIND) == (b"\x01\x00", b"\x04")


def test_sending_while_a_session_is_made(lab):
    async def story(host):
        await host.started()
        await host.ok(0x0056)
        return await host.ask(0x0008, host.datagram(b"abc"))

    assert lab.run(story, **KIND)[:2] == b"\x01\x08"


def test_the_airtime_of_an_hour(lab):
    async def story(host):
        await host.joined()
        host.world.module.modem.traits.limit_ms = 2_000
        get = bytes.fromhex("1081000105FF010288016201E700")
        results = []
        for _ in range(600):
            results.append((await host.ask(0x0008, host.datagram(get)))[1])
            if results[-1] == 2:
                break
        spent = host.world.module.modem.airtime.total_ms
        # What is received still comes through.
        _, data = await host.until(0x6018, seconds=2_400)
        await asyncio.sleep(3_700)
        return spent, results[-1], (await host.ask(0x0008, host.datagram(get)))[1]

    spent, last, later = lab.run(story, limit_s=10_000, **KIND)
    assert (last, later) == (2, 0) and 2_000 <= spent < 2_100


def test_neighbour_discovery_first_when_it_is_on(lab):
    async def story(host):
        await host.prepare()
        await host.ok(0x0101, b"\x01")
        await host.ok(0x0053)
        await host.ok(0x0005, b"\x0e\x1a")
        await host.ok(0x0056)
        await host.until(0x6028)
        host.world.module.modem.neighbours.clear()
        said = await host.ask(0x0008, host.datagram(b"abc"))
        host.world.module.modem.neighbours.clear()
        host.world.node.dead = True
        begun = host.now()
        return said[1], (await host.ask(0x0008, host.datagram(b"abc")))[1], host.now() - begun

    said, fails, took = lab.run(story, **KIND)
    assert said == 0 and fails in (3, 5) and 2.7 < took < 4
