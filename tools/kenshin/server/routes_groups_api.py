"""GET /api/v1/groups/...: groups of gateways, and what they draw together."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from kenshin.server import energy, groups, problems, rollup, routes_energy, strips, units
from kenshin.server.access import Reader, Reading
from kenshin.server.problems import Problem
from kenshin.server.routes_energy import Bars, Piece
from kenshin.server.service import Served

router = APIRouter(prefix="/api/v1")

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]

_GONE = problems.documented(
    "not-found", "invalid", "no-key", "wrong-key", "too-many", "unavailable"
)
_SECURITY: dict[str, Any] = {"security": [{"apiKey": []}, {"session": []}]}


class GroupItem(BaseModel):
    """A group."""

    id: int
    name: str
    gateways: int = Field(description="how many are in it")


class GroupList(BaseModel):
    """All groups that you may see."""

    groups: list[GroupItem]


class GroupSums(GroupItem):
    """What the gateways of a group draw together; null = known of none of them."""

    power: int | None = Field(description="W, now; negative = sold")
    power_n: int = Field(description="gateways whose power is known now")
    today: str | None = Field(description="kWh used today, exact decimal")
    today_sold: str | None
    today_n: int = Field(description="gateways whose energy of today is known")
    month: str | None = Field(description="kWh used this month, exact decimal")
    month_sold: str | None
    month_partial: bool = Field(description="not all were measured from end to end")


def visible(connection: Connection, reader: Reader, number: int) -> groups.GroupRow:
    """A group that may be read. Raises Problem: not-found."""
    scope = reader.scope
    if scope.gateway_id is None and scope.group_id in (None, number):
        found = groups.find(connection, number)
        if found is not None:
            return found
    raise Problem("not-found", "there is no such group")


@router.get(
    "/groups", summary="All groups that you may see", responses=_GONE, openapi_extra=_SECURITY
)
def list_groups(service: Served, reader: Reading) -> GroupList:
    """Groups by name."""
    with service.store.reading() as connection:
        rows = groups.listed(connection)
    mine = [] if reader.scope.gateway_id is not None else rows
    if reader.scope.group_id is not None:
        mine = [row for row in mine if row.id == reader.scope.group_id]
    return GroupList(groups=[GroupItem(**row._asdict()) for row in mine])


@router.get(
    "/groups/{number}", summary="What a group draws", responses=_GONE, openapi_extra=_SECURITY
)
def show_group(service: Served, reader: Reading, number: Number) -> GroupSums:
    """Sums over the gateways of a group: now, today, this month."""
    with service.store.reading() as connection:
        row = visible(connection, reader, number)
        found = groups.sums(groups.members(connection, number, service.now()))
    return GroupSums(
        id=row.id,
        name=row.name,
        gateways=row.gateways,
        power=found.power,
        power_n=found.power_n,
        today=units.kwh(found.today),
        today_sold=units.kwh(found.today_sold),
        today_n=found.today_n,
        month=units.kwh(found.month),
        month_sold=units.kwh(found.month_sold),
        month_partial=found.partial,
    )


@router.get(
    "/groups/{number}/energy",
    summary="Energy of a group: a day, a month or a year",
    responses=_GONE,
    openapi_extra=_SECURITY,
)
def show_group_energy(
    service: Served,
    reader: Reading,
    number: Number,
    period: Annotated[Literal["day", "month", "year"], Query()] = "month",
    on: Annotated[
        str | None,
        Query(
            max_length=10,
            description="A day in the period, in the server's time zone; default today.",
            examples=["2026-11-20"],
        ),
    ] = None,
) -> Bars:
    """Sums of what is known; a bar says `partial` when one of the gateways was not measured."""
    zone = service.display().zone
    today = datetime.fromtimestamp(service.now(), ZoneInfo(zone)).date()
    first, after, before = routes_energy.span_of(
        period, today if on is None else routes_energy.parse_day(on)
    )
    start, end = (routes_energy.begin(each, zone) for each in (first, after))
    with service.store.reading() as connection:
        row = visible(connection, reader, number)
        found = groups.bars(connection, number, period, first, zone)
    pieces = [
        Piece(
            t,
            energy.Total(
                bar.normal, bar.known < row.gateways or (period != "day" and bar.partial > 0)
            ),
            energy.Total(bar.reverse, False),
        )
        for t, bar in zip(_begins(period, first, after, zone), found, strict=True)
    ]
    # Of a half-hour that is not over nothing can be known.
    running = energy.SLOT if period == "day" else 0
    past = [piece for piece in pieces if piece.t + running < service.now()]
    totals = [
        energy.Total(strips.plus(bar.value for bar in bars), any(bar.partial for bar in bars))
        for bars in ([piece.normal for piece in past], [piece.reverse for piece in past])
    ]
    return routes_energy.bars_of(period, (start, end), (before, after), pieces, totals)


def _begins(period: str, first: date, after: date, zone: str) -> list[int]:
    if period == "year":
        return [strips.begin(first.year, month, zone) for month in range(1, 13)]
    start, end = (routes_energy.begin(each, zone) for each in (first, after))
    step = energy.SLOT
    return list(range(start, end, step) if period == "day" else rollup.days(start, end, zone))
