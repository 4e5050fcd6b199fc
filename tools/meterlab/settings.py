"""The names of everything that may be changed in a simulated world, and what each may be.

A name is `part.field`, after the dataclasses that hold the values; a value is text, as in a
control order. Nothing here needs a world: scenario files are checked before there is one.
"""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

from meterlab.air import Link, rssi_at
from meterlab.faults import LineFaults
from meterlab.meter import Manners
from meterlab.modem import Traits
from meterlab.modules.base import Quirks
from meterlab.pana import Conduct

_BOOL = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}

PARTS: dict[str, type[Any]] = {
    "conduct": Conduct,
    "line": LineFaults,
    "link": Link,
    "manners": Manners,
    "quirks": Quirks,
    "traits": Traits,
}
KINDS = {f"{part}.{f.name}": str(f.type) for part, kept in PARTS.items() for f in fields(kept)}

# Names that stand for others: what each sets.
ALIASES: dict[str, tuple[str, ...]] = {
    "link.loss": ("link.loss_up", "link.loss_down"),
    "link.metres": ("link.rssi",),
}
METER_DEAD = "meter.dead"
SWITCHES = frozenset((METER_DEAD,))

NAMES = sorted([*KINDS, *ALIASES, *SWITCHES])


class ControlError(ValueError):
    """An order that cannot be carried out; the text says what could be."""


def is_setting(name: str) -> bool:
    return name in KINDS or name in ALIASES or name in SWITCHES


def targets(name: str) -> tuple[str, ...]:
    """The settings that a name stands for."""
    return ALIASES.get(name, (name,))


def convert(name: str, value: str) -> object:
    """The value that a text means for a name. ControlError when it may not have it."""
    if name in SWITCHES:
        return switch(name, value)
    if name == "link.metres":
        return rssi_at(number(name, value, 0, 1_000))
    kind = KINDS[targets(name)[0]]
    if "None" in kind and value == "none":
        return None
    if kind.startswith("bool"):
        return switch(name, value)
    if kind.startswith("tuple"):
        low, _, high = value.partition("-")
        pair = int(number(name, low)), int(number(name, high or low))
        if pair[0] > pair[1]:
            raise ControlError(f"{name} is LOW-HIGH, not {value!r}")
        return pair
    if kind.startswith("Literal"):
        allowed = [word.strip(" '\"") for word in kind[len("Literal[") : -1].split(",")]
        if value not in allowed:
            raise ControlError(f"{name} is {' or '.join(allowed)}, not {value!r}")
        return value
    if kind == "str":
        return _refusal(name, value)
    if kind.startswith("float"):
        return number(name, value, 0, 1)  # a share
    if name == "link.rssi":
        return int(number(name, value, -120, 0))
    return int(number(name, value, 0))


def _refusal(name: str, value: str) -> str:
    if value == "none":
        return ""
    if not re.fullmatch(r"[A-Z][A-Z0-9 ]* ER\d\d|[0-9A-F]{4} [0-9A-F]{2}", value):
        raise ControlError(f'{name} is "SKSCAN ER10", "0008 06" or none, not {value!r}')
    return value


def switch(name: str, value: str) -> bool:
    try:
        return _BOOL[value]
    except KeyError:
        raise ControlError(f"{name} is on or off, not {value!r}") from None


def number(name: str, value: str, low: float | None = None, high: float | None = None) -> float:
    try:
        found = float(value)
    except ValueError:
        raise ControlError(f"{name} takes a number, not {value!r}") from None
    if (low is not None and not found >= low) or (high is not None and not found <= high):
        span = f"from {low:g} to {high:g}" if high is not None else f"of at least {low:g}"
        raise ControlError(f"{name} takes a number {span}, not {value!r}")
    return found
