"""The newest measured values of a gateway, kept with its state, so that many can be summed.

An upload moves them forward in its own transaction. "Newest" is by the readings' own times: one
from a clock that is ahead stands in front until time has reached it; who asks looks for that.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, update

from kenshin.server.schema import Reading, State
from kenshin.server.slots import HALF_HOUR, INSTANT

# How far before the newest reading of a kind it is looked for: this bounds a search in a history
# without the value. Seconds.
WITHIN = 2 * 86_400


class Newest(NamedTuple):
    """Times and values, as the table of states has them; None = never measured."""

    power_t: int | None = None
    power: int | None = None
    normal_t: int | None = None
    normal: int | None = None
    reverse_t: int | None = None
    reverse: int | None = None


def after(before: Newest, rows: Iterable[Any]) -> Newest:
    """`before` and new readings: rows of the table."""
    power_t, power, normal_t, normal, reverse_t, reverse = before
    was_power, was_normal, was_reverse = (-1 if t is None else t for t in before[::2])
    for row in rows:
        kind, t = row[1], row[2]
        if kind == INSTANT:
            if t > was_power and row[4] is not None:
                was_power = power_t = t
                power = row[4]
        elif kind != HALF_HOUR:
            continue
        # At one moment the higher counter: an instant of that second was read after it.
        value = row[7]
        if t >= was_normal and value is not None:
            if t > was_normal or normal is None or value > normal:
                normal = value
            was_normal = normal_t = t
        value = row[8]
        if t >= was_reverse and value is not None:
            if t > was_reverse or reverse is None or value > reverse:
                reverse = value
            was_reverse = reverse_t = t
    return Newest(power_t, power, normal_t, normal, reverse_t, reverse)


def look(connection: Connection, gateway_id: int, until: int = 2**62) -> Newest:
    """From the readings themselves, with t <= until."""
    rows: list[tuple[Any, ...]] = []
    for kind, fields in ((INSTANT, (4, 7, 8)), (HALF_HOUR, (7, 8))):
        here = (Reading.gateway_id == gateway_id, Reading.kind == kind, Reading.t <= until)
        last = connection.scalar(select(func.max(Reading.t)).where(*here))
        if last is None:
            continue
        for place in fields:
            column = {4: Reading.power, 7: Reading.normal, 8: Reading.reverse}[place]
            found = connection.execute(
                select(Reading.t, column)
                .where(*here, Reading.t >= last - WITHIN, column.is_not(None))
                .order_by(Reading.t.desc())
                .limit(1)
            ).one_or_none()
            if found is not None:
                row: list[Any] = [gateway_id, kind, found[0], *[None] * 6]
                row[place] = found[1]
                rows.append(tuple(row))
    return after(Newest(), rows)


def refresh(connection: Connection, gateway_id: int) -> None:
    """Set them anew: after readings came by another way than an upload."""
    values = look(connection, gateway_id)._asdict()
    connection.execute(update(State).where(State.gateway_id == gateway_id).values(**values))
