"""The pages of groups: all of them, and one with its sums and gateways."""

from datetime import date, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from kenshin.server import groups, web
from kenshin.server.people import Person
from kenshin.server.problems import Problem
from kenshin.server.routes_gateways import signs
from kenshin.server.service import Served, Service

router = APIRouter(include_in_schema=False)

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]

_PAGE = 100  # gateways shown of a group


@router.get("/groups")
async def groups_page(request: Request, service: Served) -> Response:
    """All groups."""
    return await _all(request, service, await web.visitor(request, service))


async def _all(request: Request, service: Service, person: Person, refused: str = "") -> Response:
    def look() -> list[groups.GroupRow]:
        with service.store.reading() as connection:
            return groups.listed(connection)

    rows = await run_in_threadpool(look)
    values = {"rows": rows, "here": "/groups", "refused": refused}
    return web.render(request, "groups.html", person, values, 422 if refused else 200)


@router.post("/groups")
async def add_group(request: Request, service: Served) -> Response:
    """A new group."""

    def work(connection: Connection, _person: Person, fields: dict[str, str]) -> str:
        return f"/groups/{groups.add(connection, fields.get('name', ''))}?done=made"

    async def again(person: Person, _fields: dict[str, str], why: str) -> Response:
        return await _all(request, service, person, why)

    return await web.change(request, service, "operator", work, again)


@router.get("/groups/{number}")
async def group_page(
    request: Request,
    service: Served,
    number: Number,
    after: Annotated[str, Query(max_length=60)] = "",
    period: str = "month",
    on: str = "",
) -> Response:
    """One group: its sums, its bars, its gateways."""
    person = await web.visitor(request, service)
    return await _one(request, service, person, number, after=after, period=period, on=on)


async def _one(
    request: Request,
    service: Service,
    person: Person,
    number: int,
    *,
    after: str = "",
    period: str = "month",
    on: str = "",
    refused: str = "",
) -> Response:
    now, zone = service.now(), service.display().zone
    try:
        day = date.fromisoformat(on) if on else None
    except ValueError:
        raise Problem("not-found") from None
    if period not in ("day", "month", "year") or "\0" in after:
        raise Problem("not-found")

    def look() -> tuple[groups.GroupRow | None, list[groups.Member]]:
        with service.store.reading() as connection:
            group = groups.find(connection, number)
            return group, [] if group is None else groups.members(connection, number, now)

    group, members = await run_in_threadpool(look)
    if group is None:
        raise Problem("not-found")
    rest = [member for member in members if member.name > after]
    shown: list[dict[str, Any]] = []
    for member in rest[:_PAGE]:
        state, light = signs(member.last_seen, member.word, now)
        shown.append({**member._asdict(), "state": state, "light": light})
    month = day or datetime.fromtimestamp(now, ZoneInfo(zone)).date()
    values = {
        **{"group": group, "sums": groups.sums(members), "rows": shown, "now": now},
        **{"following": rest[_PAGE - 1].name if len(rest) > _PAGE else "", "first": not after},
        **{"period": period, "on": day.isoformat() if day else "", "here": "/groups"},
        **{"month": month.isoformat()[:7], "refused": refused},
    }
    return web.render(request, "group.html", person, values, 422 if refused else 200)


def _there(connection: Connection, number: int) -> groups.GroupRow:
    found = groups.find(connection, number)
    if found is None:
        raise Problem("not-found")
    return found


@router.post("/groups/{number}")
async def rename_group(request: Request, service: Served, number: Number) -> Response:
    """Another name."""

    def work(connection: Connection, _person: Person, fields: dict[str, str]) -> str:
        groups.rename(connection, _there(connection, number).id, fields.get("name", ""))
        return f"/groups/{number}?done=saved"

    return await _change(request, service, number, work)


@router.post("/groups/{number}/add")
async def add_member(request: Request, service: Served, number: Number) -> Response:
    """Put a gateway into the group."""

    def work(connection: Connection, _person: Person, fields: dict[str, str]) -> str:
        group = _there(connection, number)
        groups.put(connection, group.id, fields.get("gateway", "").strip())
        return f"/groups/{number}?done=saved"

    return await _change(request, service, number, work)


@router.post("/groups/{number}/take")
async def take_member(request: Request, service: Served, number: Number) -> Response:
    """Take a gateway out of the group; it stays."""

    def work(connection: Connection, _person: Person, fields: dict[str, str]) -> str:
        groups.take(connection, number, fields.get("gateway", ""))
        return f"/groups/{number}?done=saved"

    return await _change(request, service, number, work)


@router.post("/groups/{number}/remove")
async def remove_group(request: Request, service: Served, number: Number) -> Response:
    """The group goes; its gateways stay."""

    def work(connection: Connection, _person: Person, _fields: dict[str, str]) -> str:
        groups.remove(connection, _there(connection, number).id)
        return "/groups?done=removed"

    return await _change(request, service, number, work)


async def _change(request: Request, service: Service, number: int, work: web.Work) -> Response:
    async def again(person: Person, _fields: dict[str, str], why: str) -> Response:
        return await _one(request, service, person, number, refused=why)

    return await web.change(request, service, "operator", work, again)
