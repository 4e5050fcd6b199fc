"""How many minutes stay without a reading when the air loses so much."""

from __future__ import annotations

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
    """Minutes without a reading. A minute begins when a poll is due, and that grid is a new one
    with each session: so from join to join, up to so many seconds."""
    count = 0
    for begin, end in pairwise([0.0, *joins[1:], float(seconds)]):
        here = [t for t in times if begin <= t < end]
        due = Counter(t % 60 for t in here).most_common(1)[0][0] if here else 0
        had = {(t - due + 2) // 60 for t in here}
        count += max(int((end - begin) / 60) - len(had), 0)
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
