"""Groups of gateways, and what they draw together.

Sums go through the days that are kept, and a handful of look-ups by key for each gateway: they
take as long with ten million readings as with ten thousand.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, ScalarSelect, delete, func, select, update

from kenshin.server import gateways, rollup
from kenshin.server.gateways import GatewayError
from kenshin.server.schema import ApiKey, Day, Gateway, Group, Reading, State
from kenshin.server.slots import HALF_HOUR, INSTANT

# A power older than this, in seconds, is not "now".
FRESH = 900
# Seconds around a moment in which a counter is taken for the one at that moment.
NEAR = 1800


class GroupRow(NamedTuple):
    """A group in the list."""

    id: int
    name: str
    gateways: int


class Member(NamedTuple):
    """What one gateway draws. Energies in 0.1 Wh; None = not known."""

    id: int
    code: str
    name: str
    last_seen: int | None
    word: str | None
    power: int | None
    today: int | None
    today_sold: int | None
    month: int | None
    month_sold: int | None
    partial: bool  # of the month: not measured from end to end


class Sums(NamedTuple):
    """What gateways draw together, and how many of them each sum knows."""

    gateways: int
    power: int | None
    power_n: int
    today: int | None
    today_sold: int | None
    today_n: int
    month: int | None
    month_sold: int | None
    partial: bool


def names(connection: Connection) -> list[str]:
    """Of all groups, in order."""
    return list(connection.scalars(select(Group.name).order_by(Group.name)))


def listed(connection: Connection) -> list[GroupRow]:
    """All groups, by name."""
    rows = connection.execute(
        select(Group.id, Group.name, func.count(Gateway.id))
        .outerjoin(Gateway, Gateway.group_id == Group.id)
        .group_by(Group.id, Group.name)
        .order_by(Group.name)
    )
    return [GroupRow(*row) for row in rows]


def find(connection: Connection, number: int) -> GroupRow | None:
    """One group."""
    name = connection.scalar(select(Group.name).where(Group.id == number))
    if name is None:
        return None
    counted = select(func.count()).select_from(Gateway).where(Gateway.group_id == number)
    return GroupRow(number, name, connection.scalar(counted) or 0)


def add(connection: Connection, name: str) -> int:
    """A new group; its number. Raises GatewayError."""
    name = gateways.check_name(name)
    _free(connection, name, 0)
    return gateways.group_id(connection, name)


def rename(connection: Connection, number: int, name: str) -> None:
    """Raises GatewayError."""
    name = gateways.check_name(name)
    _free(connection, name, number)
    connection.execute(update(Group).where(Group.id == number).values(name=name))


def _free(connection: Connection, name: str, number: int) -> None:
    other = select(Group.id).where(Group.name == name, Group.id != number)
    if connection.scalar(other) is not None:
        raise GatewayError(f'there is already a group "{name}"')


def remove(connection: Connection, number: int) -> None:
    """The group goes, its gateways stay. Raises GatewayError while keys are for it."""
    # Without its group a key would be for all gateways.
    if connection.scalar(select(ApiKey.access_key).where(ApiKey.group_id == number).limit(1)):
        raise GatewayError("the group has access keys: revoke them first")
    connection.execute(update(Gateway).where(Gateway.group_id == number).values(group_id=None))
    connection.execute(delete(Group).where(Group.id == number))


def put(connection: Connection, number: int, gateway: str) -> None:
    """Put a gateway, by code or name, into a group. Raises GatewayError."""
    known = gateways.find(connection, gateway)
    connection.execute(update(Gateway).where(Gateway.id == known.id).values(group_id=number))


def take(connection: Connection, number: int, gateway: str) -> None:
    """Take a gateway, by code or name, out of a group. Raises GatewayError."""
    known = gateways.find(connection, gateway)
    here = (Gateway.id == known.id, Gateway.group_id == number)
    connection.execute(update(Gateway).where(*here).values(group_id=None))


# ---- sums ----


def _power(now: int) -> ScalarSelect[Any]:
    return (
        select(Reading.power)
        .where(
            Reading.gateway_id == Gateway.id,
            Reading.kind == INSTANT,
            Reading.t > now - FRESH,
            Reading.t <= now,
            Reading.power.is_not(None),
        )
        .order_by(Reading.t.desc())
        .limit(1)
        .scalar_subquery()
    )


def _counter(field: str, kind: int, start: int, end: int, *, last: bool) -> ScalarSelect[Any]:
    """The first, or last, counter of a gateway with start <= t <= end."""
    column = getattr(Reading, field)
    return (
        select(column)
        .where(
            Reading.gateway_id == Gateway.id,
            Reading.kind == kind,
            Reading.t >= start,
            Reading.t <= end,
            column.is_not(None),
        )
        .order_by(Reading.t.desc() if last else Reading.t)
        .limit(1)
        .scalar_subquery()
    )


def _counters(field: str, start: int, now: int) -> list[ScalarSelect[Any]]:
    """At the beginning of the day, from half-hours or else from instants, and newest of each."""
    return [
        _counter(field, HALF_HOUR, start, start, last=False),
        _counter(field, INSTANT, start - NEAR, start, last=True),
        _counter(field, HALF_HOUR, start + 1, now, last=True),
        _counter(field, INSTANT, start + 1, now, last=True),
    ]


def _since(counters: Sequence[int | None]) -> int | None:
    exact, near, slot, instant = counters
    begin = near if exact is None else exact
    ends = [value for value in (slot, instant) if value is not None]
    if begin is None or not ends or max(ends) < begin:
        return None
    return max(ends) - begin


def members(
    connection: Connection, group: int, now: int, after: str = "", limit: int | None = None
) -> list[Member]:
    """The gateways of a group, by name, with what they draw."""
    here = [Gateway.group_id == group, Gateway.name > after]
    zones = connection.scalars(select(Gateway.zone).where(*here).distinct())
    found: list[Member] = []
    for zone in zones:
        found += _members(connection, [*here, Gateway.zone == zone], zone, now, limit)
    found.sort(key=lambda member: member.name)
    return found[:limit]


def _members(
    connection: Connection, here: list[Any], zone: str, now: int, limit: int | None
) -> list[Member]:
    today = rollup.day_start(now, zone)
    month = rollup.month_start(now, zone)
    page = select(Gateway.id).where(*here).order_by(Gateway.name).limit(limit)
    # Today's row of the days ends with the last whole hour: so only the days before it.
    days: dict[int, tuple[int | None, int | None, int, int]] = {
        row[0]: (row[1], row[2], row[3], row[4])
        for row in connection.execute(
            select(
                Day.gateway_id,
                func.sum(Day.normal),
                func.sum(Day.reverse),
                func.max(Day.partial),
                func.count(),
            )
            .where(Day.gateway_id.in_(page), Day.t >= month, Day.t < today)
            .group_by(Day.gateway_id)
        )
    }
    expected = len(list(rollup.days(month, today, zone)))
    statement = (
        select(
            *(Gateway.id, Gateway.code, Gateway.name, State.last_seen, State.word, _power(now)),
            *(*_counters("normal", today, now), *_counters("reverse", today, now)),
        )
        .join(State, State.gateway_id == Gateway.id)
        .where(*here)
        .order_by(Gateway.name)
        .limit(limit)
    )
    found: list[Member] = []
    for row in cast(Iterable[Any], connection.execute(statement)):
        used, sold = _since(row[6:10]), _since(row[10:14])
        before = days.get(row[0], (None, None, 1, 0))
        whole = used is not None and before[3] == expected and not (expected and before[2])
        so_far = (_plus(before[0], used), _plus(before[1], sold))
        found.append(Member._make((*row[:6], used, sold, *so_far, not whole)))
    return found


def _plus(a: Any, b: int | None) -> int | None:
    known = [int(each) for each in (a, b) if each is not None]
    return sum(known) if known else None


def sums(found: Sequence[Member]) -> Sums:
    """What they draw together."""

    def total(field: str) -> int | None:
        known = [value for each in found if (value := getattr(each, field)) is not None]
        return sum(known) if known else None

    return Sums(
        gateways=len(found),
        power=total("power"),
        power_n=sum(each.power is not None for each in found),
        today=total("today"),
        today_sold=total("today_sold"),
        today_n=sum(each.today is not None for each in found),
        month=total("month"),
        month_sold=total("month_sold"),
        partial=any(each.partial for each in found),
    )


class Bar(NamedTuple):
    """Energy of a group in one day."""

    t: int
    normal: int | None
    reverse: int | None
    known: int  # gateways whose forward energy is known
    partial: int  # gateways that were not measured from end to end


def days(connection: Connection, group: int, start: int, end: int) -> list[Bar]:
    """Days of the group that are kept, by their beginning."""
    rows = connection.execute(
        select(
            Day.t,
            func.sum(Day.normal),
            func.sum(Day.reverse),
            func.count(Day.normal),
            func.sum(Day.partial),
        )
        .where(
            Day.gateway_id.in_(select(Gateway.id).where(Gateway.group_id == group)),
            Day.t >= start,
            Day.t < end,
        )
        .group_by(Day.t)
        .order_by(Day.t)
    )
    return [
        Bar(t, _plus(normal, None), _plus(reverse, None), known, int(partial))
        for t, normal, reverse, known, partial in rows
    ]
