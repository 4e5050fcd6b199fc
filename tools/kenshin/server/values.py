"""The kinds of values that other programs may ask for, one by one."""

from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from kenshin.server.schema import Day, Reading
from kenshin.server.slots import HALF_HOUR, INSTANT, MINUTE


class Kind(Enum):
    """What can be asked for."""

    FWD = "fwd_int_power"
    BWD = "bwd_int_power"
    ACTIVE = "active_power"
    FWD_NOW = "fwd_int_power_now"
    BWD_NOW = "bwd_int_power_now"
    FWD_MINUTE = "fwd_int_power_minute"
    BWD_MINUTE = "bwd_int_power_minute"
    CURRENT_R = "current_r"
    CURRENT_T = "current_t"
    FWD_DAY = "fwd_power_day"
    BWD_DAY = "bwd_power_day"


class _Source(NamedTuple):
    kind: int | None  # of the readings; None = the days
    column: str
    places: int
    words: str


_SOURCES = {
    Kind.FWD: _Source(HALF_HOUR, "normal", 4, "meter's half-hourly counter, forward, kWh"),
    Kind.BWD: _Source(HALF_HOUR, "reverse", 4, "the same, reverse (sold), kWh"),
    Kind.ACTIVE: _Source(INSTANT, "power", 0, "power when it was asked for, W; negative = sold"),
    Kind.FWD_NOW: _Source(INSTANT, "normal", 4, "meter's counter when asked, forward, kWh"),
    Kind.BWD_NOW: _Source(INSTANT, "reverse", 4, "the same, reverse, kWh"),
    Kind.FWD_MINUTE: _Source(MINUTE, "normal", 4, "meter's counter each minute, forward, kWh"),
    Kind.BWD_MINUTE: _Source(MINUTE, "reverse", 4, "the same, reverse, kWh"),
    Kind.CURRENT_R: _Source(INSTANT, "current_r", 1, "current of phase R, A"),
    Kind.CURRENT_T: _Source(INSTANT, "current_t", 1, "current of phase T, A"),
    Kind.FWD_DAY: _Source(None, "normal", 4, "used in the whole day that begins then, kWh"),
    Kind.BWD_DAY: _Source(None, "reverse", 4, "sold in the whole day that begins then, kWh"),
}
PLACES = {kind: source.places for kind, source in _SOURCES.items()}
DESCRIPTION = "; ".join(f"`{kind.value}`: {source.words}" for kind, source in _SOURCES.items())


def read(
    connection: Connection, gateway_id: int, kind: Kind, start: int, end: int, limit: int
) -> list[tuple[int, int]]:
    """(t, value) that were measured, start <= t < end, in time order."""
    source = _SOURCES[kind]
    table: Any = Day if source.kind is None else Reading
    column = getattr(table, source.column)
    statement = (
        select(table.t, column)
        .where(
            table.gateway_id == gateway_id, table.t >= start, table.t < end, column.is_not(None)
        )
        .order_by(table.t)
        .limit(limit)
    )
    if source.kind is not None:
        statement = statement.where(Reading.kind == source.kind)
    else:
        statement = statement.where(Day.partial == 0)  # the others are no whole day's energy
    return [(row[0], row[1]) for row in connection.execute(statement)]
