"""Names for everything that may be changed while a simulated world runs.

A setting is `part.field value` (`link.loss_up 0.4`, `manners.silent on`), a deed is a word of its
own (`module.reset`, `session.steal 60`). The command line, the control channel of a running module
and scenario files all speak this language.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from meterlab.air import rssi_at
from meterlab.faults import Line
from meterlab.world import World

_BOOL = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
_STRANGER = bytes.fromhex("001D12900000FFFF")


class ControlError(ValueError):
    """An order that cannot be carried out; the text says what could be."""


class Control:
    """Orders for one world and the line its module hangs on."""

    def __init__(self, world: World, line: Line | None = None) -> None:
        self._world = world
        self._parts: dict[str, Any] = {
            "manners": world.meter.manners,
            "conduct": world.node.paa.conduct,
            "link": world.link,
            "traits": world.module.modem.traits,
            "quirks": world.module.quirks,
        }
        if line is not None:
            self._parts["line"] = line.faults
        self._deeds: dict[str, Callable[[str], None]] = {
            "module.reset": lambda _: world.module.power_cycle(),
            "module.hang": self._hang,
            "meter.dead": self._dead,
            "session.drop": lambda _: world.node.end_session(tell=False),
            "session.end": lambda _: world.node.end_session(tell=True),
            "session.steal": self._steal,
            "link.loss": self._loss,
            "link.metres": self._metres,
        }

    def names(self) -> list[str]:
        """Every name that an order may begin with."""
        settings = [f"{part}.{f.name}" for part, obj in self._parts.items() for f in fields(obj)]
        return sorted([*settings, *self._deeds])

    def apply(self, order: str) -> None:
        """Carry out `name`, `name value` or `name=value`. ControlError when it makes no sense."""
        name, _, value = order.strip().replace("=", " ", 1).partition(" ")
        value = value.strip()
        deed = self._deeds.get(name)
        if deed is not None:
            deed(value)
            return
        part, _, attribute = name.partition(".")
        target = self._parts.get(part)
        kinds = {f.name: str(f.type) for f in fields(target)} if target is not None else {}
        if attribute not in kinds:
            raise ControlError(f"no {name!r}; there are: {', '.join(self.names())}")
        setattr(target, attribute, _convert(name, kinds[attribute], value))

    def _hang(self, value: str) -> None:
        seconds = _number("module.hang", value) if value else None
        self._world.module.hang(None if seconds is None else int(seconds * 1000))

    def _dead(self, value: str) -> None:
        self._world.node.dead = _switch("meter.dead", value)

    def _steal(self, value: str) -> None:
        self._world.node.paa.seize(_STRANGER, int(_number("session.steal", value)))

    def _loss(self, value: str) -> None:
        link = self._world.link
        link.loss_up = link.loss_down = _number("link.loss", value) if value != "none" else None

    def _metres(self, value: str) -> None:
        self._world.link.rssi = rssi_at(_number("link.metres", value))


def _convert(name: str, kind: str, value: str) -> object:
    if "None" in kind and value == "none":
        return None
    if kind.startswith("bool"):
        return _switch(name, value)
    if kind.startswith("tuple"):
        low, _, high = value.partition("-")
        return int(_number(name, low)), int(_number(name, high or low))
    if kind.startswith("Literal"):
        if f'"{value}"' not in kind and f"'{value}'" not in kind:
            raise ControlError(f"{name} is one of {kind}, not {value!r}")
        return value
    number = _number(name, value)
    return int(number) if kind.startswith("int") else number


def _switch(name: str, value: str) -> bool:
    try:
        return _BOOL[value]
    except KeyError:
        raise ControlError(f"{name} is on or off, not {value!r}") from None


def _number(name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ControlError(f"{name} takes a number, not {value!r}") from None
