"""A year, or the beginning of one, in virtual time, with outages of every length.

The server refuses, is silent, sheds load or speaks nonsense, names are not found, the network is
gone or only looks alive: from a minute to a month, one after the other. Nothing of what was
measured is lost but what the rule for a full outbox thins, and that is counted.

`make soak` plays 365 days; a test run plays fewer (KENSHIN_SOAK_DAYS).
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import Any

import pytest

from gateway import ring
from gateway.uplink import HttpError
from house import REFUSED, House

DAYS = int(os.environ.get("KENSHIN_SOAK_DAYS", "12"))
MINUTE = 60
HOUR = 3600
DAY = 86400
LENGTHS = (MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY, 30 * DAY)
BETWEEN = 8 * HOUR
# Coarse, so that a year fits into minutes: what counts are the outages.
SETTINGS = {
    "poll.interval": 1800,
    "poll.energy": 86400,
    "server.interval": 1800,
    "time.ntp": "192.0.2.2",
}


def _refuses(h: House) -> None:
    h.server.raises = REFUSED


def _silent(h: House) -> None:
    h.server.raises = HttpError("timeout", "no answer in 20 s")


def _slow(h: House) -> None:
    h.server.raises = HttpError("slow", "no answer in 20 s")


def _nameless(h: House) -> None:
    h.server.raises = HttpError("dns", "server.home: no answer from the name server 192.0.2.254")


def _sheds(h: House) -> None:
    h.server.reply = lambda message: (503, {"retry-after": "600"}, b"")


def _nonsense(h: House) -> None:
    h.server.reply = lambda message: (200, {"content-type": "text/html"}, b"<html>login</html>")


def _no_link(h: House) -> None:
    h.board.net.alive = False


HOPELESS = "Hopeless: connected, and nothing gets through, for hours"
TROUBLES = (_refuses, _no_link, _sheds, _silent, _nonsense, _nameless, _slow)


def _mend(h: House) -> None:
    h.server.raises = None
    h.server.reply = None
    h.board.net.alive = True


class Year(House):
    """A house whose board starts anew when the gateway asks for it, as main.py does."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)
        self.made: set[int] = set()  # numbers given to readings
        self.counted: Counter[str] = Counter()  # by the runs before
        self.starts: list[str] = []  # what they ended with

    def switch_on(self) -> None:
        super().switch_on()
        append = self.app.outbox.append

        def counting(reading: Any) -> int:
            number = append(reading)
            self.made.add(number)
            return number

        self.app.outbox.append = counting

    async def keep(self) -> None:
        while True:
            main = self._main
            assert main is not None
            try:
                await asyncio.shield(main)
            except Exception as e:  # noqa: BLE001  main.py hears all of them, too
                self.starts.append(f"{type(e).__name__}: {e}")
            await self.app.leave()
            self.counted.update(self.count)
            self.board.reset_cause = lambda: "hard: " + self.starts[-1]
            await asyncio.sleep(10)
            self.switch_on()

    def total(self) -> Counter[str]:
        return self.counted + Counter(self.count)

    def whole(self) -> None:
        """Every reading was received, or it was thinned by the rule and counted."""
        count = self.total()
        missing = self.made - self.server.rows.keys()
        log = "\n".join(ring.lines(self.app.log))
        thinned = sum(n for name, n in count.items() if name.startswith("dropped."))
        assert len(missing) == thinned, (sorted(missing)[:20], thinned, log)
        assert "dropped.half-hour" not in count
        assert set(self.starts) <= {HOPELESS}, self.starts
        died = {name for name in count if name.startswith("restart.")}
        assert not died and count["board.restart"] == len(self.starts), log
        assert "memory-error" not in count and "flash.failed" not in count, log


@pytest.mark.timeout(3600)
def test_a_year_with_outages_of_every_length() -> None:
    played: list[str] = []

    async def story(h: Year) -> None:
        loop = asyncio.get_running_loop()
        keeper = loop.create_task(h.keep())
        begun = loop.time()
        turn = 0
        while True:
            await asyncio.sleep(BETWEEN)
            # Eight lengths and seven troubles: each meets each in time.
            length = LENGTHS[turn % len(LENGTHS)]
            trouble = TROUBLES[turn % len(TROUBLES)]
            if loop.time() - begun + length + BETWEEN > DAYS * DAY:
                break
            turn += 1
            trouble(h)
            await asyncio.sleep(length)
            if length >= HOUR:
                assert h.status.code("server") or h.status.code("network"), trouble
            _mend(h)
            played.append(f"{trouble.__name__} {length}")
            # At most one pause, the hour that a server may ask for, and then the backlog.
            await h.until(lambda: len(h.app.outbox) == 0, 180)
            h.whole()
            # What was checked is forgotten, so that a year fits into memory.
            h.server.posts.clear()
            h.server.statuses.clear()
        await h.until(lambda: h.status.worst() == (None, None, None), 60)
        keeper.cancel()

    house = Year()
    try:
        house.run(story, hours=(DAYS + 40) * 24)
    finally:
        print(f"{len(played)} outages, {len(house.made)} readings, {len(house.starts)} new starts")
        print(", ".join(played))
        print(dict(house.total()))
    assert len(played) >= min(len(LENGTHS), DAYS // 3)
