"""Scenario files: what a world is like and what goes wrong in it, in TOML.

`docs/simulator.md` describes the format. Whatever is wrong in a file is told with its key, its
value and what is allowed there, before anything runs.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from meterlab.control import parse
from meterlab.metering import METERS, Equipment
from meterlab.settings import ControlError
from meterlab.trouble import DAY_S, GROUPS, Fault, draw, fault_names
from meterlab.world import Plan

SHIPPED = Path(__file__).with_name("scenarios")

_UNITS = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": DAY_S}
_TIME = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|h|d)")
_MOST = 100_000  # times that one entry may be repeated


class ScenarioError(ValueError):
    """A scenario that cannot be played: the text says where, and what would be right."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Faults drawn from the seed of the run, beside those that are told. See `trouble.draw`."""

    days: float
    per_day: float = 8.0
    calm_s: float = 7_200.0
    only: tuple[str, ...] = GROUPS


@dataclass(frozen=True, slots=True)
class Scenario:
    """`plan`: changes to a `world.Plan`. `equipment`: changes to its meter. `orders`: settings
    from the start. `told`: the faults of the file."""

    title: str
    plan: Mapping[str, Any]
    equipment: Equipment
    orders: tuple[str, ...]
    told: tuple[Fault, ...]
    drawn: Drawn | None

    def furnish(self, plan: Plan) -> Plan:
        """The plan with what the scenario says of module and meter."""
        return replace(plan, equipment=self.equipment, **self.plan)

    def faults(self, seed: int, kind: str) -> list[Fault]:
        """All that goes wrong, in order of time."""
        faults = list(self.told)
        if self.drawn is not None:
            drawn = self.drawn
            faults += draw(
                seed,
                drawn.days,
                kind,
                per_day=drawn.per_day,
                calm_s=drawn.calm_s,
                only=drawn.only,
            )
        return sorted(faults, key=lambda fault: fault.at_s)


def shipped() -> list[str]:
    """Names of the scenarios that come with the simulator."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def load(name: str) -> Scenario:
    """The scenario in a file, or of that name among the shipped ones. ScenarioError."""
    path = Path(name)
    if not path.suffix and not path.exists():
        path = SHIPPED / f"{name}.toml"
        if not path.exists():
            raise ScenarioError(
                f"no scenario called {name!r}; there are {', '.join(shipped())}, "
                "or give the path of a .toml file"
            )
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{name}: cannot be read: {error}") from None
    return loads(text, path.name)


def loads(text: str, name: str = "scenario") -> Scenario:
    """The scenario in a text; `name` is used in errors."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{name}: not TOML: {error}") from None
    try:
        return _scenario(table)
    except ScenarioError as error:
        raise ScenarioError(f"{name}: {error}") from None


# -- the tables of a file


def _scenario(table: dict[str, Any]) -> Scenario:
    _known("", table, ("title", "meter", "module", "set", "fault", "random"))
    title = table.get("title")
    if not isinstance(title, str) or not title:
        raise ScenarioError(f"title: {title!r}; say in a few words what happens")
    plan = _module(_table("module", table.get("module", {})))
    solar, neighbours, equipment = _meter(_table("meter", table.get("meter", {})))
    plan |= solar | neighbours
    told: list[Fault] = []
    entries = table.get("fault", [])
    if not isinstance(entries, list):
        raise ScenarioError("fault: write [[fault]], once for each")
    for i, entry in enumerate(entries, 1):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        told += _faults(f"fault {i}", _table(f"fault {i}", entry))
    return Scenario(
        title,
        plan,
        equipment,
        tuple(_orders("set", _table("set", table.get("set", {})))),
        tuple(told),
        _drawn(_table("random", table["random"])) if "random" in table else None,
    )


def _module(table: dict[str, Any]) -> dict[str, Any]:
    plan: dict[str, Any] = {}
    _known("module", table, ("echo", "hex_data"))
    for key in table:
        plan[key] = _boolean(f"module: {key}", table[key])
    return plan


def _meter(table: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], Equipment]:
    kinds = {f.name: str(f.type) for f in fields(Equipment)}
    allowed = ("like", "solar", "neighbours", *kinds)
    _known("meter", table, allowed)
    like = table.get("like", "full")
    if like not in METERS:
        raise ScenarioError(f"meter: like: {like!r} is not one of {', '.join(METERS)}")
    solar = {"solar": _whole("meter: solar", table["solar"])} if "solar" in table else {}
    near = "neighbours"
    neighbours = {near: _whole(f"meter: {near}", table[near], 9)} if near in table else {}
    changes: dict[str, Any] = {}
    for key, kind in kinds.items():
        if key in table:
            changes[key] = _equipment(f"meter: {key}", kind, table[key])
    try:
        return solar, neighbours, replace(METERS[like], **changes)
    except ValueError as error:
        raise ScenarioError(f"meter: {error}") from None


def _equipment(where: str, kind: str, value: Any) -> Any:
    if kind.startswith("frozenset"):
        return frozenset(_epc(where, epc) for epc in _list(where, value))
    if kind == "bool":
        return _boolean(where, value)
    if kind == "str":
        return str(value)
    if kind == "bytes":
        if not isinstance(value, str) or not value.isascii():
            raise ScenarioError(f"{where}: {value!r} is no ASCII text")
        return bytes.fromhex(value) if where.endswith("maker") else value.encode()
    if kind.endswith("None") and value == "none":
        return None
    least = None if where.endswith("clock_offset") else 0
    return _whole(where, value, least=least)


def _epc(where: str, value: Any) -> int:
    if isinstance(value, str) and re.fullmatch("[89A-Fa-f][0-9A-Fa-f]", value):
        return int(value, 16)
    raise ScenarioError(f'{where}: {value!r} is no property; write "80" to "FF"')


def _faults(where: str, table: dict[str, Any]) -> list[Fault]:
    _known(where, table, ("at", "lasts", "every", "times", "set", "do", "cuts"))
    if "at" not in table:
        raise ScenarioError(f"{where}: at: missing; when does it begin? " + _A_TIME)
    at = _seconds(f"{where}: at", table["at"])
    lasts = _seconds(f"{where}: lasts", table.get("lasts", 0))
    orders = _orders(f"{where}: set", _table(f"{where}: set", table.get("set", {})))
    if orders and not lasts:
        raise ScenarioError(f"{where}: lasts: missing; for how long is it so? " + _A_TIME)
    for order in _list(f"{where}: do", table.get("do", [])):
        orders.append(_order(f"{where}: do", str(order)))
    if not orders:
        raise ScenarioError(f"{where}: nothing happens; give set, or do")
    every = _seconds(f"{where}: every", table["every"]) if "every" in table else 0.0
    times = _whole(f"{where}: times", table.get("times", 1), _MOST, least=1)
    if times > 1 and not every:
        raise ScenarioError(f"{where}: every: missing, and times is {times}; " + _A_TIME)
    if "every" in table and "times" not in table:
        raise ScenarioError(f"{where}: times: missing; how often, every {table['every']}?")
    cuts = _boolean(f"{where}: cuts", table.get("cuts", False))
    return [
        Fault(at + i * every, lasts, tuple(orders), name="told", cuts=cuts) for i in range(times)
    ]


def _drawn(table: dict[str, Any]) -> Drawn:
    _known("random", table, ("days", "per_day", "calm", "only"))
    days = _amount("random: days", table.get("days", 10))
    per_day = _amount("random: per_day", table.get("per_day", 8))
    calm = _seconds("random: calm", table.get("calm", "2h"))
    only = tuple(str(name) for name in _list("random: only", table.get("only", list(GROUPS))))
    for name in only:
        if name not in fault_names():
            raise ScenarioError(f"random: only: {name!r} is not one of {', '.join(fault_names())}")
    if calm >= days * DAY_S:
        raise ScenarioError(f"random: calm: {table.get('calm')!r} is not shorter than days")
    return Drawn(days, per_day, calm, only)


def _orders(where: str, table: dict[str, Any]) -> list[str]:
    """Settings: `link.loss = 0.3` is a table in a table."""
    orders: list[str] = []
    for part, inner in table.items():
        named: dict[str, Any] = (
            {f"{part}.{key}": value for key, value in inner.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            if isinstance(inner, dict)
            else {part: inner}
        )
        for name, value in named.items():
            if name.partition(".")[0] in ("module", "session"):
                raise ScenarioError(f'{where}: {name}: is done, not set; write do = ["{name}"]')
            orders.append(_order(where, f"{name} {_text(value)}"))
    return orders


def _order(where: str, order: str) -> str:
    try:
        parse(order)
    except ControlError as error:
        raise ScenarioError(f"{where}: {error}") from None
    return order


def _text(value: Any) -> str:
    """A TOML value as orders have it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return "-".join(str(item) for item in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return str(value)


# -- single values

_A_TIME = 'write seconds, or "90s", "30min", "2h", "1d"'


def _known(where: str, table: dict[str, Any], allowed: tuple[str, ...]) -> None:
    for key in table:
        if key not in allowed:
            place = f"{where}: " if where else ""
            raise ScenarioError(f"{place}{key}: no such key; there are {', '.join(allowed)}")


def _table(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScenarioError(f"{where}: {value!r} is no table")
    return value  # pyright: ignore[reportUnknownVariableType]


def _list(where: str, value: Any) -> list[Any]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise ScenarioError(f"{where}: {value!r} is neither a text nor a list of texts")
    return value  # pyright: ignore[reportUnknownVariableType]


def _boolean(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ScenarioError(f"{where}: {value!r} is neither true nor false")
    return value


def _whole(where: str, value: Any, most: int | None = None, *, least: int | None = 0) -> int:
    good = isinstance(value, int) and not isinstance(value, bool)
    if not good or (least is not None and value < least) or (most is not None and value > most):
        low = "" if least is None else f" from {least}"
        high = "" if most is None else f" to {most}"
        raise ScenarioError(f"{where}: {value!r} is not a whole number{low}{high}")
    return value


def _amount(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100_000:
        raise ScenarioError(f"{where}: {value!r} is not a number above 0, at most 100000")
    return float(value)


def _seconds(where: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e10:
        return float(value)
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ScenarioError(f"{where}: {value!r} is no time; {_A_TIME}")
    return float(match[1]) * _UNITS[match[2]]
