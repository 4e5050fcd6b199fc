"""Groups of gateways, and what they draw together.

Sums go through the newest values and the strips that are kept, a row or two for each gateway: they
take as long with ten million readings as with ten thousand.
"""

import calendar
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, ScalarSelect, and_, delete, func, or_, select, update

from kenshin.server import beside, energy, gateways, meters, newest, rollup, strips
from kenshin.server.gateways import GatewayError
from kenshin.server.newest import Newest
from kenshin.server.schema import ApiKey, Gateway, Group, Reading, State, Strip
from kenshin.server.slots import HALF_HOUR, INSTANT
from kenshin.server.strips import NOTHING, Bar

# A power older than this, in seconds, is not "now".
FRESH = 900
# Seconds around a moment in which a counter is taken for the one at that moment.
NEAR = 1800
_AT_ONCE = 500  # gateways in one look-up


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


def members(
    connection: Connection, group: int, now: int, after: str = "", limit: int | None = None
) -> list[Member]:
    """The gateways of a group, by name, with what they draw."""
    here = [Gateway.group_id == group, Gateway.name > after]
    zones = connection.scalars(select(Gateway.zone).where(*here).distinct()).all()
    found: list[Member] = []
    for zone in zones:
        found += _members(connection, [*here, Gateway.zone == zone], zone, now, limit)
    if len(zones) > 1:
        found.sort(key=lambda member: member.name)
    return found[:limit]


def _members(
    connection: Connection, here: list[Any], zone: str, now: int, limit: int | None
) -> list[Member]:
    today, month = rollup.day_start(now, zone), rollup.month_start(now, zone)
    rows = cast(
        "Sequence[Any]",
        connection.execute(
            select(
                *(Gateway.id, Gateway.code, Gateway.name, State.last_seen, State.word),
                *[getattr(State, name) for name in Newest._fields],
                *(State.day_t, State.day_normal, State.day_reverse),
                *(State.month_normal, State.month_reverse, State.month_partial),
            )
            .join(State, State.gateway_id == Gateway.id)
            .where(*here)
            .order_by(Gateway.name)
            .limit(limit)
        ).all(),
    )
    stood = {row[0]: _Stood(row[12], row[13], row[14], row[15], not row[16]) for row in rows}
    if any(
        row[11] != today
        or (row[12] is None and (row[7] or 0) > today)
        or (row[13] is None and (row[9] or 0) > today)
        for row in rows
    ):
        stood |= _behind(connection, here, today, month)
    newest = _newest(connection, rows, now)
    begins = _begins(connection, rows, stood, newest, today)
    found: list[Member] = []
    for row, new, begin in zip(rows, newest, begins, strict=True):
        _, _, used, sold, whole = stood[row[0]]
        fresh = new.power_t is not None and now - FRESH < new.power_t <= now
        power = new.power if fresh else None
        today_used = _since(connection, row[0], today, begin[0], new.normal_t, new.normal)
        today_sold = _since(connection, row[0], today, begin[1], new.reverse_t, new.reverse)
        so_far = (_both(used, today_used), _both(sold, today_sold))
        partial = today_used is None or not whole
        found.append(
            Member(
                row[0],
                row[1],
                row[2],
                row[3],
                row[4],
                power,
                today_used,
                today_sold,
                *so_far,
                partial,
            )
        )
    return found


def _both(one: int | None, other: int | None) -> int | None:
    # `strips.plus` for two, of which there are thousands.
    return other if one is None else one if other is None else one + other


class _Stood(NamedTuple):
    """Counters when the day began, and the energy of the month up to then."""

    normal: int | None
    reverse: int | None
    used: int | None
    sold: int | None
    whole: bool


def _behind(connection: Connection, here: list[Any], today: int, month: int) -> dict[int, _Stood]:
    """Of gateways that were not folded up to today, or lacked a counter then."""
    at_midnight = beside.rows(
        connection,
        (Reading.normal, Reading.reverse),
        *(Reading.gateway_id == Gateway.id, Reading.kind == HALF_HOUR, Reading.t == today),
    )
    kept = beside.rows(
        connection,
        (Strip.normal, Strip.reverse, Strip.partial),
        *(Strip.gateway_id == Gateway.id, Strip.period == strips.MONTH, Strip.t == month),
    )
    rows = connection.execute(
        select(Gateway.id, *at_midnight.columns, *kept.columns)
        .join(State, State.gateway_id == Gateway.id)
        .outerjoin(at_midnight.table, at_midnight.on)
        .outerjoin(kept.table, kept.on)
        .where(
            *here,
            or_(
                State.day_t.is_distinct_from(today),
                and_(State.day_normal.is_(None), State.normal_t > today),
                and_(State.day_reverse.is_(None), State.reverse_t > today),
            ),
        )
    ).all()
    # Today's place in the strip ends with the last whole hour: so only the days before it.
    days = round((today - month) / 86_400)
    columns: list[Any] = [strips.loads([row[n] for row in cast(Any, rows)]) for n in (3, 4, 5)]
    return {
        row[0]: _Stood(row[1], row[2], *_before(normal, reverse, partial, days))
        for row, normal, reverse, partial in zip(rows, *columns, strict=True)
    }


def _before(
    normal: list[int | None] | None, reverse: list[int | None], partial: list[int], days: int
) -> tuple[int | None, int | None, bool]:
    """Energy of the first days of a month, and whether all was measured."""
    if normal is None:
        return None, None, not days
    return strips.plus(normal[:days]), strips.plus(reverse[:days]), not any(partial[:days])


def _newest(connection: Connection, rows: Sequence[Any], now: int) -> list[Newest]:
    """Of each row; where a board's clock was ahead, what was newest by now."""
    found = [Newest(*row[5:11]) for row in rows]
    for n, new in enumerate(found):
        if (new.power_t or 0) > now or (new.normal_t or 0) > now or (new.reverse_t or 0) > now:
            found[n] = newest.look(connection, rows[n][0], now)
    return found


def _begins(
    connection: Connection,
    rows: Sequence[Any],
    stood: Mapping[int, _Stood],
    found: Sequence[Newest],
    today: int,
) -> list[tuple[int | None, int | None]]:
    """Counters at the beginning of the day: by the half-hour then, or by instants just before."""
    begins: list[tuple[int | None, int | None]] = [stood[row[0]][:2] for row in rows]
    for place, (field, time) in enumerate((("normal", "normal_t"), ("reverse", "reverse_t"))):
        # Only where it is missing, and would be of use.
        places = {
            rows[n][0]: n
            for n, begin in enumerate(begins)
            if begin[place] is None and (getattr(found[n], time) or 0) > today
        }
        ids = list(places)
        for first in range(0, len(ids), _AT_ONCE):
            wanted = State.gateway_id.in_(ids[first : first + _AT_ONCE])
            near = select(State.gateway_id, _near(field, today)).where(wanted)
            for number, value in connection.execute(near):
                n = places[number]
                begins[n] = (value, begins[n][1]) if place == 0 else (begins[n][0], value)
    return begins


def _near(field: str, t: int) -> ScalarSelect[Any]:
    """The last counter of instants up to a moment, and not long before it."""
    column = getattr(Reading, field)
    return (
        select(column)
        .where(
            Reading.gateway_id == State.gateway_id,
            Reading.kind == INSTANT,
            Reading.t >= t - NEAR,
            Reading.t <= t,
            column.is_not(None),
        )
        .order_by(Reading.t.desc())
        .limit(1)
        .scalar_subquery()
    )


def _since(
    connection: Connection, gateway_id: int, today: int, begin: int | None, t: Any, end: int | None
) -> int | None:
    if begin is None or end is None or t is None or t <= today:
        return None
    turns = meters.turns(connection, gateway_id) if end < begin else ()
    return energy.step((today, begin), (t, end), turns)


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


def bars(connection: Connection, group: int, period: str, first: date, zone: str) -> list[Bar]:
    """Of the day in `zone`, or of the month or year by each gateway's own calendar."""
    zones = connection.scalars(select(Gateway.zone).where(Gateway.group_id == group).distinct())
    if period == "day":
        return _half_hours(connection, group, zones.all(), first, zone)
    found: list[Bar] = []
    for each in zones.all():
        kind = strips.MONTH if period == "month" else strips.YEAR
        begin = strips.begin(first.year, first.month, each)
        more = strips.bars(connection, group, each, kind, begin)
        found = [strips.add(*pair) for pair in zip(found, more, strict=True)] if found else more
    count = 12 if period == "year" else calendar.monthrange(first.year, first.month)[1]
    return found or [NOTHING] * count


def _half_hours(
    connection: Connection, group: int, zones: Sequence[str], day: date, zone: str
) -> list[Bar]:
    start = int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp())
    end = rollup.next_day(start, zone)
    found = [NOTHING] * ((end - start) // strips.SLOT)

    def put(t: int, bar: Bar) -> None:
        n = (t - start) // strips.SLOT
        if 0 <= n < len(found):
            found[n] = strips.add(found[n], bar)

    for each in zones:
        begin = rollup.day_start(start, each)  # elsewhere another day may have begun before
        while begin < end:
            for n, bar in enumerate(strips.bars(connection, group, each, strips.DAY, begin)):
                put(begin + n * strips.SLOT, bar)
            begin = rollup.next_day(begin, each)
    for t, bar in strips.fresh(connection, group, start, end).items():
        put(t, bar)
    return found
