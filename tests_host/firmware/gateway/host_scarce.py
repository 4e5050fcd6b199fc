"""Where memory is scarce, what talks with the meter comes and goes, and nothing is lost by it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator

import pytest

from gateway.session import Session
from house import START, House
from meterlab.household import day_of

TODAY = day_of(START)


@pytest.fixture(autouse=True)
def scarce(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(Session, "scarce", lambda _: True)
    yield


def _play(story: object, **choices: object) -> None:
    House(None, installed=TODAY, **choices).run(story)  # pyright: ignore[reportArgumentType]


def test_the_talk_is_there_only_to_talk() -> None:
    async def story(h: House) -> None:
        await h.polling()
        there = 0
        for _ in range(600):
            await asyncio.sleep(1)
            live = h.app.session.live
            assert (live is not None) == ("gateway.live" in sys.modules)
            there += live is not None
        assert 0 < there < 300  # of ten minutes with twenty polls, and a look at today's history

    _play(story)


@pytest.mark.parametrize("kind", ["bp35a1", "bp35c2", "bp35c0-j11"])
def test_every_poll_and_every_half_hour_arrives(kind: str) -> None:
    async def story(h: House) -> None:
        await h.polling()
        await asyncio.sleep(4 * 3600)
        await h.until(lambda: len(h.app.outbox) == 0, 3)
        assert len(h.server.kind("instant")) >= 4 * 120 - 2
        slots = h.server.kind("half-hour")
        assert len({row[2] for row in slots}) == len(slots) >= 8
        assert "inf" in {row[9] for row in slots}  # announced while nothing was loaded
        assert "frame.early" not in h.count
        assert "poll.failed" not in h.count

    _play(story, kind=kind)


def test_a_session_that_ends_in_a_nap_is_joined_again() -> None:
    async def story(h: House) -> None:
        await h.polling()
        await h.until(lambda: h.app.session.live is None and h.app.driver.joined)
        h.do("session.end")
        joined = h.count.get("joined", 0)
        await h.until(lambda: h.count.get("joined", 0) > joined, 5)
        await h.polling()

    _play(story)


def test_an_errand_that_the_talk_does_not_let_in_gives_up() -> None:
    async def story(h: House) -> None:
        await h.polling()
        session = h.app.session
        await h.until(lambda: session.live is not None)
        assert not await session.step_aside(0)  # it asks the meter just now
        assert session.wanted
        session.come_back()
        assert session.wanted is None
        await h.polling()

    _play(story)


def test_json_lines_come_all_the_same() -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.keys.stream.feed_data(b"json on\r")
        await asyncio.sleep(300)
        lines = [line for line in "".join(h.written).splitlines() if line.startswith("{")]
        assert 100 < len(lines) <= 301
        assert {json.loads(line)["phase"] for line in lines} == {"running"}

    _play(story)


def test_two_errands_share_the_room() -> None:
    async def story(h: House) -> None:
        await h.polling()
        session = h.app.session
        assert await session.step_aside(70_000) and await session.step_aside(70_000)
        session.come_back()
        ok = h.count["poll.ok"]
        await asyncio.sleep(120)
        assert session.live is None and h.count["poll.ok"] == ok  # the other one is not back
        session.come_back()
        await h.polling()

    _play(story)
