"""Good and bad days: the gateway against the simulated module and meter, in virtual time.

For each bad day the same three things: the gateway keeps running, it says which of the five words
it is, and it goes on by itself when the cause is gone.
"""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from house import START, House
from stories import KINDS, led

# -- good days


@pytest.mark.parametrize("kind", KINDS)
def test_a_day_of_readings_arrives_whole_and_exact(kind: str) -> None:
    async def story(h: House) -> None:
        await asyncio.sleep(6 * 3600 + 30)
        await h.until(lambda: len(h.app.outbox) == 0, 3)
        instants = h.server.kind("instant")
        assert len(instants) >= 6 * 120 - 10
        assert [r[2] for r in instants] == sorted({r[2] for r in instants})
        assert all(START <= r[2] <= h.scheduler.utc_ms() // 1000 for r in instants)
        # every half-hour value is the simulated household's own counter, to the last 0.1 Wh
        slots = h.server.kind("half-hour")
        assert len(slots) >= 12
        for row in slots:
            forward, backward = h.world.meter.metering.slot(row[2])
            assert row[7] == forward * h.app.session.live.meter.scale.count
            assert row[8] is None or row[8] == backward * h.app.session.live.meter.scale.count
        assert h.status.worst() == (None, None, None)
        assert led(h) == "ok"
        assert not any(name.startswith("restart") for name in h.count)
        assert h.count["join"] == 1

    House(kind=kind, solar=4000).run(story)


def test_the_line_has_the_speed_that_was_set() -> None:
    async def story(h: House) -> None:
        await asyncio.sleep(1)
        assert h.board.baud == 57600

    House({"radio.baud": 57600}).run(story)


def test_restart_joins_with_the_remembered_pan() -> None:
    house = House()

    async def first(h: House) -> None:
        await h.polling()

    house.run(first)
    again = House()
    again.board.nvs.blobs = house.board.nvs.blobs

    async def second(h: House) -> None:
        await h.polling()
        assert "scan" not in h.count
        assert h.app.outbox.stream == house.app.outbox.stream

    again.run(second)
    taken = set(house.server.rows) & set(again.server.rows)
    assert not taken, "a sequence number was used twice"


def test_announcements_that_do_not_come_are_read() -> None:
    async def story(h: House) -> None:
        await asyncio.sleep(3 * 3600)
        slots = [r for r in h.server.kind("half-hour") if r[2] >= START]
        assert len({r[2] for r in slots}) >= 5
        assert {r[9] for r in slots} == {"get"}
        # and at five past: not before, for it may still come, and not much later
        slot = (h.scheduler.utc_ms() // 1000 // 1800 + 1) * 1800
        await asyncio.sleep(slot + 290 - h.scheduler.utc_ms() / 1000)
        assert h.app.session.newest[0xEA] < slot
        await asyncio.sleep(25)
        assert h.app.session.newest[0xEA] == slot
        # A meter that does not know it yet is asked three times, and not for ever.
        asked: list[int] = []
        old = h.world.meter.metering.get(0xEA)
        h.world.meter.metering.getters[0xEA] = lambda: asked.append(1) or old
        await asyncio.sleep(1800 + 1000)
        assert len(asked) == 3

    from meterlab.meter import Manners

    House(manners=Manners(notify=False)).run(story)


def test_confirmed_announcements_are_confirmed_once() -> None:
    async def story(h: House) -> None:
        await asyncio.sleep(2 * 3600)
        assert {r[9] for r in h.server.kind("half-hour")} >= {"inf"}
        assert h.count["frame.notice"] <= 8  # unconfirmed, it would repeat them

    from meterlab.meter import Manners

    House(manners=Manners(confirm=True)).run(story)


# -- the radio line


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fault",
    ["line.noise 0.3", "line.cut 0.1", "line.lose 0.002", "line.split 0.5", "line.glue 0.5"],
)
def test_a_soiled_line_is_survived(kind: str, fault: str) -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.do(fault)
        await asyncio.sleep(1800)
        assert h.count["poll.ok"] > 20
        h.do(fault.split()[0] + " 0")
        await h.polling(10, polls=5)
        await h.until(lambda: h.status.worst() == (None, None, None))

    House(kind=kind, seed=5).run(story)


@pytest.mark.parametrize("kind", KINDS)
def test_a_module_that_hangs_is_radio_and_comes_back(kind: str) -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.do("module.hang 900")
        await h.word("radio", "module-silent", 10)
        assert led(h) == "fault"
        await h.polling(25)
        assert h.status.worst() == (None, None, None)

    House(kind=kind).run(story)


@pytest.mark.parametrize("kind", KINDS)
def test_a_module_that_forgets_everything_is_set_up_again(kind: str) -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.do("module.reset")
        await asyncio.sleep(60)
        await h.polling(20)
        assert h.status.worst() == (None, None, None)

    House(kind=kind).run(story)


def test_no_module_at_all() -> None:
    async def story(h: House) -> None:
        h.do("module.hang")
        await h.word("radio", "no-module", 5)
        assert "wiring" in h.status.detail("radio")
        h.do("module.reset")
        await h.polling(15)
        assert h.status.worst() == (None, None, None)

    House().run(story)


# -- credentials and distance, told apart


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_password_is_said_everywhere(kind: str) -> None:
    house = House({"broute.password": "BA9876543210"}, kind=kind)

    async def story(h: House) -> None:
        await h.word("config", "wrong-password", 15)
        assert led(h) == "config"
        assert any("wrong-password" in text for text in h.written)
        posts = len(h.server.posts)
        await h.until(lambda: len(h.server.posts) > posts + 1)
        assert (h.server.statuses[-1]["word"], h.server.statuses[-1]["code"]) == (
            "config",
            "wrong-password",
        )
        # and it is not the gateway's fault when the meter was only stubborn
        h.world.node.paa._password = "BA9876543210"
        await h.polling(20)
        assert h.status.worst() == (None, None, None)

    house.run(story)


@pytest.mark.parametrize("kind", KINDS)
def test_wrong_id_is_not_distance(kind: str) -> None:
    async def story(h: House) -> None:
        await h.word("config", "wrong-id", 15)
        assert led(h) == "config"
        await h.until(lambda: h.server.statuses and h.server.statuses[-1]["code"] == "wrong-id")

    House({"broute.id": "00112233445566778899AABB11111111"}, kind=kind).run(story)


@pytest.mark.parametrize("kind", KINDS)
def test_out_of_reach_is_radio_and_passes(kind: str) -> None:
    async def story(h: House) -> None:
        h.world.link.rssi = -120
        await h.word("radio", "no-beacon", 15)
        assert led(h) == "joining"
        h.world.link.rssi = -60
        await h.polling(30)
        assert h.status.worst() == (None, None, None)

    House(kind=kind).run(story)


def test_heard_but_not_joined_is_too_far() -> None:
    async def story(h: House) -> None:
        h.world.link.rssi = -89
        h.do("link.loss 1.0")
        await h.word("radio", "too-far", 15)
        assert led(h) == "too-far"
        h.do("link.loss none")
        h.world.link.rssi = -60
        await h.polling(30)

    House().run(story)


def test_nothing_set_is_a_quiet_board() -> None:
    async def story(h: House) -> None:
        await asyncio.sleep(600)
        assert h.status.code("config") == "missing-settings"
        assert led(h) == "config"
        assert not h.server.posts
        assert not any(name.startswith("restart") for name in h.count)

    settings = ("broute.id", "broute.password", "wifi.ssid", "wifi.key", "server.url")
    House(dict.fromkeys(settings)).run(story)


# -- the meter


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("manners.silent on", "silent"),
        ("manners.wrong_epc 1.0", "silent"),
        ("manners.wrong_tid 1.0", "silent"),
        ("manners.short 1.0", None),
        ("meter.dead on", None),
        ("link.loss 1.0", None),
    ],
)
def test_a_meter_that_answers_wrongly(fault: str, code: str | None) -> None:
    async def story(h: House) -> None:
        await h.polling()
        before = len(h.server.kind("instant"))
        h.do(fault)
        await h.word("meter", code, 15)
        assert led(h) in ("meter", "joining", "too-far")
        await asyncio.sleep(900)
        rows = h.server.kind("instant")
        assert len(rows) - before <= 4, "a wrong answer became a reading"
        name, value = fault.split()
        h.do(f"{name} {'none' if name == 'link.loss' else '0' if '.' in value else 'off'}")
        await h.polling(30)
        assert h.status.worst() == (None, None, None)

    House().run(story)


def test_late_answers_are_filed_under_the_time_they_were_asked() -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.do("link.late 0.5")
        await asyncio.sleep(2 * 3600)
        assert h.count["frame.late"] > 20
        await h.until(lambda: len(h.app.outbox) == 0)
        for row in h.server.kind("instant"):
            # no reading pretends to be younger than its asking: the polls stand on their grid
            assert row[2] <= h.scheduler.utc_ms() // 1000
        times = [r[2] for r in h.server.kind("instant")]
        assert len(times) == len(set(times))

    House().run(story)


def test_a_poll_repeated_until_the_next_is_due_is_one_reading() -> None:
    async def until(h: House, utc: int) -> None:
        await asyncio.sleep(utc - h.scheduler.utc_ms() / 1000)

    async def story(h: House) -> None:
        h.do("manners.notify off")
        slot = START // 1800 * 1800 + 3600
        await until(h, slot + 270)
        phase = max(r[2] for r in h.server.kind("instant")) % 60
        h.do("manners.silent on")
        # The half-hour's value, this poll, once more the value, and the poll is due once more.
        await until(h, slot + 300 + (phase - slot - 300) % 60 + 58)
        h.do("manners.silent off")
        await asyncio.sleep(300)
        times = sorted(r[2] for r in h.server.kind("instant"))
        assert times[-1] > slot + 360
        assert min(b - a for a, b in pairwise(times)) > 3

    House({"poll.interval": 60}).run(story)


def test_a_session_stolen_and_given_back() -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.do("session.steal 900")
        await asyncio.sleep(900)
        await h.polling(30)
        assert h.status.worst() == (None, None, None)

    House().run(story)


@pytest.mark.parametrize("order", ["session.drop", "session.end"])
def test_a_session_lost(order: str) -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.do(order)
        await asyncio.sleep(30)
        await h.polling(15)
        assert h.status.worst() == (None, None, None)

    House().run(story)


def test_the_module_renews_the_session_by_itself() -> None:
    from meterlab.pana import Conduct

    async def story(h: House) -> None:
        await asyncio.sleep(3 * 3600)
        assert h.told["event.joined"] >= 5
        assert h.count["join"] == 1
        assert h.count["poll.ok"] > 340

    House(conduct=Conduct(lifetime_s=1800)).run(story)
