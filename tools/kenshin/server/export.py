"""Downloads of any length: read piece by piece, written as CSV or JSON, never held as a whole."""

import csv
import io
import json
from collections.abc import Generator
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from kenshin.server import energy, meters, units
from kenshin.server.schema import Day, Reading
from kenshin.server.slots import HALF_HOUR, INSTANT, MINUTE, QUALITIES, origins_of
from kenshin.server.store import Store

MEDIA = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
COLUMNS = {
    "half-hour": (
        *("service_code", "name", "time", "fwd_int_power_kwh", "bwd_int_power_kwh"),
        *("fwd_kwh", "bwd_kwh", "quality", "origins"),
    ),
    "instant": (
        *("service_code", "name", "time", "active_power_w", "current_r_a", "current_t_a"),
        *("fwd_int_power_kwh", "bwd_int_power_kwh", "quality", "origins"),
    ),
    "minute": (
        *("service_code", "name", "time", "fwd_int_power_kwh", "bwd_int_power_kwh"),
        *("quality", "origins"),
    ),
    "day": (
        *("service_code", "name", "date", "fwd_kwh", "bwd_kwh", "partial"),
        *("mean_w", "peak_w", "peak_time", "half_hours"),
    ),
}
_CODES = {"half-hour": HALF_HOUR, "instant": INSTANT, "minute": MINUTE}
_PIECE = 5000  # rows read at once
_BOM = "\ufeff"
_FORMULA = tuple("=+-@＝＋－＠")


class Source(NamedTuple):
    """A gateway to be exported."""

    id: int
    code: str
    name: str
    zone: str


class What(NamedTuple):
    """A download: start <= t < end."""

    sources: tuple[Source, ...]
    kind: str
    start: int
    end: int
    format: str
    bom: bool


def file_name(what: What) -> str:
    """What the browser calls the file."""
    who = what.sources[0].code if len(what.sources) == 1 else "gateways"
    first, last = (units.rfc3339(t)[:10] for t in (what.start, max(what.start, what.end - 1)))
    return f"kenshin-{who}-{what.kind}-{first}-{last}.{what.format}"


def stream(store: Store, what: What) -> Generator[bytes]:
    """The file, piece by piece; each is read in a transaction of its own. Raises Unavailable."""
    names = COLUMNS[what.kind]
    if what.format == "csv":
        yield ((_BOM if what.bom else "") + _lines([names])).encode()
    else:
        yield b"["
    first = True
    for source in what.sources:
        after = what.start
        while after < what.end:
            with store.reading() as connection:
                rows, after = _READERS[what.kind](connection, source, after, what.end)
            if not rows:
                continue
            if what.format == "csv":
                yield _lines(rows).encode()
            else:
                items = ",\n".join(_object(names, row) for row in rows)
                yield (("\n" if first else ",\n") + items).encode()
            first = False
    if what.format == "json":
        yield b"\n]\n"


class _Number(str):
    """An exact decimal: text in CSV, a number in JSON."""


def _number(value: int | None, places: int) -> _Number | None:
    return None if value is None else _Number(units.decimal(value, places))


def _lines(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _object(names: tuple[str, ...], row: tuple[Any, ...]) -> str:
    pairs = (
        f"{json.dumps(name)}:{value if isinstance(value, _Number) else json.dumps(value)}"
        for name, value in zip(names, row, strict=True)
    )
    return "{" + ",".join(pairs) + "}"


def _plain(name: str) -> str:
    # A spreadsheet would take it for a formula; in Japan perhaps with the wide signs, too.
    return "'" + name if name[:1] in _FORMULA else name


Piece = tuple[list[tuple[Any, ...]], int]  # rows, and where the next piece begins


def _readings(
    connection: Connection, source: Source, start: int, end: int, kind: int
) -> tuple[list[Any], int]:
    rows = connection.execute(
        select(
            Reading.t,
            Reading.power,
            Reading.current_r,
            Reading.current_t,
            Reading.normal,
            Reading.reverse,
            Reading.quality,
            Reading.origins,
        )
        .where(
            Reading.gateway_id == source.id,
            Reading.kind == kind,
            Reading.t >= start,
            Reading.t < end,
        )
        .order_by(Reading.t)
        .limit(_PIECE)
    ).all()
    return list(rows), rows[-1][0] + 1 if len(rows) == _PIECE else end


def _half_hours(connection: Connection, source: Source, start: int, end: int) -> Piece:
    rows, after = _readings(connection, source, start, end, HALF_HOUR)
    if not rows:
        return [], after
    times = int(rows[0][0]), int(rows[-1][0])
    beside = _beside(connection, source, *times)
    ends = [_believed([*beside[0], *rows, *beside[1]], column) for column in (4, 5)]
    fall = any(energy.falls(list(each.items())) for each in ends)
    turns = meters.turns(connection, source.id) if fall else ()
    found: list[tuple[Any, ...]] = []
    for row in rows:
        t = int(row[0])
        quality, origins = int(row[6]), int(row[7])
        found.append(
            (
                *(source.code, _plain(source.name), units.rfc3339(t)),
                *(_number(row[4], 4), _number(row[5], 4)),
                *(_number(energy.of_slot(each, t, turns), 4) for each in ends),
                *(QUALITIES[quality], " ".join(origins_of(origins))),
            )
        )
    return found, after


def _beside(
    connection: Connection, source: Source, first: int, last: int
) -> tuple[list[Any], list[Any]]:
    """The half-hours around a piece: one before it; two after it, for the energy of the last."""
    before, _ = _readings(connection, source, first - energy.SLOT, first, HALF_HOUR)
    after, _ = _readings(connection, source, last + 1, last + 2 * energy.SLOT + 1, HALF_HOUR)
    return before, after


def _believed(rows: list[Any], column: int) -> dict[int, int]:
    points = [(int(row[0]), int(row[column])) for row in rows if row[column] is not None]
    return dict(energy.believed(points))


def _instants(connection: Connection, source: Source, start: int, end: int) -> Piece:
    rows, after = _readings(connection, source, start, end, INSTANT)
    return [
        (
            *(source.code, _plain(source.name), units.rfc3339(row[0]), _number(row[1], 0)),
            *(_number(row[2], 1), _number(row[3], 1), _number(row[4], 4), _number(row[5], 4)),
            *(QUALITIES[row[6]], " ".join(origins_of(row[7]))),
        )
        for row in rows
    ], after


def _minutes(connection: Connection, source: Source, start: int, end: int) -> Piece:
    rows, after = _readings(connection, source, start, end, MINUTE)
    return [
        (
            *(source.code, _plain(source.name), units.rfc3339(row[0])),
            *(_number(row[4], 4), _number(row[5], 4)),
            *(QUALITIES[row[6]], " ".join(origins_of(row[7]))),
        )
        for row in rows
    ], after


def _dated(t: int, zone: str) -> int:
    """Of the beginning of a day in Japan that of the same day in `zone`; else `t` itself."""
    day = datetime.fromtimestamp(t, units.JST)
    if (day.hour, day.minute, day.second) != (0, 0, 0):
        return t
    return int(day.replace(tzinfo=ZoneInfo(zone)).timestamp())


def _days(connection: Connection, source: Source, start: int, end: int) -> Piece:
    first, last = _dated(start, source.zone), _dated(end, source.zone)
    rows = connection.execute(
        select(
            Day.t,
            Day.normal,
            Day.reverse,
            Day.partial,
            Day.n,
            Day.power_sum,
            Day.power_max,
            Day.power_max_t,
            Day.slots,
        )
        .where(Day.gateway_id == source.id, Day.t >= first, Day.t < last)
        .order_by(Day.t)
    )
    zone = ZoneInfo(source.zone)
    return [
        (
            *(
                source.code,
                _plain(source.name),
                datetime.fromtimestamp(t, zone).date().isoformat(),
            ),
            *(_number(normal, 4), _number(reverse, 4), bool(partial)),
            _number((2 * power_sum + n) // (2 * n), 0) if n else None,
            *(_number(peak, 0), None if peak_t is None else units.rfc3339(peak_t), slots),
        )
        for t, normal, reverse, partial, n, power_sum, peak, peak_t, slots in rows
    ], end


_READERS = {"half-hour": _half_hours, "instant": _instants, "minute": _minutes, "day": _days}
