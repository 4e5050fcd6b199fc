"""What a seed means: a home, a meter, a module, a board, and what goes wrong in so many days."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from meterlab import trouble
from meterlab.air import Link
from meterlab.meter import Manners
from meterlab.metering import METERS
from meterlab.pana import Conduct
from meterlab.trouble import Fault
from meterlab.world import KINDS

TODAY = 20_764  # JST day number of the start
# For how many days the meter has measured before. It keeps 99, and the gateway fetches them.
KNOWN = (1, 2, 3, 5, 8, 13, 21, 163)
HOUSE = "house."  # names of faults that are not the radio's begin so
CALM_S = 7_200.0  # at the end, or less when there are few days
PER_DAY = 2.0  # of the house's, beside the eight of the radio

# What may go wrong in the house, by the orders that Trial knows: how often, and for how long.
_HOUSE = (
    ("net.off", 3, (60.0, 18_000.0)),
    ("time.off", 1, (3_600.0, 86_400.0)),
    ("server.refused", 2, (60.0, 18_000.0)),
    ("server.timeout", 1, (60.0, 18_000.0)),
    ("server.lost", 2, (60.0, 3_600.0)),
    ("server.500", 1, (60.0, 18_000.0)),
    ("server.503", 1, (60.0, 3_600.0)),
    ("server.401", 1, (60.0, 3_600.0)),
    ("server.html", 1, (60.0, 3_600.0)),
    ("board.restart", 4, (0.0, 0.0)),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that follows from a seed. `paced`: the line takes its time. `pin`: the board can
    reset the module. `choices`: for meterlab's Plan. `settings`: those of the gateway."""

    seed: int
    days: float
    kind: str
    paced: bool
    pin: bool
    choices: dict[str, Any]
    settings: dict[str, Any]
    faults: list[Fault] = field(default_factory=list[Fault])


def draw(seed: int, days: float) -> Scenario:
    """The scenario of a seed: the same one always."""
    rng = Random(f"campaign {seed}")
    kind = KINDS[seed % len(KINDS)]
    equipment = replace(
        METERS[rng.choice(("full", "full", "full", *METERS))],
        initial=rng.choice((0, 0, 0, 900_000)),
        clock_offset=rng.choice((0, 0, 0, rng.randrange(-40, 41))),
    )
    manners = Manners(
        limit=rng.choice((6, 6, 6, 5, 3, 2)),
        notify=rng.random() < 0.9,
        confirm=rng.random() < 0.2,
        apart=rng.random() < 0.2,
    )
    conduct = Conduct(
        lifetime_s=rng.choice((3_600, 21_600, 86_400, 86_400)),
        newcomer=rng.choice(("refuse", "replace")),
        stale_refusals=rng.choice(((0, 0), (1, 1), (1, 2))),
    )
    calm_s = min(CALM_S, days * trouble.DAY_S / 8)
    faults = trouble.draw(seed, days, kind, calm_s=calm_s)
    faults += _house(rng, days * trouble.DAY_S - calm_s)
    return Scenario(
        seed=seed,
        days=days,
        kind=kind,
        paced=rng.random() < 0.25,
        pin=rng.random() < 0.5,
        choices={
            "kind": kind,
            "seed": seed,
            "solar": rng.choice((0, 0, 4_000)),
            "equipment": equipment,
            "manners": manners,
            "conduct": conduct,
            "link": Link(rssi=rng.randrange(-78, -44)),
            "neighbours": rng.choice((0, 0, 1, 2)),
            "installed": TODAY - Random(f"installed {seed}").choice(KNOWN),
        },
        settings={
            "poll.interval": 60,
            "server.interval": rng.choice((60, 300, 600, 900)),
            "outbox.window": rng.choice((0, 60, 300, 600, 600)),
        },
        faults=sorted(faults, key=lambda fault: fault.at_s),
    )


def _house(rng: Random, end: float) -> list[Fault]:
    faults: list[Fault] = []
    at = rng.expovariate(PER_DAY / trouble.DAY_S)
    weights = [weight for _, weight, _ in _HOUSE]
    while at < end:
        order, _, (low, high) = rng.choices(_HOUSE, weights)[0]
        lasts = math.exp(rng.uniform(math.log(low), math.log(high))) if high else 0.0
        lasts = round(min(lasts, end - at), 3)
        faults.append(Fault(round(at, 3), lasts, (order,), HOUSE + order.partition(".")[0]))
        at += lasts + rng.expovariate(PER_DAY / trouble.DAY_S)
    return faults
