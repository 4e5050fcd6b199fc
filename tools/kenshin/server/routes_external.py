"""GET /external_api/v1/{kind}/{service_code}: values for other programs, and downloads.

An answer is a JSON array in time order; each element has `timestamp` and `value`. Paging is in
the Link header, so that the array stays what it is.
"""

from collections.abc import Generator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from sqlalchemy import Connection, select

from kenshin.server import export, problems, units, values
from kenshin.server.access import Reader, Reading
from kenshin.server.problems import Problem
from kenshin.server.routes_read import DAY, link, moment
from kenshin.server.schema import Gateway, Group
from kenshin.server.service import Served

router = APIRouter(prefix="/external_api/v1")

_ASKING = ("invalid", "not-found", "no-key", "wrong-key", "too-many", "unavailable")
_SECURITY: dict[str, Any] = {"security": [{"apiKey": []}, {"session": []}]}
MOST = 10_000

From = Annotated[
    str | None,
    Query(
        alias="from",
        max_length=40,
        description="First moment: a day (2026-11-20), RFC 3339, or UTC seconds. Default: a day "
        "before `to`.",
        examples=["2026-11-20T00:00:00+09:00"],
    ),
]
To = Annotated[
    str | None,
    Query(
        max_length=40,
        description="End, not included. Default: now.",
        examples=["2026-11-21T00:00:00+09:00"],
    ),
]


class Value(BaseModel):
    """One value."""

    timestamp: str = Field(
        description="RFC 3339, Japanese time", examples=["2026-11-20T00:30:00+09:00"]
    )
    value: float = Field(
        description="kWh, W or A, by kind: an exact decimal", examples=[12345.6789]
    )


@router.get(
    "/export",
    summary="Download readings as CSV or JSON",
    responses=problems.documented(*_ASKING)
    | {
        200: {
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            }
        }
    },
    response_class=StreamingResponse,
    openapi_extra=_SECURITY,
)
def download(
    service: Served,
    reader: Reading,
    kind: Annotated[
        Literal["half-hour", "instant", "minute", "day"],
        Query(description="Columns: see docs/api.md."),
    ] = "half-hour",
    gateway: Annotated[
        str | None, Query(max_length=11, description="A service code.", examples=["psw7k3m9x2a"])
    ] = None,
    group: Annotated[str | None, Query(max_length=60, description="A group's name.")] = None,
    month: Annotated[
        str | None,
        Query(
            max_length=7,
            description="A month, instead of `from` and `to`.",
            examples=["2026-11"],
        ),
    ] = None,
    from_: From = None,
    to: To = None,
    format: Annotated[Literal["csv", "json"], Query()] = "csv",
    bom: Annotated[
        bool, Query(description="Begin CSV with a byte order mark: Excel then reads UTF-8.")
    ] = False,
) -> Response:
    """One gateway, a group, or (with neither) all that you may see; both directions of energy.

    Streamed: of any length. An error on the way ends the connection before the end.
    """
    start, end = _span(service.now(), month, from_, to)
    with service.store.reading() as connection:
        chosen = _chosen(connection, reader, gateway, group)
    what = export.What(tuple(chosen), kind, start, end, format, bom)

    def pieces() -> Generator[bytes]:
        yield from export.stream(service.store, what)

    headers = {
        **reader.headers,
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{export.file_name(what)}"',
    }
    return StreamingResponse(pieces(), media_type=export.MEDIA[format], headers=headers)


@router.get(
    "/{kind}/{service_code}",
    summary="Values of one kind in time order",
    response_model=list[Value],
    responses=problems.documented(*_ASKING)
    | {
        200: {
            "headers": {
                "Link": {
                    "description": '`rel="next"`: the path of the following values',
                    "schema": {"type": "string"},
                },
                "RateLimit-Limit": {
                    "description": "requests a minute",
                    "schema": {"type": "integer"},
                },
                "RateLimit-Remaining": {
                    "description": "requests left",
                    "schema": {"type": "integer"},
                },
                "RateLimit-Reset": {
                    "description": "seconds until all are there again",
                    "schema": {"type": "integer"},
                },
            },
        }
    },
    openapi_extra=_SECURITY,
)
def list_values(
    service: Served,
    reader: Reading,
    request: Request,
    kind: Annotated[values.Kind, Path(description=values.DESCRIPTION)],
    service_code: Annotated[
        str, Path(max_length=100, description="A service code.", examples=["psw7k3m9x2a"])
    ],
    from_: From = None,
    to: To = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="Values at most.")] = 1000,
) -> Response:
    """Values with from <= timestamp < to; moments at which nothing was measured are left out."""
    start, end = _span(service.now(), None, from_, to)
    with service.store.reading() as connection:
        gateway_id, _ = reader.gateway(connection, service_code)
        rows = values.read(connection, gateway_id, kind, start, end, limit + 1)
    headers = {**reader.headers, "Cache-Control": "no-store"}
    if len(rows) > limit:
        parameters = {"from": str(rows[limit][0]), "to": str(end), "limit": str(limit)}
        headers["Link"] = f'<{link(request, parameters)}>; rel="next"'
    places = values.PLACES[kind]
    # Written here, so that each value is an exact decimal and not the nearest float.
    items = ",".join(
        f'{{"timestamp":"{units.rfc3339(t)}","value":{units.decimal(value, places)}}}'
        for t, value in rows[:limit]
    )
    return Response(f"[{items}]", media_type="application/json", headers=headers)


def _span(now: int, month: str | None, from_: str | None, to: str | None) -> tuple[int, int]:
    if month is not None:
        if from_ is not None or to is not None:
            raise _invalid("month", "a month, or from and to, but not both")
        try:
            return units.month(month)
        except ValueError as error:
            raise _invalid("month", str(error)) from None
    start, end = moment("from", from_), moment("to", to)
    if end is None:
        end = now + 1
    if start is None:
        start = end - DAY
    return start, end


def _invalid(name: str, why: str) -> Problem:
    return Problem("invalid", errors=[{"where": f"query.{name}", "why": why}])


def _chosen(
    connection: Connection, reader: Reader, gateway: str | None, group: str | None
) -> list[export.Source]:
    if gateway is not None and group is not None:
        raise _invalid("group", "a gateway or a group, but not both")
    statement = select(Gateway.id, Gateway.code, Gateway.name, Gateway.zone).order_by(Gateway.code)
    scope = reader.scope
    if gateway is not None:
        number, _ = reader.gateway(connection, gateway)
        statement = statement.where(Gateway.id == number)
    if group is not None:
        if not group.isprintable():
            raise Problem("not-found", "no group has this name")
        number = connection.scalar(select(Group.id).where(Group.name == group))
        if number is None or scope.gateway_id is not None or scope.group_id not in (None, number):
            raise Problem("not-found", "no group has this name")
        statement = statement.where(Gateway.group_id == number)
    if scope.gateway_id is not None:
        statement = statement.where(Gateway.id == scope.gateway_id)
    if scope.group_id is not None:
        statement = statement.where(Gateway.group_id == scope.group_id)
    return [export.Source(*row) for row in connection.execute(statement)]
