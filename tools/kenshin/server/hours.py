"""The instants of an hour, folded into one row: as it is kept, or from the instants now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from kenshin.server.schema import Hour, Reading
from kenshin.server.slots import INSTANT

HOUR = 3600


@dataclass(slots=True)
class HourRow:
    """As the table `hours` has it."""

    gateway_id: int
    t: int
    n: int = 0
    power_sum: int = 0
    power_min: int | None = None
    power_max: int | None = None
    power_max_t: int | None = None
    current_r_max: int | None = None
    current_t_max: int | None = None
    normal_first_t: int | None = None
    normal_first: int | None = None
    normal_last_t: int | None = None
    normal_last: int | None = None
    reverse_first_t: int | None = None
    reverse_first: int | None = None
    reverse_last_t: int | None = None
    reverse_last: int | None = None

    def columns(self) -> dict[str, Any]:
        """By the names of the table's columns."""
        return {name: getattr(self, name) for name in self.__slots__}

    def add(self, t: int, power: int | None, r: int | None, tt: int | None) -> None:
        """A reading's power and currents."""
        if power is not None:
            self.n += 1
            self.power_sum += power
            if self.power_min is None or power < self.power_min:
                self.power_min = power
            if self.power_max is None or power > self.power_max:
                self.power_max, self.power_max_t = power, t
        self.current_r_max = _larger(self.current_r_max, r)
        self.current_t_max = _larger(self.current_t_max, tt)

    def count(self, t: int, normal: int | None, reverse: int | None) -> None:
        """A reading's energies; readings come in time order."""
        if normal is not None:
            if self.normal_first_t is None:
                self.normal_first_t, self.normal_first = t, normal
            self.normal_last_t, self.normal_last = t, normal
        if reverse is not None:
            if self.reverse_first_t is None:
                self.reverse_first_t, self.reverse_first = t, reverse
            self.reverse_last_t, self.reverse_last = t, reverse


def _larger(most: int | None, current: int | None) -> int | None:
    if current is None or (most is not None and abs(most) >= abs(current)):
        return most
    return current


def fold(gateway_id: int, rows: Iterable[Any]) -> list[HourRow]:
    """Hours from instants (t, power, current_r, current_t, normal, reverse) in time order."""
    found: list[HourRow] = []
    for t, power, current_r, current_t, normal, reverse in rows:
        begin = t // HOUR * HOUR
        if not found or found[-1].t != begin:
            found.append(HourRow(gateway_id, begin))
        found[-1].add(t, power, current_r, current_t)
        found[-1].count(t, normal, reverse)
    return found


def raw(connection: Connection, gateway_id: int, start: int, end: int) -> list[HourRow]:
    """Hours folded from the instants with start <= t < end."""
    rows = connection.execute(
        select(
            Reading.t,
            Reading.power,
            Reading.current_r,
            Reading.current_t,
            Reading.normal,
            Reading.reverse,
        )
        .where(
            Reading.gateway_id == gateway_id,
            Reading.kind == INSTANT,
            Reading.t >= start,
            Reading.t < end,
        )
        .order_by(Reading.t)
    )
    return fold(gateway_id, rows)


_STORED = select(*[getattr(Hour, name) for name in HourRow.__slots__])


def stored(connection: Connection, gateway_id: int, start: int, end: int) -> list[HourRow]:
    """Hours from the table, start <= t < end."""
    rows = connection.execute(
        _STORED.where(Hour.gateway_id == gateway_id, Hour.t >= start, Hour.t < end).order_by(
            Hour.t
        )
    )
    return [HourRow(*row) for row in rows]


def hours(
    connection: Connection, gateway_id: int, rolled: int, start: int, end: int
) -> Sequence[HourRow]:
    """Hours with start <= t < end (start on an hour): kept ones, and those not folded yet."""
    middle = min(max(rolled, start), end)
    found = stored(connection, gateway_id, start, middle) if start < middle else []
    if middle < end:
        found += raw(connection, gateway_id, middle, end)
    return found


def edges(
    connection: Connection, gateway_id: int, rolled: int, start: int, end: int
) -> list[HourRow]:
    """Of the hours that `energy.total` may ask for from `start` to `end`, those that it will.

    That is the one before `start`, the first with a first energy and the last with a last one,
    for each direction, and all that are not folded yet. Of a year: a handful of 8,760.
    """
    begin, until = (start - 1) // HOUR * HOUR, -(-end // HOUR) * HOUR
    middle = min(max(rolled, begin), until)
    here = (Hour.gateway_id == gateway_id, Hour.t >= begin, Hour.t < middle)
    wanted = {begin}
    for first, last in (
        (Hour.normal_first_t, Hour.normal_last_t),
        (Hour.reverse_first_t, Hour.reverse_last_t),
    ):
        wanted |= set(
            connection.scalars(
                select(Hour.t).where(*here, first >= start).order_by(Hour.t).limit(1)
            )
        )
        # Two: the very last one may lie on the end itself.
        wanted |= set(
            connection.scalars(
                select(Hour.t).where(*here, last <= end).order_by(Hour.t.desc()).limit(2)
            )
        )
    rows = connection.execute(_STORED.where(*here, Hour.t.in_(sorted(wanted))).order_by(Hour.t))
    return [HourRow(*row) for row in rows] + raw(connection, gateway_id, middle, until)
