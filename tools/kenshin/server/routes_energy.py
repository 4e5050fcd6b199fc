"""GET /api/v1/gateways/{code}/energy: bars of a day, a month or a year, both directions."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection, select

from kenshin.server import energy, meters, problems, rollup, units
from kenshin.server.access import Reading
from kenshin.server.problems import Problem
from kenshin.server.schema import Day, State
from kenshin.server.service import Served
from kenshin.server.status import MeterIdentity

router = APIRouter(prefix="/api/v1")


class MeterChange(BaseModel):
    """Another meter, or other settings of it: energy across this may not be known."""

    t: int = Field(description="UTC seconds of the first status that told of it")
    before: int | None = Field(description="UTC seconds of the last that was heard before it")
    old: MeterIdentity = Field(description="what differs, as it was; null = the same, or not told")
    new: MeterIdentity = Field(description="as it is")


class Bars(BaseModel):
    """Energy by half-hours (of a day), days (of a month) or months (of a year)."""

    period: Literal["day", "month", "year"]
    start: int = Field(description="UTC seconds")
    end: int
    previous: str = Field(description="date of the period before")
    next: str = Field(description="date of the period after")
    t: list[int] = Field(description="beginning of each bar, UTC seconds")
    normal: list[int | None] = Field(description="0.1 Wh used; null = not measured")
    reverse: list[int | None] = Field(description="0.1 Wh sold; null = not measured")
    partial: list[bool] = Field(description="not measured from end to end")
    total_normal: str | None = Field(description="kWh of the whole, exact decimal")
    total_reverse: str | None
    total_partial: bool
    meters: list[MeterChange] = Field(
        description="other meters, or other settings of the meter, told within this time"
    )


class Piece(NamedTuple):
    """A bar: its beginning, and both directions."""

    t: int
    normal: energy.Total
    reverse: energy.Total


@router.get(
    "/gateways/{code}/energy",
    summary="Energy of a day, a month or a year",
    responses=problems.documented(
        "not-found", "invalid", "no-key", "wrong-key", "too-many", "unavailable"
    ),
    openapi_extra={"security": [{"apiKey": []}, {"session": []}, {"uploadToken": []}]},
)
def show_energy(
    service: Served,
    reader: Reading,
    code: str,
    period: Annotated[Literal["day", "month", "year"], Query()] = "day",
    on: Annotated[
        str | None,
        Query(
            max_length=10,
            description="A day in the period, in the gateway's time zone; default today.",
            examples=["2026-11-20"],
        ),
    ] = None,
) -> Bars:
    """What was not measured is null: a gap is a gap, and its energy is in no single bar."""
    with service.store.reading() as connection:
        gateway_id, zone = reader.gateway(connection, code)
        today = datetime.fromtimestamp(service.now(), ZoneInfo(zone)).date()
        day = today if on is None else parse_day(on)
        first, after, before = span_of(period, day)
        start, end = (begin(each, zone) for each in (first, after))
        rolled = connection.scalar(select(State.rolled).where(State.gateway_id == gateway_id))
        if period == "day":
            pieces = _half_hours(connection, gateway_id, rolled or 0, start, end)
        else:
            days = _days(connection, gateway_id, rolled or 0, zone, start, end)
            pieces = days if period == "month" else months(days, zone, first.year)
        loaded = energy.load(
            connection, gateway_id, rolled or 0, start, min(end, service.now() + 1)
        )
        totals = [energy.total(one, start, min(end, service.now() + 1)) for one in loaded]
        changes = meters.changes(connection, gateway_id, start, end)
    told = [MeterChange.model_validate(change._asdict()) for change in changes]
    return bars_of(period, (start, end), (before, after), pieces, totals, told)


class SoFar(BaseModel):
    """Energy of a day up to a moment."""

    normal: int | None = Field(description="0.1 Wh used; null = not measured")
    reverse: int | None = Field(description="0.1 Wh sold; null = not measured")
    partial: bool = Field(description="not measured from end to end")


class Today(BaseModel):
    """Today so far, and yesterday up to the same time."""

    now: int = Field(description="UTC seconds")
    start: int = Field(description="beginning of today in the gateway's time zone")
    today: SoFar
    yesterday: SoFar


@router.get(
    "/gateways/{code}/today",
    summary="Today against yesterday",
    responses=problems.documented(
        "not-found", "invalid", "no-key", "wrong-key", "too-many", "unavailable"
    ),
    openapi_extra={"security": [{"apiKey": []}, {"session": []}, {"uploadToken": []}]},
)
def show_today(service: Served, reader: Reading, code: str) -> Today:
    """Energy so far today, and yesterday up to the same time of day."""
    now = service.now()
    with service.store.reading() as connection:
        gateway_id, zone = reader.gateway(connection, code)
        rolled = connection.scalar(select(State.rolled).where(State.gateway_id == gateway_id))
        start = rollup.day_start(now, zone)
        before = rollup.day_start(start - 1, zone)
        today = _so_far(connection, gateway_id, rolled or 0, start, now)
        yesterday = _so_far(
            connection, gateway_id, rolled or 0, before, min(_day_before(now, zone), start)
        )
    return Today(now=now, start=start, today=today, yesterday=yesterday)


def _day_before(now: int, zone: str) -> int:
    # By the clock on the wall: with summer time that is 23, 24 or 25 hours ago.
    return int((datetime.fromtimestamp(now, ZoneInfo(zone)) - timedelta(days=1)).timestamp())


def _so_far(connection: Connection, gateway_id: int, rolled: int, start: int, end: int) -> SoFar:
    normal, reverse = energy.until(connection, gateway_id, rolled, start, end)
    partial = normal.partial or (reverse.value is not None and reverse.partial)
    return SoFar(normal=normal.value, reverse=reverse.value, partial=partial)


def bars_of(
    period: Literal["day", "month", "year"],
    span: tuple[int, int],
    around: tuple[date, date],
    pieces: Sequence[Piece],
    totals: Sequence[energy.Total],
    changes: Sequence[MeterChange] = (),
) -> Bars:
    """The answer, from its parts; `around` = a day of the period before, of the one after."""
    return Bars(
        period=period,
        start=span[0],
        end=span[1],
        previous=around[0].isoformat(),
        next=around[1].isoformat(),
        t=[t for t, _, _ in pieces],
        normal=[normal.value for _, normal, _ in pieces],
        reverse=[reverse.value for _, _, reverse in pieces],
        partial=[
            normal.partial or (reverse.value is not None and reverse.partial)
            for _, normal, reverse in pieces
        ],
        total_normal=units.kwh(totals[0].value),
        total_reverse=units.kwh(totals[1].value),
        total_partial=totals[0].partial or (totals[1].value is not None and totals[1].partial),
        meters=list(changes),
    )


def parse_day(text: str) -> date:
    """A day of a query. Raises Problem: invalid."""
    try:
        found = date.fromisoformat(text)
        if not 1971 <= found.year <= 9000 or len(text) != 10:
            raise ValueError
    except ValueError:
        errors = [{"where": "query.on", "why": "a day is written as 2026-11-20"}]
        raise Problem("invalid", errors=errors) from None
    return found


def span_of(period: str, day: date) -> tuple[date, date, date]:
    """(first day, first day of the next period, first day of the one before)."""
    if period == "day":
        n = day.toordinal()
        return day, date.fromordinal(n + 1), date.fromordinal(n - 1)
    if period == "month":
        first = day.replace(day=1)
        later = date(day.year + day.month // 12, day.month % 12 + 1, 1)
        return first, later, date.fromordinal(first.toordinal() - 1).replace(day=1)
    return date(day.year, 1, 1), date(day.year + 1, 1, 1), date(day.year - 1, 1, 1)


def span(period: str, day: date, zone: str) -> tuple[int, int]:
    """The period that holds a day, UTC seconds; of days that no calendar shows: nothing."""
    if not 1971 <= day.year <= 9000:
        return 0, 0
    first, after, _ = span_of(period, day)
    return begin(first, zone), begin(after, zone)


def begin(day: date, zone: str) -> int:
    """The beginning of a day, UTC seconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp())


def _half_hours(
    connection: Connection, gateway_id: int, rolled: int, start: int, end: int
) -> list[Piece]:
    loaded = energy.load(connection, gateway_id, rolled, start, end)
    normal = energy.bars(loaded.normal, start, end)
    reverse = energy.bars(loaded.reverse, start, end)
    return [
        Piece(start + n * energy.SLOT, energy.Total(a, a is None), energy.Total(b, False))
        for n, (a, b) in enumerate(zip(normal, reverse, strict=True))
    ]


def _days(
    connection: Connection, gateway_id: int, rolled: int, zone: str, start: int, end: int
) -> list[Piece]:
    rows = connection.execute(
        select(Day.t, Day.normal, Day.reverse, Day.partial).where(
            Day.gateway_id == gateway_id, Day.t >= start, Day.t < end
        )
    )
    kept = {
        t: Piece(t, energy.Total(normal, bool(partial)), energy.Total(reverse, False))
        for t, normal, reverse, partial in rows
    }
    found: list[Piece] = []
    while start < end:
        after = rollup.next_day(start, zone)
        if start <= rolled < after:  # today: not folded to its end yet
            row = rollup.day(connection, gateway_id, rolled, start, after)
            partial = bool(row["partial"])
            kept[start] = Piece(
                start,
                energy.Total(row["normal"], partial),
                energy.Total(row["reverse"], False),
            )
        unknown = energy.Total(None, True)
        found.append(kept.get(start, Piece(start, unknown, unknown)))
        start = after
    return found


def months(days: list[Piece], zone: str, year: int) -> list[Piece]:
    """Days of a year, put together by months."""
    found: list[Piece] = []
    for month in range(1, 13):
        first = begin(date(year, month, 1), zone)
        end = begin(date(year + month // 12, month % 12 + 1, 1), zone)
        mine = [piece for piece in days if first <= piece.t < end]
        sums: list[energy.Total] = []
        for totals in ([one.normal for one in mine], [one.reverse for one in mine]):
            known = [one.value for one in totals if one.value is not None]
            partial = any(one.partial or one.value is None for one in totals)
            sums.append(energy.Total(sum(known) if known else None, partial))
        found.append(Piece(first, sums[0], sums[1]))
    return found
