"""What happens in homes that have done nothing wrong: the gateway against the simulated module and
meter, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from campaign.house import RBID
from house import START, House
from meterlab.household import Household, day_of
from meterlab.metering import Equipment, Metering
from meterlab.pana import Conduct

TODAY = day_of(START)


def exchange(h: House, channel: int) -> None:
    """The meter is another one now: its address, its counters, and what a count of these means."""
    node = h.world.node
    node.paa.forget()
    node.mac = bytes.fromhex("001C640012345678")
    node.pan_id, node.channel = 0x5678, channel
    kit = Equipment(unit=1, digits=6, coefficient=10, slots=False, serial=b"NEW0000001")
    clock = h.scheduler.utc_ms
    h.world.meter.metering = Metering(Household(99, installed=TODAY), kit, lambda: clock() // 1000)


@pytest.mark.parametrize(
    ("kind", "moves"), [("bp35a1", True), ("bp35c0-j11", True), ("bp35c0-j11", False)]
)
def test_another_meter_is_learned_anew(kind: str, moves: bool) -> None:
    async def story(h: House) -> None:
        await h.until(lambda: h.app.store.get("history"), 30)  # what the first one can tell
        old = h.world.node
        channel = old.channel
        if moves:  # else J11 joins whoever answers on the channel
            h.do("meter.dead true")
            await asyncio.sleep(900)
        exchange(h, (channel - 0x21 + 10) % 28 + 0x21 if moves else channel)
        if moves:
            h.do("meter.dead false")
        t = h.scheduler.utc_ms() // 1000
        await h.until(lambda: any(r[2] > t for r in h.server.kind("half-hour")), 90)
        assert h.status.meter["serial"] == "NEW0000001"
        for row in h.server.kind("half-hour"):
            if row[2] > t:
                assert row[7] == h.world.meter.metering.slot(row[2])[0] * 10_000
        assert h.app.store.pan()[2] == h.world.node.mac
        # That the first one's EC was understood says nothing of the second.
        history = h.app.store.get("history")
        assert history is None or not history[1]

    House(kind=kind, installed=TODAY).run(story)


@pytest.mark.parametrize("kind", ["bp35a1", "bp35c0-j11"])
def test_two_controllers_do_not_fight_for_the_meter(kind: str) -> None:
    """Each is thrown out as soon as the other one joins, and is told so."""

    async def story(h: House) -> None:
        await h.until(lambda: h.count.get("poll.ok"))
        said = 0
        for _ in range(180):
            await asyncio.sleep(10)
            if h.app.driver.joined:
                h.do("session.end")
            said += "another controller" in (h.status.detail("radio") or "")
        assert 6 <= h.count["join"] <= 16
        assert said > 100
        # A session that lasted is not one of these: the way back is at once.
        await asyncio.sleep(1800)
        assert h.app.driver.joined
        joins = h.count["join"]
        h.do("session.end")
        await asyncio.sleep(8)
        assert h.count["join"] == joins + 1

    House(kind=kind, conduct=Conduct(cleaning_ms=0), installed=TODAY).run(story)


@pytest.mark.parametrize("kind", ["bp35a1", "bp35c0-j11"])
def test_a_wrong_beginning_of_the_id_is_not_blamed_on_the_password_alone(kind: str) -> None:
    """The meter is found by the end of the ID, and refuses as it does with a wrong password."""

    async def story(h: House) -> None:
        await h.until(lambda: h.status.code("config") == "wrong-password")
        detail = h.status.detail("config")
        assert "broute.password" in detail and detail.endswith("broute.id")

    House({"broute.id": "FF" + RBID[2:]}, kind=kind, installed=TODAY).run(story)
