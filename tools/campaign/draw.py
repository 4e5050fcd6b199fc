"""What a seed means: a home, a meter, a module, a board, and what goes wrong in so many days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from meterlab.air import Link
from meterlab.meter import Manners
from meterlab.metering import Equipment
from meterlab.modules.sk_products import PRODUCTS
from meterlab.pana import Conduct

FIRST_S = 600  # the first fault comes after the gateway could settle
LAST_S = 5_400  # and the last one is over so long before the end
KINDS = tuple(PRODUCTS)
_PAUSE_S = 6 * 3_600  # on average, between two spells of trouble


@dataclass(frozen=True, slots=True)
class Fault:
    """From `at` on, for `seconds` (0: a moment), seconds of the campaign's time.

    `begin`, `end`: orders as meterlab.control knows them, or a deed of the house ("board.restart",
    "net.off", "server.500" ...). `cuts`: no value can come from the meter meanwhile. `name` is the
    part that it changes: two of one name are never there at once.
    """

    at: float
    seconds: float
    name: str
    begin: str
    end: str | None
    cuts: bool

    @property
    def until(self) -> float:
        return self.at + self.seconds

    def __str__(self) -> str:
        spell = f" for {self.seconds:.0f} s" if self.seconds else ""
        return f"{self.begin}{spell} at {self.at:.0f} s"


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything that follows from a seed. `choices` goes to meterlab's Plan."""

    seed: int
    days: float
    kind: str
    paced: bool
    pin: bool  # the board can reset the module
    choices: dict[str, Any]
    settings: dict[str, Any]
    faults: list[Fault] = field(default_factory=list[Fault])


# What may go wrong: the part, the order, the order that ends it, and whether it cuts the meter
# off. A name that stands more often is drawn more often.
_Draw = Callable[[Random], tuple[str, str | None, bool]]


def _share(low: float, high: float, order: str) -> _Draw:
    return lambda rng: (f"{order} {rng.uniform(low, high):.3f}", f"{order} 0", False)


def _always(begin: str, end: str | None = None, *, cuts: bool = False) -> _Draw:
    return lambda _: (begin, end, cuts)


def _loss(rng: Random) -> tuple[str, str | None, bool]:
    return f"link.loss {rng.uniform(0.05, 0.5):.2f}", "link.loss none", False


SPELLS: tuple[tuple[str, _Draw], ...] = (
    ("link.loss", _loss),
    ("link.loss", _loss),
    ("link.loss", _always("link.loss 1.0", "link.loss none", cuts=True)),
    ("link.rssi", lambda rng: (f"link.rssi {rng.randrange(-91, -82)}", "link.rssi", False)),
    ("link.rssi", _always("link.rssi -120", "link.rssi", cuts=True)),
    ("link.late", lambda rng: (f"link.late {rng.uniform(0.1, 0.6):.2f}", "link.late none", False)),
    ("link.tail", lambda rng: (f"link.tail {rng.uniform(0.2, 1.0):.2f}", "link.tail none", False)),
    ("meter.dead", _always("meter.dead on", "meter.dead off", cuts=True)),
    ("manners.silent", _always("manners.silent on", "manners.silent off", cuts=True)),
    ("manners.wrong_epc", _share(0.1, 0.6, "manners.wrong_epc")),
    ("manners.wrong_tid", _share(0.1, 0.6, "manners.wrong_tid")),
    ("manners.short", _share(0.1, 0.6, "manners.short")),
    ("conduct.rejoin_refusal", _share(0.5, 1.0, "conduct.rejoin_refusal")),
    ("line.noise", _share(0.02, 0.3, "line.noise")),
    ("line.cut", _share(0.01, 0.15, "line.cut")),
    ("line.lose", _share(0.0005, 0.004, "line.lose")),
    ("line.lose_in", _share(0.0005, 0.004, "line.lose_in")),
    ("line.double", _share(0.02, 0.3, "line.double")),
    ("line.split", _share(0.05, 0.6, "line.split")),
    ("line.glue", _share(0.05, 0.6, "line.glue")),
    ("net", _always("net.off", "net.on")),
    ("time", _always("time.off", "time.on")),
    ("server", lambda rng: (f"server.{rng.choice(_SERVER)}", "server.ok", False)),
    ("server", lambda rng: (f"server.{rng.choice(_SERVER)}", "server.ok", False)),
)
_SERVER = ("refused", "timeout", "500", "503", "html", "401", "lost")

MOMENTS: tuple[tuple[str, _Draw], ...] = (
    ("session", _always("session.drop")),
    ("session", _always("session.end")),
    ("module", _always("module.reset")),
    ("board", _always("board.restart")),
)


def _steal(rng: Random, seconds: float) -> tuple[str, str | None, bool]:
    return f"session.steal {seconds:.0f}", None, True


def _hang(rng: Random, seconds: float) -> tuple[str, str | None, bool]:
    return f"module.hang {seconds:.0f}", None, True


def draw(seed: int, days: float) -> Scenario:
    """The scenario of a seed: the same one always."""
    rng = Random(f"campaign {seed}")
    lifetime = rng.choice((3_600, 21_600, 86_400, 86_400))
    equipment = Equipment(
        coefficient=rng.choice((1, 1, 1, None, 20)),
        unit=rng.choice((0x02, 0x02, 0x01, 0x03)),
        digits=rng.choice((6, 7, 8)),
        reverse=rng.random() < 0.75,
        slots=rng.random() < 0.6,
        history_days=rng.choice((99, 99, 14)),
        whole_amperes=rng.random() < 0.15,
        two_wire=rng.random() < 0.15,
        initial=rng.choice((0, 0, 999_000)),
        clock_offset=rng.choice((0, 0, 0, rng.randrange(-40, 41))),
    )
    manners = Manners(
        limit=rng.choice((6, 6, 6, 5, 3, 2)),
        notify=rng.random() < 0.9,
        confirm=rng.random() < 0.2,
        apart=rng.random() < 0.2,
    )
    conduct = Conduct(
        lifetime_s=lifetime,
        newcomer=rng.choice(("refuse", "replace")),
        stale_refusals=rng.choice(((0, 0), (1, 1), (1, 2))),
    )
    choices: dict[str, Any] = {
        "kind": KINDS[seed % len(KINDS)],
        "seed": seed,
        "solar": rng.choice((0, 0, 4_000)),
        "equipment": equipment,
        "manners": manners,
        "conduct": conduct,
        "link": Link(rssi=rng.randrange(-78, -44)),
    }
    return Scenario(
        seed=seed,
        days=days,
        kind=choices["kind"],
        paced=rng.random() < 0.25,
        pin=rng.random() < 0.5,
        choices=choices,
        settings={"poll.interval": 60, "server.interval": rng.choice((60, 120, 300))},
        faults=_faults(rng, days * 86_400 - LAST_S, f"link.rssi {choices['link'].rssi}"),
    )


def _faults(rng: Random, end: float, rssi: str) -> list[Fault]:
    """Spells of trouble, hours apart; in each third one two or three at once."""
    faults: list[Fault] = []
    at = FIRST_S + rng.uniform(0, _PAUSE_S)
    while at < end:
        over = at
        used: set[str] = set()
        for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
            start = at + (rng.uniform(0, 900) if used else 0)
            fault = _fault(rng, start, end, rssi)
            if fault.name in used or fault.until > end:
                continue
            used.add(fault.name)
            faults.append(fault)
            over = max(over, fault.until)
        at = over + rng.expovariate(1 / _PAUSE_S) + 60
    return sorted(faults, key=lambda fault: fault.at)


def _fault(rng: Random, at: float, end: float, rssi: str) -> Fault:
    seconds = round(min(60 * 10 ** rng.uniform(0, 2.5), end - at), 3)  # a minute to five hours
    dice = rng.random()
    if dice < 0.25:
        name, make = rng.choice(MOMENTS)
        begin, over, cuts = make(rng)
        return Fault(at, 0, name, begin, over, cuts)
    if dice < 0.35:
        begin, over, cuts = (_hang if dice < 0.3 else _steal)(rng, seconds)
        return Fault(at, seconds, begin.partition(" ")[0], begin, over, cuts)
    name, make = rng.choice(SPELLS)
    begin, over, cuts = make(rng)
    return Fault(at, seconds, name, begin, rssi if over == "link.rssi" else over, cuts)
