"""Folding instants into hours and days, and dropping old instants.

One gateway at a time, each in a transaction of its own: uploads are hardly held up, and it may
be interrupted anywhere. The gateway's state is locked first, as an upload does it: of the two one
sees all that the other did.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update

from kenshin.server import energy, hours, strips
from kenshin.server.hours import HOUR, HourRow
from kenshin.server.schema import Day, Gateway, Hour, Reading, Stale, State, Strip
from kenshin.server.slots import INSTANT, KIND_CODES
from kenshin.server.upserts import upsert

# An hour is folded so long after its end: late uploads are then the exception.
GRACE = 600
# At most so much at once, in seconds: a transaction stays short.
AT_ONCE = 31 * 86_400
DAY = 86_400
# So many gateways, those heard last, say how late it certainly is.
_WITNESSES = 20


def day_start(t: int, zone: str) -> int:
    """The beginning of the day, in a time zone, that holds `t`."""
    local = datetime.fromtimestamp(t, ZoneInfo(zone))
    # fold=0: where clocks are put back over midnight, the day begins at the first of the two.
    return int(local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).timestamp())


def next_day(start: int, zone: str) -> int:
    """The beginning of the following day: with summer time 23 or 25 hours later."""
    return day_start(start + 36 * HOUR, zone)


def month_start(t: int, zone: str) -> int:
    """The beginning of the month, in a time zone, that holds `t`."""
    local = datetime.fromtimestamp(t, ZoneInfo(zone))
    return day_start(int(local.replace(day=1, hour=12).timestamp()), zone)


def days(start: int, end: int, zone: str) -> Iterator[int]:
    """The beginnings of the days from start (one of them) to before end."""
    while start < end:
        yield start
        start = next_day(start, zone)


def target(now: int) -> int:
    """Hours before this are to be folded."""
    return (now - GRACE) // HOUR * HOUR


def known() -> ColumnElement[bool]:
    """Gateways that were heard, or whose readings were imported."""
    return or_(State.last_seen.is_not(None), State.stored > 0)


def sure(connection: Connection, now: int) -> int | None:
    """As late as it certainly is: `now`, but at most a day after the newest reading of all.

    Nothing is dropped because our clock was years ahead for an hour. None = no reading.
    """
    latest = select(State.gateway_id).where(known())
    latest = latest.order_by(State.last_seen.desc().nulls_last()).limit(_WITNESSES)
    newest = [
        connection.scalar(
            select(func.max(Reading.t)).where(Reading.gateway_id == number, Reading.kind == kind)
        )
        for number in connection.scalars(latest).all()
        for kind in KIND_CODES.values()
    ]
    found = max((t for t in newest if t is not None), default=None)
    return None if found is None else min(now, found + DAY)


def due(connection: Connection, now: int, limit: int) -> list[int]:
    """Gateways with something to fold."""
    ahead = and_(State.rolled > target(now) + DAY, State.rolled > State.purged)
    behind = select(State.gateway_id).where(or_(State.rolled < target(now), ahead), known())
    late = select(Stale.gateway_id).distinct()
    found = [*connection.scalars(behind.limit(limit)), *connection.scalars(late.limit(limit))]
    return list(dict.fromkeys(found))[:limit]


def roll(connection: Connection, gateway_id: int, now: int) -> bool:
    """Fold what is due of one gateway; True when there is more to do."""
    state = _locked(connection, gateway_id)
    if state is None:
        return False
    start, goal = state.rolled, target(now)
    if not start:
        first = _first(connection, gateway_id)
        start = goal if first is None else min(goal, first // HOUR * HOUR)
    elif start > goal + DAY:
        # A clock was ahead, and is not any more.
        start = max(goal, min(start, state.purged))
    end = max(start, min(goal, start + AT_ONCE))
    touched: set[int] = set()
    if start < end:
        _keep(connection, hours.raw(connection, gateway_id, start, end))
        # See _late; but before the very first hour there is no day.
        touched |= set(range(start - HOUR if state.rolled else start, end, HOUR))
    touched |= _late(connection, gateway_id, end)
    _days(connection, gateway_id, end, state.zone, touched)
    _stand(connection, gateway_id, end, state.zone)
    return end < goal


def _stand(connection: Connection, gateway_id: int, rolled: int, zone: str) -> None:
    """Note how far it is, and how things stood when the day began that it is in."""
    stood = strips.stood(
        connection, gateway_id, day_start(rolled, zone), month_start(rolled, zone)
    )
    connection.execute(
        update(State).where(State.gateway_id == gateway_id).values(rolled=rolled, **stood)
    )


class _State(NamedTuple):
    rolled: int
    purged: int
    zone: str


def _locked(connection: Connection, gateway_id: int) -> _State | None:
    # SQLite has one writer at a time and knows no such lock.
    row = connection.execute(
        select(State.rolled, State.purged, Gateway.zone)
        .join(Gateway, Gateway.id == State.gateway_id)
        .where(State.gateway_id == gateway_id)
        .with_for_update(of=State)
    ).one_or_none()
    return None if row is None else _State(*row)


def _first(connection: Connection, gateway_id: int) -> int | None:
    # By kind: then the key has the answer.
    found = [_oldest(connection, gateway_id, kind) for kind in KIND_CODES.values()]
    return min((t for t in found if t is not None), default=None)


def _oldest(connection: Connection, gateway_id: int, kind: int) -> int | None:
    return connection.scalar(
        select(func.min(Reading.t)).where(Reading.gateway_id == gateway_id, Reading.kind == kind)
    )


def _keep(connection: Connection, rows: Iterable[HourRow]) -> None:
    values = [row.columns() for row in rows]
    if values:
        upsert(connection, Hour, values)


def _late(connection: Connection, gateway_id: int, rolled: int) -> set[int]:
    """Fold again the hours that got readings afterwards.

    Where the instants were dropped nothing is folded, and the row stands.
    """
    here = (Stale.gateway_id == gateway_id, Stale.t < rolled)
    found = list(connection.scalars(select(Stale.t).where(*here).order_by(Stale.t).limit(1000)))
    for t in found:
        _keep(connection, hours.raw(connection, gateway_id, t, t + HOUR))
    if found:
        connection.execute(delete(Stale).where(*here, Stale.t <= found[-1]))
    # What is read at the end of an hour stands in for the beginning of the next; and whether the
    # half-hour at the end of a day is right shows in the one after it.
    return {at for t in found for at in (t - HOUR, t, t + HOUR) if at < rolled}


def _days(
    connection: Connection, gateway_id: int, rolled: int, zone: str, touched: set[int]
) -> None:
    starts = sorted({day_start(t, zone) for t in touched})
    rows: list[dict[str, Any]] = []
    bars: list[dict[str, Any]] = []
    for start in starts:
        end = next_day(start, zone)
        energies = energy.load(connection, gateway_id, rolled, start, end)
        rows.append(_day(connection, gateway_id, rolled, start, end, energies))
        bars.append(strips.day(gateway_id, energies, start, end, rolled))
    if rows:
        upsert(connection, Day, rows)
        upsert(connection, Strip, bars)
    for start in sorted({month_start(t, zone) for t in starts}):
        strips.keep_month(connection, gateway_id, start, zone)


def day(
    connection: Connection, gateway_id: int, rolled: int, start: int, end: int
) -> dict[str, Any]:
    """One day's row, from the hours and half-hours that there are."""
    energies = energy.load(connection, gateway_id, rolled, start, end)
    return _day(connection, gateway_id, rolled, start, end, energies)


def _day(
    connection: Connection,
    gateway_id: int,
    rolled: int,
    start: int,
    end: int,
    energies: energy.Energies,
) -> dict[str, Any]:
    found = hours.hours(connection, gateway_id, rolled, start, end)
    normal = energy.total(energies.normal, start, end)
    reverse = energy.total(energies.reverse, start, end)
    peaks = [(hour.power_max, hour.power_max_t) for hour in found if hour.power_max is not None]
    most = max(peaks, default=(None, None), key=lambda peak: peak[0])
    lows = [hour.power_min for hour in found if hour.power_min is not None]
    partial = normal.partial or (reverse.value is not None and reverse.partial)
    return {
        "gateway_id": gateway_id,
        "t": start,
        "n": sum(hour.n for hour in found),
        "power_sum": sum(hour.power_sum for hour in found),
        "power_min": min(lows, default=None),
        "power_max": most[0],
        "power_max_t": most[1],
        "normal": normal.value,
        "reverse": reverse.value,
        "partial": int(partial),
        "slots": sum(1 for t, _ in energies.normal.slots if start <= t < end),
    }


def rezone(connection: Connection, gateway_id: int) -> None:
    """The time zone changed: its days begin elsewhere now, so all are made again."""
    state = _locked(connection, gateway_id)
    if state is None:
        return
    first = _first(connection, gateway_id)
    kept = connection.scalar(select(func.min(Hour.t)).where(Hour.gateway_id == gateway_id))
    begin = min((t for t in (first, kept) if t is not None), default=None)
    connection.execute(delete(Day).where(Day.gateway_id == gateway_id))
    connection.execute(delete(Strip).where(Strip.gateway_id == gateway_id))
    if begin is not None and begin < state.rolled:
        # From noon to noon: no day is missed, whatever the zone.
        touched = set(range(begin // HOUR * HOUR, state.rolled, 12 * HOUR))
        _days(connection, gateway_id, state.rolled, state.zone, touched | {state.rolled - 1})
        _stand(connection, gateway_id, state.rolled, state.zone)


def purge(connection: Connection, gateway_id: int, limit: int) -> int:
    """Drop instants from before `limit` that are folded; how many."""
    state = _locked(connection, gateway_id)
    if state is None:
        return 0
    until = min(limit, state.rolled) // HOUR * HOUR
    stale = connection.scalar(select(func.min(Stale.t)).where(Stale.gateway_id == gateway_id))
    if stale is not None:
        until = min(until, stale)
    oldest = _oldest(connection, gateway_id, INSTANT)
    if oldest is None or oldest >= until:
        return 0
    until = min(until, oldest // HOUR * HOUR + AT_ONCE)
    here = (Reading.gateway_id == gateway_id, Reading.kind == INSTANT)
    gone = connection.execute(delete(Reading).where(*here, Reading.t < until)).rowcount
    connection.execute(
        update(State).where(State.gateway_id == gateway_id).values(purged=max(until, state.purged))
    )
    return gone


def to_purge(connection: Connection, limit: int, after: int, count: int) -> list[int]:
    """Gateways, in the order of their numbers, that may have instants from before `limit`."""
    return list(
        connection.scalars(
            select(State.gateway_id)
            .where(State.purged < limit, State.rolled > 0, State.gateway_id > after)
            .order_by(State.gateway_id)
            .limit(count)
        )
    )
