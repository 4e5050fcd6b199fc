"""Rules: what is looked for, at which gateways, and how people are told."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from kenshin.server import gateways
from kenshin.server.alerts import quiet
from kenshin.server.schema import Alert, AlertMessage, AlertRule, Gateway, Group

WAYS = ("mail", "hook")
MOST = 500  # rules
ADDRESSES = 10  # in one rule
_ADDRESS = re.compile(r"[A-Za-z0-9._%+'-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


class RuleError(ValueError):
    """A rule cannot be as asked; the text says why."""


class Kind(NamedTuple):
    """What can be looked for: its limit (with bounds), and for how long (0 = no span)."""

    unit: str
    threshold: int
    least: int
    most: int
    minutes: int = 0
    slow: bool = False  # looked at every ten minutes only


KINDS = {
    "silent": Kind("min", 15, 5, 10_080),
    "missing": Kind("", 1, 1, 48, slow=True),
    "rssi": Kind("dBm", -88, -120, -20, 60),
    "used": Kind("W", 3000, 1, 1_000_000, 30),
    "sold": Kind("W", 3000, 1, 1_000_000, 30),
    "used-day": Kind("kWh", 30, 1, 100_000, slow=True),
    "sold-day": Kind("kWh", 30, 1, 100_000, slow=True),
    "contract": Kind("%", 90, 10, 200, 2),
}
MINUTES_MOST = 1440


class Rule(NamedTuple):
    """A row of the rules, with the names of what it is for."""

    id: int
    kind: str
    gateway_id: int | None
    group_id: int | None
    threshold: int
    minutes: int
    ways: tuple[str, ...]
    mail: str
    quiet_from: int | None
    quiet_to: int | None
    quiet_drop: bool
    active: bool
    gateway: str | None  # name
    group: str | None


_RULES = (
    select(
        *(AlertRule.id, AlertRule.kind, AlertRule.gateway_id, AlertRule.group_id),
        *(AlertRule.threshold, AlertRule.minutes, AlertRule.ways, AlertRule.mail),
        *(AlertRule.quiet_from, AlertRule.quiet_to, AlertRule.quiet_drop, AlertRule.active),
        *(Gateway.name.label("gateway"), Group.name.label("group")),
    )
    .outerjoin(Gateway, Gateway.id == AlertRule.gateway_id)
    .outerjoin(Group, Group.id == AlertRule.group_id)
)


def _rule(row: Any) -> Rule:
    values: dict[str, Any] = dict(row._mapping)
    values["ways"] = tuple(row.ways.split())
    values |= {name: bool(values[name]) for name in ("quiet_drop", "active")}
    return Rule(**values)


def listed(connection: Connection) -> list[Rule]:
    """All rules: for everything first, then groups, then gateways."""
    rows = connection.execute(_RULES.order_by(AlertRule.id)).all()
    found = [_rule(row) for row in rows]
    order = list(KINDS)
    return sorted(found, key=lambda r: (order.index(r.kind), r.gateway or "", r.group or "", r.id))


def find(connection: Connection, number: int) -> Rule:
    """One rule. Raises RuleError."""
    row = connection.execute(_RULES.where(AlertRule.id == number)).one_or_none()
    if row is None:
        raise RuleError(f"there is no rule {number}")
    return _rule(row)


def addresses(text: str) -> list[str]:
    """Mail addresses, told apart by commas or spaces. Raises RuleError."""
    found = text.replace(",", " ").split()
    if len(found) > ADDRESSES:
        raise RuleError(f"at most {ADDRESSES} mail addresses")
    for each in found:
        if len(each) > 100 or not _ADDRESS.fullmatch(each):
            raise RuleError(f'"{each[:100]}" is no mail address')
    return found


def _number(text: Any, what: str, least: int, most: int) -> int:
    try:
        number = int(str(text).strip())
    except ValueError:
        raise RuleError(f"{what} is a whole number") from None
    if not least <= number <= most:
        raise RuleError(f"{what} is between {least} and {most}")
    return number


def _target(connection: Connection, name: str) -> dict[str, Any]:
    """Whom a rule is for: "" = all, `group:NAME`, or a gateway's code or name."""
    name = name.strip()
    if not name:
        return {"gateway_id": None, "group_id": None}
    if name.startswith("group:"):
        wanted = name.removeprefix("group:").strip()
        number = connection.scalar(select(Group.id).where(Group.name == wanted))
        if number is None:
            raise RuleError(f'there is no group "{wanted}"')
        return {"gateway_id": None, "group_id": number}
    try:
        return {"gateway_id": gateways.find(connection, name).id, "group_id": None}
    except gateways.GatewayError as error:
        raise RuleError(str(error)) from None


def check(connection: Connection, fields: Mapping[str, str]) -> dict[str, Any]:
    """A row from what somebody filled in. Raises RuleError."""
    kind = KINDS.get(fields.get("kind", ""))
    if kind is None:
        raise RuleError("the kind is one of " + ", ".join(KINDS))
    threshold = fields.get("threshold", "").strip() or kind.threshold
    minutes = fields.get("minutes", "").strip() or kind.minutes
    ways = [way for way in WAYS if fields.get(way)]
    try:
        begin, end = (quiet.parse(fields.get(name, "")) for name in ("quiet_from", "quiet_to"))
    except ValueError as error:
        raise RuleError(f"quiet hours: {error}") from None
    if (begin is None) != (end is None) or (begin is not None and begin == end):
        raise RuleError("quiet hours have a beginning and another end")
    return {
        "kind": fields["kind"],
        **_target(connection, fields.get("target", "")),
        "threshold": _number(threshold, f"the limit in {kind.unit}", kind.least, kind.most),
        "minutes": _number(minutes, "the minutes", 1, MINUTES_MOST) if kind.minutes else 0,
        "ways": " ".join(ways),
        "mail": ", ".join(addresses(fields.get("mail_to", ""))),
        "quiet_from": begin,
        "quiet_to": end,
        "quiet_drop": int(bool(fields.get("quiet_drop"))),
        "active": int(not fields.get("off")),
    }


def add(connection: Connection, fields: Mapping[str, str]) -> int:
    """A new rule; its number. Raises RuleError."""
    values = check(connection, fields)
    if (connection.scalar(select(func.count()).select_from(AlertRule)) or 0) >= MOST:
        raise RuleError(f"there are {MOST} rules already: remove one")
    number = connection.scalar(insert(AlertRule).values(**values).returning(AlertRule.id))
    assert number is not None
    return number


def edit(connection: Connection, number: int, fields: Mapping[str, str], now: int) -> None:
    """Change a rule. What it found under another limit is closed, and not told. RuleError."""
    before = find(connection, number)
    values = check(connection, fields)
    connection.execute(update(AlertRule).where(AlertRule.id == number).values(**values))
    after = find(connection, number)
    same = ("kind", "gateway_id", "group_id", "threshold", "minutes")
    if not after.active or any(getattr(before, name) != getattr(after, name) for name in same):
        close_quietly(connection, [number], now)


def remove(connection: Connection, number: int, now: int) -> None:
    """Remove a rule; what it found stays in the history. Raises RuleError."""
    find(connection, number)
    close_quietly(connection, [number], now)
    connection.execute(delete(AlertRule).where(AlertRule.id == number))


def close_quietly(connection: Connection, numbers: Iterable[int], now: int) -> None:
    """End what these rules found without a word: nobody needs to hear of it any more."""
    numbers = list(numbers)
    connection.execute(
        update(Alert).where(Alert.rule_id.in_(numbers), Alert.until.is_(None)).values(until=now)
    )
    connection.execute(
        update(AlertMessage)
        .where(AlertMessage.rule_id.in_(numbers), AlertMessage.state == 0)
        .values(state=3, done=now)
    )


def assign(
    rules: Iterable[Rule], subjects: Iterable[tuple[int, int | None]]
) -> dict[int, list[Rule]]:
    """By gateway (number, group), the rules that hold for it.

    Of a kind, a gateway's own rules stand in for its group's, and these for those for all; so one
    that is off switches the kind off there.
    """
    own: dict[tuple[str, int], list[Rule]] = {}
    group: dict[tuple[str, int], list[Rule]] = {}
    general: dict[str, list[Rule]] = {}
    kinds: list[str] = []
    for rule in rules:
        if rule.gateway_id is not None:
            own.setdefault((rule.kind, rule.gateway_id), []).append(rule)
        elif rule.group_id is not None:
            group.setdefault((rule.kind, rule.group_id), []).append(rule)
        else:
            general.setdefault(rule.kind, []).append(rule)
        kinds.append(rule.kind)
    kinds = list(dict.fromkeys(kinds))
    found: dict[int, list[Rule]] = {}
    for gateway_id, group_id in subjects:
        mine = found.setdefault(gateway_id, [])
        for kind in kinds:
            those = own.get((kind, gateway_id))
            if those is None and group_id is not None:
                those = group.get((kind, group_id))
            if those is None:
                those = general.get(kind, [])
            mine += [rule for rule in those if rule.active]
    return found
