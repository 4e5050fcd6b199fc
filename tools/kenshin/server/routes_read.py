"""GET /api/v1/...: gateways and their readings, for pages, keys, and a gateway about itself."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from kenshin.server import answers, detail, plot, problems, queries, units
from kenshin.server.access import Reader, Reading
from kenshin.server.problems import Problem
from kenshin.server.service import Served
from kenshin.server.slots import KINDS
from kenshin.server.wire import T_AHEAD

router = APIRouter(prefix="/api/v1")

DAY = 86_400
_PLOT_POINTS = 20_000
_ASKING = ("no-key", "wrong-key", "too-many", "unavailable")
_GONE = problems.documented("not-found", "invalid", *_ASKING)
_SECURITY: dict[str, Any] = {"security": [{"apiKey": []}, {"session": []}, {"uploadToken": []}]}


@router.get(
    "/gateways",
    summary="All gateways that you may see",
    responses=problems.documented("invalid", *_ASKING),
    openapi_extra=_SECURITY,
)
def list_gateways(
    service: Served,
    reader: Reading,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str, Query(pattern="^[a-z0-9]{0,11}$", description="a service code")] = "",
) -> answers.GatewayList:
    """Gateways in the order of their service codes; `next` leads to the following ones."""
    with service.store.reading() as connection:
        rows = queries.gateways(connection, after, limit + 1, reader.scope)
    following = None
    if len(rows) > limit:
        following = link(request, {"after": rows[limit - 1].code, "limit": str(limit)})
    _next(response, following)
    gateways = [answers.GatewaySummary.of(row) for row in rows[:limit]]
    return answers.GatewayList(gateways=gateways, next=following)


@router.get("/gateways/{code}", summary="One gateway", responses=_GONE, openapi_extra=_SECURITY)
def show_gateway(service: Served, reader: Reading, code: str) -> answers.GatewayDetail:
    """One gateway: newest values, status, sequence numbers received, readings rejected."""
    with service.store.reading() as connection:
        row = _gateway(connection, reader, code)
        newest = queries.newest(connection, row.id)
        streams = queries.streams(connection, row.id)
        rejections = queries.rejections(connection, row.id, 20)
    return answers.GatewayDetail.build(row, service.now(), newest, streams, rejections)


@router.get(
    "/gateways/{code}/readings",
    summary="Readings of a gateway in time order",
    responses=_GONE,
    openapi_extra=_SECURITY,
)
def list_readings(
    service: Served,
    reader: Reading,
    request: Request,
    response: Response,
    code: str,
    from_: Annotated[
        str | None,
        Query(
            alias="from",
            max_length=40,
            description="first moment: RFC 3339, or UTC seconds; default a day before `to`",
        ),
    ] = None,
    to: Annotated[
        str | None,
        Query(max_length=40, description="end, not included; default up to the newest"),
    ] = None,
    kind: Annotated[
        list[Literal["instant", "half-hour", "minute"]] | None,
        Query(description="may be repeated; default all"),
    ] = None,
    limit: Annotated[int, Query(ge=1)] = 1000,
    after: Annotated[
        Literal["", "instant", "half-hour", "minute"],
        Query(description="set by `next`: at `from` itself, only the kinds after this one"),
    ] = "",
) -> answers.ReadingList:
    """Readings with from <= t < to. `next` leads to the following ones."""
    now = service.now()
    start = moment("from", from_)
    end = moment("to", to)
    if start is None:
        start = (now if end is None else end) - DAY
    if end is None:
        end = now + T_AHEAD + 1
    limit = min(limit, service.limits.readings)
    kinds: Iterable[str] = [name for name in KINDS if kind is None or name in kind]
    with service.store.reading() as connection:
        row = _gateway(connection, reader, code)
        page = queries.readings(connection, row.id, kinds, start, end, limit, after)
    following = None
    if page.more is not None:
        t, last_kind = page.more
        parameters = {"from": str(t), "to": str(end), "limit": str(limit), "after": last_kind}
        following = link(request, parameters, kind or [])
    _next(response, following)
    return answers.ReadingList.build(code, page, following)


@router.get(
    "/gateways/{code}/plot",
    summary="Power over the last hours",
    responses=_GONE,
    openapi_extra=_SECURITY,
)
def show_plot(
    service: Served,
    reader: Reading,
    code: str,
    hours: Annotated[int, Query(ge=1, le=48)] = 6,
) -> answers.Plot:
    """Points for a chart: where nothing was measured for long, `power` has a null."""
    end = service.now() + 1
    start = end - hours * 3600
    with service.store.reading() as connection:
        row = _gateway(connection, reader, code)
        points = queries.powers(connection, row.id, start, end, _PLOT_POINTS)
    gap = plot.longest_step([t for t, _ in points])
    times, values = plot.with_gaps(points, gap)
    return answers.Plot(start=start, end=end, gap=gap, t=times, power=values)


@router.get(
    "/gateways/{code}/health",
    summary="RSSI, queue and uptime over the last days",
    responses=_GONE,
    openapi_extra=_SECURITY,
)
def show_health(
    service: Served,
    reader: Reading,
    response: Response,
    code: str,
    days: Annotated[int, Query(ge=1, le=31)] = 7,
) -> answers.HealthHistory:
    """A point each five minutes in which the gateway was heard; gaps have a null."""
    end = service.now() + 1
    with service.store.reading() as connection:
        gateway_id, _ = reader.gateway(connection, code)
        rows = detail.health(connection, gateway_id, end - days * DAY, end, 31 * 288)
    found = answers.HealthHistory(t=[], rssi=[], net_rssi=[], queue=[], uptime=[])
    longest = plot.longest_step([row.t for row in rows])
    for before, row in zip([None, *rows], rows, strict=False):
        if before is not None and row.t - before.t > longest:
            _add(found, detail.HealthPoint((before.t + row.t) // 2, *(None,) * 5))
        _add(found, row)
    return found


def _add(found: answers.HealthHistory, row: detail.HealthPoint) -> None:
    found.t.append(row.t)
    found.rssi.append(row.rssi)
    found.net_rssi.append(row.net_rssi)
    found.queue.append(row.queue)
    found.uptime.append(row.uptime)


def _gateway(connection: Connection, reader: Reader, code: str) -> queries.GatewayRow:
    reader.gateway(connection, code)
    row = queries.gateway(connection, code)
    if row is None:
        raise Problem("not-found", "no gateway has this service code")
    return row


def moment(name: str, text: str | None) -> int | None:
    """UTC seconds of a parameter. Raises Problem: invalid."""
    if text is None:
        return None
    try:
        return units.parse_time(text)
    except ValueError as error:
        errors = [{"where": f"query.{name}", "why": str(error)}]
        raise Problem("invalid", errors=errors) from None


def link(request: Request, parameters: dict[str, str], kinds: Iterable[str] = ()) -> str:
    """The path of the next page. Relative to the server: right behind a proxy too."""
    pairs = [*parameters.items(), *(("kind", kind) for kind in kinds)]
    return f"{request.url.path}?{urlencode(pairs)}"


def _next(response: Response, following: str | None) -> None:
    if following is not None:
        response.headers["Link"] = f'<{following}>; rel="next"'
