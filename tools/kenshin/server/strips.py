"""Strips: a day by half-hours, a month by days, a year by months, as one row of a gateway each.

The rollup keeps them. A group of thousands is then summed from a row per gateway, not from one
per half-hour, in integers: what the bars of its gateways show, added up.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast
from zoneinfo import ZoneInfo

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, select

from kenshin.server import beside, energy, meters
from kenshin.server.schema import Day, Gateway, Reading, State, Strip
from kenshin.server.slots import HALF_HOUR
from kenshin.server.upserts import upsert

DAY, MONTH, YEAR = range(3)
SLOT = energy.SLOT

Values = Sequence[int | None]


def row(
    gateway_id: int, period: int, t: int, normal: Values, reverse: Values, partial: Sequence[int]
) -> dict[str, Any]:
    """A row of the table."""
    lists = {"normal": normal, "reverse": reverse, "partial": partial}
    texts = {name: to_json(values).decode() for name, values in lists.items()}
    return {"gateway_id": gateway_id, "period": period, "t": t, **texts}


def day(
    gateway_id: int, energies: energy.Energies, start: int, end: int, rolled: int
) -> dict[str, Any]:
    """Half-hours of a day up to `rolled`: the hours after that are not looked at again."""
    found: list[list[int | None]] = []
    for series in energies:
        bars = energy.bars(series, start, end)
        known = max(0, min(rolled, end) - start) // SLOT
        found.append(bars[:known] + [None] * (len(bars) - known))
    return row(
        gateway_id, DAY, start, found[0], found[1], [int(value is None) for value in found[0]]
    )


def begin(year: int, month: int, zone: str) -> int:
    """The beginning of a month; of the 13th: that of the next year."""
    year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
    return int(datetime(year, month, 1, tzinfo=ZoneInfo(zone)).timestamp())


def keep_month(connection: Connection, gateway_id: int, t: int, zone: str) -> None:
    """Make the strip of the month that holds `t`, and its place in the year's, from the days."""
    local = datetime.fromtimestamp(t, ZoneInfo(zone))
    start, end = begin(local.year, local.month, zone), begin(local.year, local.month + 1, zone)
    days = round((end - start) / 86_400)
    normal: list[int | None] = [None] * days
    reverse: list[int | None] = [None] * days
    partial = [1] * days
    found = connection.execute(
        select(Day.t, Day.normal, Day.reverse, Day.partial).where(
            Day.gateway_id == gateway_id, Day.t >= start, Day.t < end
        )
    )
    for begins, used, sold, part in found:
        n = round((begins - start) / 86_400)
        normal[n], reverse[n], partial[n] = used, sold, int(part or used is None)
    rows = [row(gateway_id, MONTH, start, normal, reverse, partial)]
    new_year = begin(local.year, 1, zone)
    year = connection.execute(
        select(Strip.normal, Strip.reverse, Strip.partial).where(
            Strip.gateway_id == gateway_id, Strip.period == YEAR, Strip.t == new_year
        )
    ).one_or_none()
    lists: list[list[Any]] = [[None] * 12, [None] * 12, [1] * 12]
    if year is not None:
        lists = [cast(list[Any], from_json(text)) for text in year]
    whole = (plus(normal), plus(reverse), max(partial))
    for values, value in zip(lists, whole, strict=True):
        values[local.month - 1] = value
    rows.append(row(gateway_id, YEAR, new_year, *lists))
    upsert(connection, Strip, rows)


def stood(connection: Connection, gateway_id: int, today: int, month: int) -> dict[str, Any]:
    """For the gateway's state: counters at the beginning of a day, the month's energy by then.

    A counter that is None may still come: who needs it looks for it.
    """
    normal, reverse = connection.execute(
        select(Reading.normal, Reading.reverse).where(
            Reading.gateway_id == gateway_id, Reading.kind == HALF_HOUR, Reading.t == today
        )
    ).one_or_none() or (None, None)
    days = connection.execute(
        select(Day.normal, Day.reverse, Day.partial).where(
            Day.gateway_id == gateway_id, Day.t >= month, Day.t < today
        )
    ).all()
    whole = len(days) == round((today - month) / 86_400)
    partial = not whole or any(part or used is None for used, _, part in days)
    return {
        **{"day_t": today, "day_normal": normal, "day_reverse": reverse},
        **{"month_normal": plus(day[0] for day in days)},
        **{"month_reverse": plus(day[1] for day in days), "month_partial": int(partial)},
    }


def plus(values: Iterable[int | None]) -> int | None:
    """The sum of those that are known; None = none is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


class Bar(NamedTuple):
    """Energy of a group in one half-hour, day or month."""

    normal: int | None
    reverse: int | None
    known: int  # gateways whose forward energy is known
    partial: int  # gateways that were not measured from end to end


NOTHING = Bar(None, None, 0, 0)


def loads(texts: Iterable[str | None]) -> list[list[Any] | None]:
    """Columns of many strips, at once: what costs is the call."""
    return from_json("[" + ",".join([text or "null" for text in texts]) + "]")


def _columns(texts: Sequence[str]) -> list[Sequence[int | None]]:
    # All strips of a period are of one length in one zone.
    return list(zip(*cast(Any, loads(texts)), strict=True))


def _sum(column: Sequence[int | None]) -> int | None:
    return plus(column) if None in column else sum(cast(Sequence[int], column))


def bars(connection: Connection, group: int, zone: str, period: int, t: int) -> list[Bar]:
    """The strips of a group's gateways in a time zone, added up; [] = there is none."""
    columns = (Strip.normal, Strip.reverse, Strip.partial)
    kept = beside.rows(
        connection,
        columns[:2] if period == DAY else columns,  # a half-hour is known, or it is not
        *(Strip.gateway_id == Gateway.id, Strip.period == period, Strip.t == t),
    )
    rows = connection.execute(
        select(*kept.columns)
        .select_from(Gateway)
        .join(kept.table, kept.on)
        .where(Gateway.group_id == group, Gateway.zone == zone)
    ).all()
    if not rows:
        return []
    normal, reverse = (_columns([row[n] for row in rows]) for n in range(2))
    known = [len(column) - column.count(None) for column in normal]
    if period == DAY:
        parts = [len(rows) - n for n in known]
    else:
        parts = [_sum(column) or 0 for column in _columns([row[2] for row in rows])]
    sums = [list(map(_sum, columns)) for columns in (normal, reverse)]
    return list(map(Bar, *sums, known, parts))


def add(one: Bar, other: Bar) -> Bar:
    """Two sums of different gateways."""
    return Bar(
        plus((one.normal, other.normal)),
        plus((one.reverse, other.reverse)),
        one.known + other.known,
        one.partial + other.partial,
    )


def fresh(connection: Connection, group: int, start: int, end: int) -> dict[int, Bar]:
    """Half-hours from start to end that are not in strips yet, by their beginnings."""
    found = beside.rows(
        connection,
        (Reading.t, Reading.normal, Reading.reverse),
        *(Reading.gateway_id == State.gateway_id, Reading.kind == HALF_HOUR),
        *(Reading.t >= State.rolled, Reading.t >= start, Reading.t <= end),
    )
    rows = connection.execute(
        select(State.gateway_id, *found.columns)
        .join(Gateway, Gateway.id == State.gateway_id)
        .join(found.table, found.on)
        .where(Gateway.group_id == group, State.rolled < end)
        .order_by(State.gateway_id, found.columns[0])
    ).all()
    used: dict[int, list[int]] = {}
    sold: dict[int, list[int]] = {}
    for (one, t, *first), (other, then, *last) in zip(rows, rows[1:], strict=False):
        if one == other and then - t == SLOT:
            for sums, a, b in zip((used, sold), first, last, strict=True):
                if a is not None and b is not None:
                    turns = meters.turns(connection, one) if b < a else ()
                    step = energy.step((t, a), (then, b), turns)
                    if step is not None:
                        sums.setdefault(t, []).append(step)
    return {
        t: Bar(plus(used.get(t, ())), plus(sold.get(t, ())), len(used.get(t, ())), 0)
        for t in used.keys() | sold.keys()
    }
