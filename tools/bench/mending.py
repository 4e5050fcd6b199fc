"""The part about what it takes to mend a hole in the half-hours: the whole gateway in virtual
time, against the simulated meter, module and radio."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bench.report import Section, Table, number
from campaign.house import START, House
from meterlab import frames
from meterlab.air import Link
from meterlab.household import DAY, JST
from meterlab.metering import SLOT, Equipment

_TODAY = (START + JST) // DAY
_DAYS_KEPT = 99
_SETS = frozenset((0xE5, 0xED, 0xEF))
_LIMIT_H = 72


@dataclass(slots=True)
class Mended:
    """`requests`: to the meter's history, those that set included. `minutes`: simulated, from the
    start of the board. `gap`: the longest time between two live readings, in seconds."""

    slots: int
    requests: int
    sets: int
    minutes: int
    gap: int


@dataclass
class Hole(House):
    """A gateway that was without power for `days`; before that it delivered everything."""

    days: int = 30
    equipment: Equipment = field(default_factory=Equipment)
    loss: float = 0.0

    def __post_init__(self) -> None:
        link = Link(loss_up=self.loss, loss_down=self.loss) if self.loss else Link()
        super().__init__(
            equipment=self.equipment, link=link, installed=_TODAY - _DAYS_KEPT - 1, solar=4_000
        )

    def build(self) -> None:
        super().build()
        self.asked: Counter[int] = Counter()
        answer = self.world.meter.answer

        def heard(payload: bytes) -> bytes | None:
            message = frames.parse(payload)
            if message is not None and message.target == frames.METER:
                self.asked.update(epc for epc, _ in message.properties)
            return answer(payload)

        self.world.meter.answer = heard

    def switch_on(self) -> None:
        super().switch_on()
        repair: Any = self.app.repair
        for t in range((_TODAY - _DAYS_KEPT) * DAY - JST, START - self.days * DAY, SLOT):
            repair.delivered(t)

    def lacking(self) -> int:
        """Half-hours of the hole that the server has not."""
        have = {row[2] for row in self.server.kind("half-hour") if row[7] is not None}
        first = max((START - self.days * DAY) // SLOT + 1, ((_TODAY - 99) * DAY - JST) // SLOT)
        return sum(k * SLOT not in have for k in range(first, START // SLOT))

    async def story(self, _: House) -> Mended:
        slots = self.lacking()
        minutes = 0
        while self.lacking():
            await asyncio.sleep(60)
            minutes += 1
            if minutes > _LIMIT_H * 60:
                raise RuntimeError(f"a hole of {self.days} days is not mended in {_LIMIT_H} h")
        histories = {e: self.asked[e] for e in (0xE2, 0xE4, 0xE5, 0xEC, 0xED, 0xEE, 0xEF)}
        await asyncio.sleep(300)
        # After the clock was set right, which looks like a pause.
        times = sorted(row[2] for row in self.server.kind("instant") if row[2] > START + 60)
        gap = max(b - a for a, b in zip(times, times[1:], strict=False))
        sets = sum(histories[e] for e in _SETS)
        return Mended(slots, sum(histories.values()), sets, minutes, gap)


_NO_DAYS = frozenset((0xE2, 0xE4, 0xE5))
_CASES: tuple[tuple[str, int, Equipment, float], ...] = (
    ("30 days, both directions (E2, E4)", 30, Equipment(), 0.0),
    ("30 days, normal direction only (E2)", 30, Equipment(reverse=False), 0.0),
    ("30 days, by half-hours only (EC)", 30, Equipment(lacks=_NO_DAYS), 0.0),
    ("30 days, a fifth lost each way", 30, Equipment(), 0.2),
    ("1 day", 1, Equipment(), 0.0),
    ("99 days: a new installation", 99, Equipment(), 0.0),
)


def mend(days: int, equipment: Equipment | None = None, loss: float = 0.0) -> Mended:
    """A hole of so many days, mended."""
    hole = Hole(days, equipment or Equipment(), loss)
    return hole.run(hole.story, hours=_LIMIT_H + 1)


def section() -> Section:
    """The table; a hole that is not mended is a fault."""
    table = Table(
        "Mending holes in the half-hours",
        "In virtual time: the gateway's own code with its default settings (a poll each 30 s, an "
        "upload a minute), against the simulated meter and radio. Time counts from the start of "
        "the board to the last missing half-hour at the server; nothing is asked around the half "
        "hours and midnight, and nothing more before what was read is delivered. The last column "
        "is the longest pause between two live readings meanwhile.",
        ("hole", "half-hours", "requests", "of them Sets", "minutes", "pause of live readings, s"),
    )
    for name, days, equipment, loss in _CASES:
        done = mend(days, equipment, loss)
        table.add(
            name,
            number(done.slots),
            number(done.requests),
            number(done.sets),
            number(done.minutes),
            number(done.gap),
        )
    return Section([table])
