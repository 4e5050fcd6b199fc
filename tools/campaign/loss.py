"""How many minutes stay without a reading when the air loses so much."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from campaign.draw import Scenario
from campaign.play import play
from meterlab.air import Link
from meterlab.trouble import DAY_S

KINDS = ("bp35a1", "bp35c2", "bp35c1-j11-t01")
SHARES = (0.0, 0.05, 0.2, 0.4)
AIM = (0.2, 0.01)  # under so much with such a loss each way


_HOUR = 3_600
_EARLY = 2  # seconds by which a poll may come before its time: clocks are set now and then


@dataclass(frozen=True, slots=True)
class Lost:
    """`share`: of the datagrams lost each way. `minutes` of which `without` have no reading."""

    kind: str
    share: float
    minutes: int
    without: int
    joins: int

    @property
    def gap(self) -> float:
        return self.without / self.minutes


def without(times: Sequence[int], joins: Sequence[float], seconds: int) -> int:
    """Minutes of so many seconds without a reading. A minute begins when a poll is due: that grid
    is a new one with each session, and moves with the clock, so it is found again each hour."""
    ordered = sorted(times)
    count = 0
    marks = {*map(int, joins[1:]), *range(0, seconds, _HOUR), seconds}
    for begin, end in pairwise(sorted(marks)):
        here = Counter(t % 60 for t in ordered if begin <= t < end)
        due = here.most_common(1)[0][0] if here else 0
        for start in range(begin + (due - begin) % 60, min(end, seconds - 59), 60):
            i = bisect_left(ordered, start - _EARLY)
            count += i == len(ordered) or ordered[i] >= start + 60 - _EARLY
    return count


def measure(kind: str, share: float, days: float, seed: int = 1) -> Lost:
    """Days with one poll a minute in a home whose air loses datagrams, and nothing else wrong."""
    scenario = Scenario(
        seed=seed,
        days=days,
        kind=kind,
        paced=False,
        pin=False,
        choices={
            "kind": kind,
            "seed": seed,
            "link": Link(rssi=-60, loss_up=share, loss_down=share),
        },
        settings={"poll.interval": 60, "server.interval": 600, "outbox.window": 600},
    )
    outcome = play(seed, days, scenario=scenario)
    seconds = round(days * DAY_S)
    lost = without(outcome.times, outcome.joins, seconds)
    return Lost(kind, share, seconds // 60, lost, len(outcome.joins))
