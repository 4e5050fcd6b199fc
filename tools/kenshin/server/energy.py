"""Energy of a span of time, from cumulative values. Pure, but for `load`.

The half-hourly values decide: they are the meter's own, and kept for ever. Only where one is
missing at an end of the span do the first and last values of an hour's instants stand in, which
outlive the instants themselves: so a total is the same before and after old instants are dropped.
What is not known is None, never 0; energy from before the span is never put into it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from kenshin.server import meters
from kenshin.server.hours import HOUR, HourRow, edges, hours
from kenshin.server.meters import Turn
from kenshin.server.schema import Reading
from kenshin.server.slots import HALF_HOUR, INSTANT

SLOT = 1800
# Seconds; of a longer span only the hours at its edges are loaded.
LONG = 3 * 86_400
# W. The low-voltage supply of such a meter carries 50,000.
MOST = 1_000_000
# W. More than any such supply is used for: a counter that began again may have gone so far, and
# at most so large a part of its range. Else it may be another meter.
LIKELY = 100_000
PART = 10
FIELDS = ("normal", "reverse")

Point = tuple[int, int]  # t, cumulative 0.1 Wh


class Total(NamedTuple):
    """Energy in 0.1 Wh, and whether it was not measured from end to end."""

    value: int | None
    partial: bool


class Series(NamedTuple):
    """Cumulative values of one direction, within a span and just around it."""

    slots: list[Point]  # half-hourly
    firsts: list[Point]  # of each hour's instants
    lasts: list[Point]
    turns: Sequence[Turn] = ()  # where the counter begins again; loaded when it falls


class Energies(NamedTuple):
    """Both directions."""

    normal: Series
    reverse: Series


def load(connection: Connection, gateway_id: int, rolled: int, start: int, end: int) -> Energies:
    """What `total` needs for spans within start..end. `rolled` = of the gateway's state."""
    rows = connection.execute(
        select(Reading.t, Reading.normal, Reading.reverse)
        .where(
            Reading.gateway_id == gateway_id,
            Reading.kind == HALF_HOUR,
            Reading.t >= start - SLOT,  # by its neighbours a wrong value is known
            Reading.t <= end + SLOT,
        )
        .order_by(Reading.t)
    ).all()
    # Whole hours, folded already or not: the same instants stand in for what is missing.
    begin, until = (start - 1) // HOUR * HOUR, -(-end // HOUR) * HOUR
    if end - start > LONG:
        found = edges(connection, gateway_id, rolled, start, end)
    else:
        found = hours(connection, gateway_id, rolled, begin, until)
    normal = _series([(row[0], row[1]) for row in rows], found, "normal")
    reverse = _series([(row[0], row[2]) for row in rows], found, "reverse")
    if any(falls(sorted([*one.slots, *one.firsts, *one.lasts])) for one in (normal, reverse)):
        turns = meters.turns(connection, gateway_id)
        return Energies(normal._replace(turns=turns), reverse._replace(turns=turns))
    return Energies(normal, reverse)


def falls(points: Sequence[Point]) -> bool:
    """Whether a counter is anywhere lower than before: seldom."""
    return any(b[1] < a[1] for a, b in zip(points, points[1:], strict=False))


def _series(slots: Sequence[Any], found: Sequence[HourRow], field: str) -> Series:
    return Series(
        [(t, value) for t, value in slots if value is not None],
        _points(found, field + "_first"),
        _points(found, field + "_last"),
    )


def _points(found: Sequence[HourRow], name: str) -> list[Point]:
    pairs = [(getattr(hour, name + "_t"), getattr(hour, name)) for hour in found]
    return [(t, value) for t, value in pairs if value is not None]


def believed(points: Sequence[Point]) -> list[Point]:
    """Without single values that are out of line, where those on both sides are in order.

    A counter that falls and stays low is another meter; one that is as before right afterwards
    was read wrongly, and to believe it would invent energy.
    """
    found = list(points[:1])
    for point, after in zip(points[1:], points[2:], strict=False):
        before = found[-1][1]
        if before <= point[1] <= after[1] or before > after[1]:
            found.append(point)
    return [*found, *points[1:][-1:]]


def step(a: Point, b: Point, turns: Sequence[Turn] = ()) -> int | None:
    """The energy from one value of the counter to a later one; None = not known.

    One that falls began again at 0, when that is likely of the meter that was read all the while;
    else it is another meter. One that rises as no supply can is another meter, too, or counts in
    another unit. (Within less than a half-hour a counter may go on by a whole unit of its own.)
    """
    used, seconds = b[1] - a[1], max(SLOT, b[0] - a[0])
    if used >= 0:
        return used if used <= MOST * seconds // 360 else None
    for since, until, turn in turns:
        if since <= a[0] and b[0] <= until and a[1] < turn:
            used += turn
            return used if used <= min(LIKELY * seconds // 360, turn // PART) else None
    return None


def total(series: Series, start: int, end: int) -> Total:
    """The energy between two moments; None when there are not two values to tell it from."""
    inside = [point for point in believed(series.slots) if start <= point[0] <= end]
    begins = bool(inside) and inside[0][0] == start
    if not begins:
        before = [point for point in series.lasts if start - SLOT <= point[0] < start]
        if before:
            inside.insert(0, (start, before[-1][1]))
            begins = True
        else:
            firsts = [point for point in series.firsts if start <= point[0] < end]
            if firsts and (not inside or firsts[0][0] < inside[0][0]):
                inside.insert(0, firsts[0])
                begins = firsts[0][0] - start <= SLOT
    ends = bool(inside) and inside[-1][0] == end
    if not ends:
        lasts = [point for point in series.lasts if point[0] < end]
        if inside and lasts and lasts[-1][0] > inside[-1][0]:
            inside.append(lasts[-1])
        ends = bool(inside) and end - inside[-1][0] <= SLOT
    if len(inside) < 2:
        return Total(None, True)
    steps = [step(a, b, series.turns) for a, b in zip(inside, inside[1:], strict=False)]
    whole = begins and ends and None not in steps
    return Total(sum(filter(None, steps)), not whole)


def until(
    connection: Connection, gateway_id: int, rolled: int, start: int, end: int
) -> tuple[Total, Total]:
    """Both directions from `start` to a moment that no half-hour ends at, such as now."""
    loaded = load(connection, gateway_id, rolled, start, end)
    found: list[Total] = []
    for series, column in zip(loaded, (Reading.normal, Reading.reverse), strict=True):
        newest = connection.execute(
            select(Reading.t, column)
            .where(
                Reading.gateway_id == gateway_id,
                Reading.kind == INSTANT,
                Reading.t >= max(start, end - SLOT),
                Reading.t <= end,
                column.is_not(None),
            )
            .order_by(Reading.t.desc())
            .limit(1)
        ).one_or_none()
        # Of the hour that holds `end` nothing may be known but what came before it.
        lasts = [point for point in series.lasts if point[0] <= end]
        if newest is not None:
            lasts.append((newest[0], newest[1] or 0))
        found.append(total(series._replace(lasts=sorted(set(lasts))), start, end + 1))
    return found[0], found[1]


def bars(series: Series, start: int, end: int) -> list[int | None]:
    """Energy of each half-hour from start to end; None where an end of it was not measured."""
    known = dict(believed(series.slots))
    return [of_slot(known, t, series.turns) for t in range(start, end, SLOT)]


def of_slot(known: Mapping[int, int], t: int, turns: Sequence[Turn] = ()) -> int | None:
    """Energy of the half-hour that begins at `t`, by the counter's values at each moment."""
    a, b = known.get(t), known.get(t + SLOT)
    return None if a is None or b is None else step((t, a), (t + SLOT, b), turns)
