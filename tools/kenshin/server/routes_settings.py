"""The page of settings: one's own (language, theme, password, sessions), and the server's."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from kenshin.server import access, people, rates, settings, web
from kenshin.server.people import PeopleError, Person
from kenshin.server.problems import Problem
from kenshin.server.routes_people import WINDOW, WRONG_NAME
from kenshin.server.service import Served, Service

router = APIRouter(include_in_schema=False)

_ELSEWHERE = ("alerts.", "mail.")  # on the page of alerts


@router.get("/settings")
async def settings_page(request: Request, service: Served) -> Response:
    """Both."""
    return await _page(request, service, await web.visitor(request, service))


async def _page(
    request: Request,
    service: Service,
    person: Person,
    fields: dict[str, str] | None = None,
    refused: str = "",
) -> Response:
    def look() -> tuple[dict[str, Any], int]:
        with service.store.reading() as connection:
            return settings.read(connection), people.count_sessions(connection, person.id)

    found, sessions = await run_in_threadpool(look)
    shown: list[dict[str, Any]] = []
    for key, definition in settings.DEFINITIONS.items():
        if key.startswith(_ELSEWHERE):
            continue
        if key.startswith(("alerts.", "mail.")):
            continue  # on the page of alerts
        # A secret is never sent back; an empty field leaves it as it is.
        value = "" if definition.secret else (fields or {}).get(key, found[key])
        shown.append(
            {"key": key, "value": value, "set": bool(found[key]), "definition": definition}
        )
    values = {
        **{"shown": shown, "sessions": sessions, "here": "/settings", "refused": refused},
        **{"languages": web.LANGUAGES, "themes": people.THEMES, "shortest": people.SHORTEST},
    }
    return web.render(request, "settings.html", person, values, 422 if refused else 200)


async def _change(request: Request, service: Service, role: str, work: web.Work) -> Response:
    async def again(person: Person, fields: dict[str, str], why: str) -> Response:
        return await _page(request, service, person, fields, why)

    return await web.change(request, service, role, work, again)


@router.post("/settings")
async def change_settings(request: Request, service: Served) -> Response:
    """The server's settings."""

    def work(connection: Connection, _person: Person, fields: dict[str, str]) -> str:
        changes = {
            key: value
            for key, value in fields.items()
            if key in settings.DEFINITIONS and (value or not settings.DEFINITIONS[key].secret)
        }
        settings.write(connection, changes)
        return "/settings?done=saved"

    answer = await _change(request, service, "owner", work)
    await run_in_threadpool(service.display, True)
    return answer


@router.post("/settings/me")
async def change_me(request: Request, service: Served) -> Response:
    """What one reads, and how it looks."""

    def work(connection: Connection, person: Person, fields: dict[str, str]) -> str:
        _somebody(person)
        language = fields.get("language") or None
        if language not in (None, *web.LANGUAGES):
            raise PeopleError("the language is not known here")
        people.set_language(connection, person.id, language)
        people.set_theme(connection, person.id, fields.get("theme") or None)
        return "/settings?done=saved"

    return await _change(request, service, "viewer", work)


@router.post("/settings/password")
async def change_password(request: Request, service: Served) -> Response:
    """A new password, with the old one; all other sessions end."""
    person = await web.visitor(request, service)
    fields = await web.form(request, person)
    _somebody(person)
    answer = web.go("/settings?done=saved")

    def change() -> str:
        try:
            _change_password(service, person, fields)
        except PeopleError as error:
            return str(error)
        web.login_person(request, service, answer, person.id)
        return ""

    why = await run_in_threadpool(change)
    return await _page(request, service, person, {}, why) if why else answer


def _change_password(service: Service, person: Person, fields: dict[str, str]) -> None:
    """Raises PeopleError. The old password is guessed at as slowly as at the login."""
    old, new = fields.get("old", ""), fields.get("new", "")
    if new != fields.get("again", ""):
        raise PeopleError("the two passwords are not the same")
    people.check_password(new)
    name, now = f"login:{person.name[:60].lower()}", service.now()
    with service.store.writing() as connection:
        taken = rates.take(connection, name, WRONG_NAME, now, WINDOW)
    if taken.exceeded:
        raise PeopleError("too many attempts: wait a quarter of an hour")
    with service.store.reading() as connection:
        right = len(old) <= people.LONGEST and people.verify(connection, person.name, old)
    if right != person.id:
        raise PeopleError("the password is wrong")
    with service.store.writing() as connection:
        people.set_password(connection, person.id, new)
        rates.take(connection, name, WRONG_NAME, now, WINDOW, -1)


@router.post("/settings/sessions")
async def end_sessions(request: Request, service: Served) -> Response:
    """End one's sessions in other browsers."""
    cookie = request.cookies.get(access.COOKIE, "")

    def work(connection: Connection, person: Person, _fields: dict[str, str]) -> str:
        _somebody(person)
        people.end_others(connection, person.id, cookie)
        return "/settings?done=ended"

    return await _change(request, service, "viewer", work)


def _somebody(person: Person) -> None:
    if not person.id:
        raise Problem("not-allowed", "a guest has no settings")
