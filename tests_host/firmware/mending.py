"""A house whose half-hours have holes, and how much is asked to mend them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from house import START, House
from meterlab import frames
from meterlab.household import DAY, JST
from meterlab.metering import NO_DATA, SLOT

TODAY = (START + JST) // DAY
HISTORIES = {0xE2, 0xE4, 0xEC, 0xEE, 0xE5, 0xED, 0xEF}
_BY_DAY = 600 - 60  # s from midnight; the meter's clock is known to the minute
# Uploads and polls as an owner may set them, so that a story takes less of the test's time.
BRISK = {"poll.interval": 300, "server.interval": 30}


class Mending(House):
    """Listens to what the meter is asked of its history, and judges what the server got."""

    def build(self) -> None:
        super().build()
        self.asked: list[tuple[int, int, int, bytes]] = []  # UTC, service, EPC, EDT
        self.rivals: list[Any] = []  # servers that are no more
        answer = self.world.meter.answer

        def heard(payload: bytes) -> bytes | None:
            message = frames.parse(payload)
            assert message is not None
            for epc, edt in message.properties:
                if epc in HISTORIES and message.target == frames.METER:
                    self.asked.append((self.utc(), message.service, epc, edt))
            return answer(payload)

        self.world.meter.answer = heard

    def utc(self) -> int:
        return self.scheduler.utc_ms() // 1000

    def truth(self, t: int) -> tuple[int | None, int | None]:
        """(normal, reverse) in 0.1 Wh as the meter's counters stood at `t`."""
        kit = self.world.meter.metering.equipment
        count = 10 ** {1: 3, 2: 2}[kit.unit] * (kit.coefficient or 1)
        normal, reverse = self.world.meter.metering.slot(t)
        return (
            None if normal == NO_DATA else normal * count,
            None if reverse == NO_DATA else reverse * count,
        )

    def got(self) -> dict[int, list[Any]]:
        """The half-hours at the server; each value is the truth, or this fails."""
        slots: dict[int, list[Any]] = {}
        for row in self.server.kind("half-hour"):
            normal, reverse = self.truth(row[2])
            assert row[7] in (None, normal) and row[8] in (None, reverse), row
            assert row[3] == "meter" and row[4:7] == [None, None, None]
            have = slots.setdefault(row[2], row)
            have[7:9] = [b if a is None else a for a, b in zip(have[7:9], row[7:9], strict=True)]
        return slots

    def holes(self, days: int = 99, until: int | None = None) -> list[int]:
        """Half-hours of the last `days` (and today) that the server lacks, wholly or in part."""
        got = self.got()
        first = (self.utc() + JST) // DAY - days
        last = self.utc() - 3600 if until is None else until
        found: list[int] = []
        for t in range(first * DAY - JST, last, SLOT):
            normal, reverse = self.truth(t)
            row = got.get(t)
            if normal is not None and (row is None or row[7] != normal or row[8] != reverse):
                found.append(t)
        return found

    def requests(self) -> Counter[int]:
        """How often each EPC was asked for, or set."""
        return Counter(epc for _, _, epc, _ in self.asked)

    async def mended(self, days: int = 99, minutes: float = 600) -> None:
        """Wait until nothing is missing."""
        for _ in range(int(minutes)):
            await asyncio.sleep(60)
            told = self.app.repair.told
            # What an own look costs is a hundred times as much.
            if told and not told["missing"] and not self.holes(days):
                return
        raise AssertionError(f"{len(self.holes(days))} holes left; {self.app.repair.told}")

    async def ended(self) -> None:
        """Wait for the end of the round."""
        for _ in range(1200):
            await asyncio.sleep(30)
            if self.app.repair.at is None and self.app.repair.told:
                return
        raise AssertionError(f"the round does not end: {self.app.repair.told}")

    def calm(self) -> None:
        """From now on uploads are rare: a story that lasts for days."""
        self.app.uplink.interval = 900

    async def cut(self) -> None:
        """The power goes: nothing is kept that was not kept before."""
        await self.switch_off()
        await self.app.supervisor.stop()

    def polite(self) -> None:
        """History was never asked for around a half-hour or around midnight."""
        for utc, _, epc, _ in self.asked:
            assert 360 <= utc % SLOT < 1740, f"{epc:02X} {utc % SLOT} s after the half-hour"
            assert _BY_DAY <= (utc + JST) % DAY < DAY - _BY_DAY


def meter(story: Any = None, settings: dict[str, Any] | None = None, **choices: Any) -> Any:
    """A decorator: plays the story below as a test."""

    def wrap(story: Any) -> Any:
        def test() -> None:
            Mending({**BRISK, **(settings or {})}, **choices).run(story, hours=24 * 120)

        test.__doc__ = story.__doc__
        return test

    return wrap
