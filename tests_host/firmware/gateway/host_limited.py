"""A transmit budget that is used up is told as that, on every module, and costs no session."""

from __future__ import annotations

import asyncio

import pytest

from house import House
from meterlab.meter import Manners

KINDS = ("bp35a1", "bp35c2", "bp35c1-j11-t01")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("notify", [True, False])
def test_a_used_up_budget_is_waited_for_in_the_session(kind: str, notify: bool) -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.do("traits.limit_ms 0")
        await h.word("radio", "limited", 4)
        before = h.count["join"], h.count.get("poll.ok", 0)
        for _ in range(50):
            await asyncio.sleep(60)
            assert h.status.worst()[:2] == ("radio", "limited")
        assert (h.count["join"], h.count.get("poll.ok", 0)) == before
        assert not any(name.startswith("restart") for name in h.count), h.count
        assert "link.lost" not in h.count
        # it says nothing of the meter or of the signal
        assert (h.status.silent, h.status.unsent) == (0, 0) and not h.status.far
        h.do("traits.limit_ms 360000")
        await h.polling(7)
        assert h.status.worst() == (None, None, None)
        assert h.count["join"] == before[0]

    House(kind=kind, manners=Manners(notify=notify)).run(story)


@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_that_runs_out_before_the_constants_are_known(kind: str) -> None:
    async def story(h: House) -> None:
        await h.until(lambda: h.app.driver and h.app.driver.joined)
        await h.until(lambda: h.app.session.map)
        h.do("traits.limit_ms 0")
        await h.word("radio", "limited", 4)
        await asyncio.sleep(2400)
        assert h.status.worst()[:2] == ("radio", "limited")
        assert not any(name.startswith("restart") for name in h.count), h.count
        assert h.count["join"] == 1
        h.do("traits.limit_ms 360000")
        await h.polling(7)

    House(kind=kind).run(story)


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_lost_while_the_budget_is_used_up(kind: str) -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.do("traits.limit_ms 0")
        await h.word("radio", "limited", 4)
        h.do("session.end")
        await asyncio.sleep(2400)
        assert h.status.worst()[:2] == ("radio", "limited")
        h.do("traits.limit_ms 360000")
        await h.polling(7)
        assert h.status.worst() == (None, None, None)

    House(kind=kind).run(story)


def test_a_poll_that_waited_until_the_next_was_due_stands_for_that_too() -> None:
    async def story(h: House) -> None:
        await h.polling()
        for late in (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2):
            n = h.count["poll.ok"]
            await h.until(lambda n=n: h.count["poll.ok"] > n)
            await asyncio.sleep(60 - late)
            # The module says that it is over its budget; when it is asked, in 60 s, it is not.
            h.app.driver.on_event(0x32, None)
            assert h.app.driver.gate == "limited"
            await asyncio.sleep(240)
        await asyncio.sleep(900)
        times = [row[2] for row in h.server.kind("instant")]
        assert len(times) > 20
        assert min(b - a for a, b in zip(times, times[1:], strict=False)) >= 2, times

    House({"poll.interval": 60}, kind="bp35a1").run(story)
