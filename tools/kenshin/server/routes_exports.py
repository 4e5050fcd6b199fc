"""The page of exports: what, of whom, from when to when; then the file itself, streamed."""

from collections.abc import Generator
from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool

from kenshin.server import export, gateways, groups, routes_energy, web
from kenshin.server.gateways import GatewayError
from kenshin.server.people import Person
from kenshin.server.problems import Problem
from kenshin.server.schema import Gateway, Group
from kenshin.server.service import Served, Service

router = APIRouter(include_in_schema=False)

_OFFERED = 200  # gateways that the form offers; others are found by their name or code
_Word = Annotated[str, Query(max_length=60)]


@router.get("/exports")
async def exports_page(
    request: Request, service: Served, gateway: _Word = "", group: _Word = ""
) -> Response:
    """The form."""
    person = await web.visitor(request, service)
    zone = service.display().zone
    today = datetime.fromtimestamp(service.now(), ZoneInfo(zone)).date()
    asked = {
        **{"gateway": gateway, "group": group, "kind": "half-hour", "format": "csv", "bom": ""},
        **{"from": today.replace(day=1).isoformat(), "to": today.isoformat()},
    }
    return await _page(request, service, person, asked)


async def _page(
    request: Request, service: Service, person: Person, asked: dict[str, str], refused: str = ""
) -> Response:
    def look() -> tuple[list[Any], list[str]]:
        with service.store.reading() as connection:
            offered = select(Gateway.name).order_by(Gateway.name).limit(_OFFERED)
            return list(connection.scalars(offered)), groups.names(connection)

    offered, names = await run_in_threadpool(look)
    values = {
        **{"asked": asked, "offered": offered, "groups": names, "here": "/exports"},
        **{"columns": export.COLUMNS, "refused": refused},
    }
    return web.render(request, "exports.html", person, values, 422 if refused else 200)


@router.get("/exports/file")
async def exported(
    request: Request,
    service: Served,
    kind: _Word = "",
    gateway: _Word = "",
    group: _Word = "",
    from_: Annotated[str, Query(alias="from", max_length=10)] = "",
    to: Annotated[str, Query(max_length=10)] = "",
    format: _Word = "csv",
    bom: _Word = "",
) -> Response:
    """The file. Days are whole ones in the time zone of the pages; the last one is included."""
    person = await web.visitor(request, service)
    if "\0" in gateway + group:
        raise Problem("invalid", "a zero byte is in no name")
    asked = {
        **{"gateway": gateway, "group": group, "kind": kind, "format": format, "bom": bom},
        **{"from": from_, "to": to},
    }

    def look() -> export.What | str:
        try:
            with service.store.reading() as connection:
                return _what(connection, asked, service.display().zone)
        except (GatewayError, ValueError) as error:
            return str(error)

    what = await run_in_threadpool(look)
    if isinstance(what, str):
        return await _page(request, service, person, asked, what)

    def pieces() -> Generator[bytes]:
        yield from export.stream(service.store, what)

    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{export.file_name(what)}"',
    }
    return StreamingResponse(pieces(), media_type=export.MEDIA[what.format], headers=headers)


def _what(connection: Connection, asked: dict[str, str], zone: str) -> export.What:
    """Raises ValueError, with words for the page."""
    if asked["kind"] not in export.COLUMNS or asked["format"] not in export.MEDIA:
        raise ValueError("choose a kind and a format")
    try:
        first, last = (date.fromisoformat(asked[name]) for name in ("from", "to"))
        after = date.fromordinal(last.toordinal() + 1)
        start, end = (routes_energy.begin(day, zone) for day in (first, after))
    except (ValueError, OverflowError):
        raise ValueError("choose a first and a last day") from None
    if start >= end:
        raise ValueError("the last day lies before the first")
    chosen = select(Gateway.id, Gateway.code, Gateway.name, Gateway.zone).order_by(Gateway.code)
    if asked["gateway"]:
        if asked["group"]:
            raise ValueError("choose a gateway or a group, not both")
        known = gateways.find(connection, asked["gateway"].strip())
        chosen = chosen.where(Gateway.id == known.id)
    if asked["group"]:
        number = connection.scalar(select(Group.id).where(Group.name == asked["group"]))
        if number is None:
            raise GatewayError(f'there is no group "{asked["group"]}"')
        chosen = chosen.where(Gateway.group_id == number)
    sources = tuple(export.Source(*row) for row in connection.execute(chosen))
    return export.What(sources, asked["kind"], start, end, asked["format"], bool(asked["bom"]))
