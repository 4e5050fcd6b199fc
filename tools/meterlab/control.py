"""Everything that may be changed while a simulated world runs, by name, and faults that end.

A setting is `part.field value` (`link.loss_up 0.4`, `manners.silent on`), a deed is a word of its
own (`module.reset`, `session.steal 60`). The command line, the control channel of a running module
and scenario files all speak this language; `docs/simulator.md` lists it.

A `Fault` holds settings for a while; what was there before comes back when it ends, and of two
that overlap the later one rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from meterlab import settings
from meterlab.faults import Line
from meterlab.settings import ControlError, convert, number
from meterlab.trouble import Fault
from meterlab.world import World

__all__ = ["Control", "ControlError"]


def _check_seconds(name: str, value: str) -> None:
    number(name, value, 0)


def _check_optional(name: str, value: str) -> None:
    if value:
        number(name, value, 0)


def _check_channel(name: str, value: str) -> None:
    if value not in CHANNELS:
        raise ControlError(f"{name} takes a channel, {' '.join(CHANNELS)}, not {value!r}")


def _check_nothing(name: str, value: str) -> None:
    if value:
        raise ControlError(f"{name} takes nothing, not {value!r}")


CHANNELS = tuple(f"{channel:02X}" for channel in range(0x21, 0x3D, 2))

# What a deed may be given.
DEEDS: dict[str, Callable[[str, str], None]] = {
    "meter.move": _check_channel,
    "module.hang": _check_optional,
    "module.reset": _check_nothing,
    "module.stall": _check_optional,
    "session.drop": _check_nothing,
    "session.end": _check_nothing,
    "session.expire": _check_nothing,
    "session.renew": _check_nothing,
    "session.steal": _check_seconds,
}


def parse(order: str) -> tuple[str, str]:
    """`name value`, `name=value` or `name` as (name, value). ControlError for what is no order."""
    name, _, value = order.strip().replace("=", " ", 1).partition(" ")
    value = value.strip()
    if settings.is_setting(name):
        convert(name, value)
    elif name in DEEDS:
        DEEDS[name](name, value)
    else:
        raise ControlError(f"no {name!r}; there are: {', '.join(names())}")
    return name, value


def names() -> list[str]:
    """Every name that an order may begin with."""
    return sorted([*settings.NAMES, *DEEDS])


class Control:
    """Orders and faults for one world and the line its module hangs on.

    `active`: the faults that are under way now. `told` gets a line when one begins or ends.
    """

    def __init__(self, world: World, line: Line | None = None) -> None:
        self.world = world
        self.active: list[Fault] = []
        self.told: Callable[[str], None] | None = None
        self._line = line
        self._held: dict[str, list[tuple[Fault, object]]] = {}  # the later ones behind
        self._before: dict[str, object] = {}  # what a setting was without any fault
        self._deeds: dict[str, Callable[[str], None]] = {
            "meter.move": lambda value: world.node.move(int(value, 16)),
            "module.hang": lambda value: world.module.hang(_ms(value)),
            "module.reset": lambda _: world.module.power_cycle(),
            "module.stall": lambda value: world.module.stall(_ms(value)),
            "session.drop": lambda _: world.node.end_session(tell=False),
            "session.end": lambda _: world.node.end_session(tell=True),
            "session.expire": lambda _: self._expire(),
            "session.renew": lambda _: world.module.modem.pac.renew(),
            "session.steal": lambda value: world.rival.steal(float(value)),
        }

    names = staticmethod(names)

    def apply(self, what: str | Fault) -> None:
        """Carry out an order, or begin a fault, which ends by itself. ControlError for an order
        that makes no sense."""
        if isinstance(what, Fault):
            self._begin(what)
            return
        name, value = parse(what)
        if name in self._deeds:
            self._deeds[name](value)
            return
        wanted = convert(name, value)
        for target in settings.targets(name):
            if target in self._held:
                self._before[target] = wanted  # for when the fault is over
            else:
                self._write(target, wanted)

    def play(self, faults: Sequence[Fault]) -> None:
        """Begin each fault at its time, counted from now."""
        for fault in faults:
            self.world.scheduler.call_later(fault.at_s * 1000, self._begin, fault)

    # -- faults

    def _begin(self, fault: Fault) -> None:
        self.active.append(fault)
        if self.told is not None:
            self.told(f"begins: {fault}")
        for order in fault.orders:
            name, value = parse(order)
            if name in self._deeds:
                self._deeds[name](value)
                continue
            wanted = convert(name, value)
            for target in settings.targets(name):
                held = self._held.setdefault(target, [])
                if not held:
                    self._before[target] = self._read(target)
                held.append((fault, wanted))
                self._write(target, wanted)
        self.world.scheduler.call_later(fault.lasts_s * 1000, self._end, fault)

    def _end(self, fault: Fault) -> None:
        self.active.remove(fault)
        if self.told is not None and fault.lasts_s:
            self.told(f"ends: {fault}")
        for target in list(self._held):
            held = [item for item in self._held[target] if item[0] is not fault]
            if len(held) == len(self._held[target]):
                continue
            if held:
                self._held[target] = held
                self._write(target, held[-1][1])
            else:
                del self._held[target]
                self._write(target, self._before.pop(target))

    # -- settings

    def _part(self, name: str) -> Any:
        world = self.world
        if name == "line":
            if self._line is None:
                raise ControlError("no line between host and module here: no line settings")
            return self._line.faults
        parts: dict[str, Any] = {
            "manners": world.meter.manners,
            "conduct": world.node.paa.conduct,
            "link": world.link,
            "traits": world.module.modem.traits,
            "quirks": world.module.quirks,
            "meter": world.node,
        }
        return parts[name]

    def _read(self, name: str) -> object:
        part, _, attribute = name.partition(".")
        return getattr(self._part(part), attribute)

    def _write(self, name: str, value: object) -> None:
        part, _, attribute = name.partition(".")
        setattr(self._part(part), attribute, value)

    # -- deeds

    def _expire(self) -> None:
        self.world.node.paa.forget()
        self.world.module.modem.pac.expire()


def _ms(value: str) -> int | None:
    return int(float(value) * 1000) if value else None
