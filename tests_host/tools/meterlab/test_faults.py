"""The wire between host and module: what it may do to bytes, and that it does nothing unasked."""

from __future__ import annotations

import asyncio

import pytest

from meterlab import vtime
from meterlab.control import Control
from meterlab.faults import Line, LineFaults
from meterlab.link import MemoryLink, Pace
from meterlab.modem import Traits
from meterlab.modules.base import Module
from meterlab.scheduler import LoopScheduler

REPLY = b"EVER 1.2.10\r\nOK\r\n"
OUTPUTS = 400


class _Talker(Module):
    """A module of which only the line matters."""

    def __init__(self, scheduler):
        super().__init__(scheduler)
        self.heard = bytearray()

    def feed(self, data: bytes) -> None:
        self.heard += data

    def wake(self) -> None: ...

    def _restart(self) -> None: ...


def play(faults: LineFaults, *, seed: int = 1, talk: bytes = REPLY):
    """-> what the host got of OUTPUTS outputs, what the module got of as much, the counters."""
    got = bytearray()

    async def main():
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=0)
        module = _Talker(scheduler)
        line = Line(scheduler, module, got.extend, faults=faults, seed=seed)
        for _ in range(OUTPUTS):
            module.emit(talk)
            line.write(talk)
            await asyncio.sleep(1)
        return bytes(got), bytes(module.heard), line.counters

    return vtime.run(main())


def test_a_good_line_changes_nothing():
    got, heard, counters = play(LineFaults())
    assert got == heard == REPLY * OUTPUTS and not counters


def test_bytes_get_lost_either_way():
    got, heard, counters = play(LineFaults(lose=0.01))
    whole = len(REPLY) * OUTPUTS
    assert heard == REPLY * OUTPUTS
    assert len(got) == whole - counters["lost"] and 0.005 < counters["lost"] / whole < 0.02
    got, heard, _ = play(LineFaults(lose_in=0.01))
    assert got == REPLY * OUTPUTS and 0.97 < len(heard) / whole < 1


def test_noise_comes_before_what_is_said():
    got, _, counters = play(LineFaults(noise=0.2))
    assert 40 < counters["noise"] < 130
    assert got.count(REPLY) == OUTPUTS and len(got) > len(REPLY) * OUTPUTS


def test_lines_come_twice():
    got, _, counters = play(LineFaults(double=0.2))
    assert got == REPLY * (OUTPUTS + counters["doubled"]) and counters["doubled"] > 40


def test_lines_stop_in_the_middle():
    got, _, counters = play(LineFaults(cut=0.2))
    assert got.count(REPLY) == OUTPUTS - counters["cut"] and counters["cut"] > 40


def test_ok_loses_its_line_feed():
    got, _, counters = play(LineFaults(glue=0.2))
    assert got.count(b"OK\rEVER") in (counters["glued"], counters["glued"] - 1)
    assert counters["glued"] > 40


def test_a_split_changes_the_time_and_not_the_bytes():
    arrivals = []

    async def main():
        loop = asyncio.get_running_loop()
        scheduler = LoopScheduler(loop, utc_ms=0)
        module = _Talker(scheduler)
        faults = LineFaults(split=1.0, split_ms=200)
        Line(scheduler, module, lambda d: arrivals.append((loop.time(), d)), faults=faults)
        for i in range(50):
            module.emit(b"%03d\r\n" % i)  # while parts of the last are still under way
        await asyncio.sleep(60)

    vtime.run(main())
    assert b"".join(d for _, d in arrivals) == b"".join(b"%03d\r\n" % i for i in range(50))
    assert len(arrivals) > 60
    assert len({t for t, _ in arrivals}) > 40


def test_faults_are_drawn_from_the_seed():
    faults = LineFaults(lose=0.01, noise=0.1, double=0.1, split=0.1, cut=0.1, glue=0.1)
    assert play(faults, seed=7) == play(faults, seed=7)
    assert play(faults, seed=7) != play(faults, seed=8)


def test_a_module_under_faults_still_serves(lab):
    async def story(host):
        await host.joined()
        control = Control(host.world, host.line)
        for order in ("line.noise 0.05", "line.split 0.3", "line.double 0.05", "line.glue 0.1"):
            control.apply(order)
        good = 0
        for _ in range(200):
            request = host.request(0xE7)
            await host.write(host.sendto(request) + b"\r\n")
            await asyncio.sleep(20)
            good += host.raw.rfind(request[:4] + bytes.fromhex("02880105FF0172")) > 0
        return good

    assert lab.run(story, traits=Traits(forgetful=False)) > 150


def test_a_line_end_inside_the_data(lab):
    async def story(host):
        await host.joined()
        # 3,338 W is 0D 0A.
        host.world.meter.metering.getters[0xE7] = lambda: b"\0\0\r\n"
        return await host.get(0xE7), bytes(host.raw)

    payload, raw = lab.run(story)
    assert payload[-4:] == b"\0\0\r\n" and raw.endswith(b"\0\0\r\n\r\n")


def test_pace_is_the_baud_rate():
    got = []

    async def main():
        loop = asyncio.get_running_loop()
        pace = Pace(loop, lambda data: got.append((loop.time(), len(data))))
        pace.send(bytes(1_152), 115_200)
        pace.send(bytes(1_152), 115_200)
        await asyncio.sleep(1)

    vtime.run(main())
    assert sum(n for _, n in got) == 2_304
    assert got[-1][0] == pytest.approx(0.2) and got[0][0] == pytest.approx(120 / 11_520)


def test_a_paced_exchange_takes_what_its_bytes_take(lab):
    async def story(host):
        await host.joined()
        host.world.link.instant = host.world.module.quirks.prompt = True
        host.raw.clear()
        begun, sent = host.now(), 0
        for _ in range(20):
            request = host.sendto(host.request(0xE7, 0xE8))
            sent += len(request)
            await host.write(request)
            await host.until("ERXUDP")
        return (host.now() - begun) / ((sent + len(host.raw)) / 11_520)

    assert lab.run(story, paced=True, traits=Traits(forgetful=False)) == pytest.approx(1, abs=0.01)


def test_what_a_host_does_not_read_in_time_is_lost(lab):
    async def main():
        from meterlab.world import World

        loop = asyncio.get_running_loop()
        scheduler = LoopScheduler(loop, utc_ms=lab.start * 1000)
        link = MemoryLink(scheduler, World(scheduler, lab.plan()).module, rxbuf=64)
        for _ in range(20):
            await link.uart.write(b"SKVER\r\n")
            await asyncio.sleep(0.1)
        buf = bytearray(1_000)
        n = await link.uart.readinto(buf)
        return n, link.uart.overflow, bytes(buf[:12])

    n, lost, start = vtime.run(main())
    assert n == 64 and lost == 20 * (7 + 17) - 64 and start == b"SKVER\r\nEVER "
