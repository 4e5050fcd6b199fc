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
