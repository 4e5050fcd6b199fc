"""The pages of API keys and of people, for owners."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from kenshin.server import groups, keys, people, web
from kenshin.server.gateways import GatewayError
from kenshin.server.people import Person
from kenshin.server.problems import Problem
from kenshin.server.service import Served, Service

router = APIRouter(include_in_schema=False)


# ---- keys ----


@router.get("/keys")
async def keys_page(request: Request, service: Served) -> Response:
    """All keys."""
    return await _keys(request, service, await web.visitor(request, service, "owner"))


async def _keys(
    request: Request, service: Service, person: Person, made: Any = None, refused: str = ""
) -> Response:
    def look() -> tuple[list[keys.KeyRow], list[str]]:
        with service.store.reading() as connection:
            return keys.listed(connection), groups.names(connection)

    rows, names = await run_in_threadpool(look)
    values = {
        **{"rows": rows, "groups": names, "made": made, "now": service.now()},
        **{"here": "/keys", "refused": refused},
    }
    return web.render(request, "keys.html", person, values, 422 if refused else 200)


@router.post("/keys")
async def add_key(request: Request, service: Served) -> Response:
    """A new key; its secret is shown this once."""
    made: list[keys.NewKey] = []

    def work(connection: Connection, _person: Person, fields: dict[str, str]) -> str:
        try:
            days = int(fields.get("days") or 0)
        except ValueError:
            days = -1
        if not 0 <= days <= 3650:
            raise GatewayError("a key ends after 1 to 3650 days")
        made.append(
            keys.add(
                connection,
                fields.get("name", ""),
                service.now(),
                gateway=fields.get("gateway", "").strip() or None,
                group=fields.get("group") or None,
                days=days or None,
            )
        )
        return ""

    async def again(person: Person, _fields: dict[str, str], why: str) -> Response:
        return await _keys(request, service, person, made[0] if made and not why else None, why)

    return await web.change(request, service, "owner", work, again)


@router.post("/keys/{access_key}/revoke")
async def revoke_key(request: Request, service: Served, access_key: str) -> Response:
    """From now on it opens nothing."""

    def work(connection: Connection, _person: Person, _fields: dict[str, str]) -> str:
        if not access_key.isalnum() or not keys.revoke(connection, access_key):
            raise Problem("not-found")
        return "/keys?done=removed"

    async def again(person: Person, _fields: dict[str, str], why: str) -> Response:
        return await _keys(request, service, person, None, why)

    return await web.change(request, service, "owner", work, again)


# ---- people ----


@router.get("/people")
async def people_page(request: Request, service: Served) -> Response:
    """Everybody."""
    return await _people(request, service, await web.visitor(request, service, "owner"))


async def _people(
    request: Request, service: Service, person: Person, link: str = "", refused: str = ""
) -> Response:
    def look() -> list[people.UserRow]:
        with service.store.reading() as connection:
            return people.listed(connection)

    values = {
        **{"rows": await run_in_threadpool(look), "roles": people.ROLES, "here": "/people"},
        **{"link": f"{request.base_url}welcome/{link}" if link else "", "refused": refused},
    }
    return web.render(request, "people.html", person, values, 422 if refused else 200)


async def _change(
    request: Request, service: Service, work: web.Work, made: list[str] | None = None
) -> Response:
    async def again(person: Person, _fields: dict[str, str], why: str) -> Response:
        link = made[0] if made and not why else ""
        return await _people(request, service, person, link, why)

    return await web.change(request, service, "owner", work, again)


@router.post("/people")
async def add_person(request: Request, service: Served) -> Response:
    """Somebody new; the link with which they choose a password is shown this once."""
    made: list[str] = []

    def work(connection: Connection, _person: Person, fields: dict[str, str]) -> str:
        now = service.now()
        user = people.add(connection, fields.get("name", ""), fields.get("role", ""), now)
        made.append(people.invite(connection, user, now))
        return ""

    return await _change(request, service, work, made)


@router.post("/people/{user}/link")
async def invite_again(request: Request, service: Served, user: int) -> Response:
    """Another link, for a new password; the old password works until then."""
    made: list[str] = []

    def work(connection: Connection, _person: Person, _fields: dict[str, str]) -> str:
        made.append(people.invite(connection, _there(connection, user), service.now()))
        return ""

    return await _change(request, service, work, made)


@router.post("/people/{user}/role")
async def change_role(request: Request, service: Served, user: int) -> Response:
    """What they may do."""

    def work(connection: Connection, _person: Person, fields: dict[str, str]) -> str:
        people.set_role(connection, _there(connection, user), fields.get("role", ""))
        return "/people?done=saved"

    return await _change(request, service, work)


@router.post("/people/{user}/remove")
async def remove_person(request: Request, service: Served, user: int) -> Response:
    """They cannot log in any more."""

    def work(connection: Connection, _person: Person, _fields: dict[str, str]) -> str:
        people.remove(connection, _there(connection, user))
        return "/people?done=removed"

    return await _change(request, service, work)


def _there(connection: Connection, user: int) -> int:
    if not any(row.id == user for row in people.listed(connection)):
        raise Problem("not-found")
    return user
