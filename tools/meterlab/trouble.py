"""What goes wrong: faults with a beginning and an end, drawn from a seed.

    faults = draw(seed, days, kind)      # sorted by time
    Control(world, line).play(faults)    # from now on
    last_end(faults)                     # seconds from now until all is well

The same seed, days and kind draw the same faults on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random

from meterlab.modules.j11_products import J11_KINDS

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Fault:
    """`orders` hold from `at_s` (seconds from the start) for `lasts_s`; those that are deeds are
    done once at its beginning. `name`: of its kind, `group.what`. `cuts`: while it lasts the host
    may not reach the meter at all, whatever it does."""

    at_s: float
    lasts_s: float
    orders: tuple[str, ...]
    name: str = "told"
    cuts: bool = False

    @property
    def end_s(self) -> float:
        return self.at_s + self.lasts_s

    def __str__(self) -> str:
        day, second = divmod(round(self.at_s), 86_400)
        clock = f"{day}d {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        return f"{clock} for {self.lasts_s:.0f} s: {self.name} ({', '.join(self.orders)})"


def last_end(faults: Sequence[Fault]) -> float:
    """Seconds from the start until the last fault is over; 0 without any."""
    return max((fault.end_s for fault in faults), default=0.0)


Make = Callable[[Random, float], tuple[str, ...]]  # of a generator and the seconds it lasts


@dataclass(frozen=True, slots=True)
class _Kind:
    """`weight`: how often, beside the others. `span`: seconds that it lasts."""

    name: str
    weight: int
    span: tuple[float, float]
    make: Make
    cuts: bool = False
    protocol: str | None = None


def _share(order: str, low: float, high: float) -> Make:
    return lambda rng, _: (f"{order} {rng.uniform(low, high):.4f}",)


def _fixed(*orders: str) -> Make:
    return lambda _rng, _lasts: orders


def _timed(order: str) -> Make:
    return lambda _rng, lasts: (f"{order} {lasts:.0f}",)


def _loss(rng: Random, _: float) -> tuple[str, ...]:
    up, down = rng.uniform(0.05, 0.4), rng.uniform(0.05, 0.4)
    return f"link.loss_up {up:.3f}", f"link.loss_down {down:.3f}"


def _weak(rng: Random, _: float) -> tuple[str, ...]:
    return (f"link.rssi {rng.randrange(-92, -83)}",)


def _move(rng: Random, _: float) -> tuple[str, ...]:
    return (f"meter.move {0x21 + 2 * rng.randrange(14):02X}",)


def _steal(rng: Random, lasts: float) -> tuple[str, ...]:
    newcomer = rng.choice(("refuse", "refuse", "replace"))
    return f"conduct.newcomer {newcomer}", f"session.steal {lasts:.0f}"


def _short_life(rng: Random, _: float) -> tuple[str, ...]:
    return f"conduct.lifetime_s {rng.randrange(300, 3_600)}", "session.expire"


def _no_beacon(rng: Random, _: float) -> tuple[str, ...]:
    return f"link.beacon_loss {rng.uniform(0.5, 0.95):.2f}", "meter.move 2B"


_MIN, _HOUR = 60.0, 3_600.0
_MOMENT = (0.0, 0.0)
_LONG = (5 * _MIN, 6 * _HOUR)
_SHORT = (_MIN, _HOUR)

CATALOGUE = (
    _Kind("line.lose", 4, _SHORT, _share("line.lose", 0.0005, 0.01)),
    _Kind("line.lose_in", 4, _SHORT, _share("line.lose_in", 0.0005, 0.01)),
    _Kind("line.noise", 4, _SHORT, _share("line.noise", 0.02, 0.3)),
    _Kind("line.noise_in", 2, _SHORT, _share("line.noise_in", 0.02, 0.2)),
    _Kind("line.double", 3, _SHORT, _share("line.double", 0.02, 0.3)),
    _Kind("line.split", 3, _SHORT, _share("line.split", 0.05, 0.6)),
    _Kind("line.cut", 3, _SHORT, _share("line.cut", 0.01, 0.2)),
    _Kind("line.glue", 2, _SHORT, _share("line.glue", 0.1, 0.9), protocol="sk"),
    _Kind("link.loss", 10, _LONG, _loss),
    _Kind("link.weak", 8, _LONG, _weak),
    _Kind("link.far", 2, (5 * _MIN, 2 * _HOUR), _fixed("link.rssi -108"), cuts=True),
    _Kind("link.slow", 5, _LONG, _share("link.tail", 0.3, 0.9)),
    _Kind("link.late", 6, _LONG, _share("link.late", 0.1, 0.6)),
    _Kind("link.beacons", 2, _SHORT, _no_beacon),
    _Kind(
        "meter.dark",
        3,
        (10.0, 3 * _HOUR),
        _fixed("meter.dead on", "session.drop"),
        cuts=True,
    ),
    _Kind("meter.silent", 4, (_MIN, _HOUR), _fixed("manners.silent on"), cuts=True),
    _Kind("meter.moved", 3, _MOMENT, _move),
    _Kind("meter.wrong_tid", 4, _LONG, _share("manners.wrong_tid", 0.05, 0.5)),
    _Kind("meter.wrong_epc", 2, _LONG, _share("manners.wrong_epc", 0.05, 0.3)),
    _Kind("meter.short", 2, _LONG, _share("manners.short", 0.05, 0.3)),
    _Kind("meter.mute", 3, _LONG, _fixed("manners.notify off")),
    _Kind("meter.confirm", 2, _LONG, _fixed("manners.confirm on")),
    _Kind("meter.apart", 2, _LONG, _fixed("manners.apart on")),
    _Kind("meter.limit", 2, _LONG, _fixed("manners.limit 3")),
    _Kind("session.drop", 8, _MOMENT, _fixed("session.drop")),
    _Kind("session.end", 4, _MOMENT, _fixed("session.end")),
    _Kind("session.expire", 5, _MOMENT, _fixed("session.expire")),
    _Kind("session.renew", 4, _MOMENT, _fixed("session.renew")),
    _Kind("session.short", 3, _LONG, _short_life),
    _Kind("session.stolen", 4, (2 * _MIN, 2 * _HOUR), _steal, cuts=True),
    _Kind(
        "session.unwilling",
        2,
        _LONG,
        _fixed("conduct.rejoin_refusal 1", "conduct.stale_refusals 1-3", "session.renew"),
    ),
    _Kind("module.reset", 6, _MOMENT, _fixed("module.reset")),
    _Kind("module.hang", 4, (5.0, 30 * _MIN), _timed("module.hang"), cuts=True),
    _Kind("module.stall", 3, (5.0, 10 * _MIN), _timed("module.stall"), cuts=True),
    _Kind("module.limit", 3, (2 * _MIN, 50 * _MIN), _fixed("traits.limit_ms 0")),
    _Kind("module.stubborn", 2, _LONG, _fixed("quirks.stubborn on"), protocol="j11"),
)
GROUPS = tuple(dict.fromkeys(kind.name.partition(".")[0] for kind in CATALOGUE))


def draw(
    seed: int,
    days: float,
    kind: str = "bp35a1",
    *,
    per_day: float = 8.0,
    calm_s: float = 2 * _HOUR,
    only: Collection[str] = GROUPS,
) -> list[Fault]:
    """Faults for so many days, in order of time. `per_day`: how many on average. `calm_s`: the
    last of the time, in which nothing goes wrong any more; all faults have ended before it.
    `only`: groups or full names that are drawn from. ValueError for one that does not exist."""
    for name in only:
        if name not in GROUPS and not any(entry.name == name for entry in CATALOGUE):
            raise ValueError(f"no faults called {name!r}; there are {', '.join(fault_names())}")
    protocol = "j11" if kind in J11_KINDS else "sk"
    entries = [
        entry
        for entry in CATALOGUE
        if entry.protocol in (None, protocol)
        and (entry.name in only or entry.name.partition(".")[0] in only)
    ]
    if not entries:
        raise ValueError(f"{kind} has no faults of {', '.join(only)}")
    rng = Random(f"trouble {seed}")
    weights = [entry.weight for entry in entries]
    end = days * DAY_S - calm_s
    faults: list[Fault] = []
    at = rng.expovariate(per_day / DAY_S)
    while at < end:
        entry = rng.choices(entries, weights)[0]
        low, high = entry.span
        lasts = math.exp(rng.uniform(math.log(low), math.log(high))) if high else 0.0
        lasts = round(min(lasts, end - at), 3)
        orders = entry.make(rng, lasts)
        faults.append(Fault(round(at, 3), lasts, orders, entry.name, entry.cuts))
        at += rng.expovariate(per_day / DAY_S)
    return faults


def fault_names() -> list[str]:
    """What `only` may hold: the groups and the single kinds."""
    return [*GROUPS, *(entry.name for entry in CATALOGUE)]
