"""The page of alerts: what is open, the history; rules for operators, delivery for owners."""

import secrets
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from kenshin.server import settings, web
from kenshin.server.alerts import book, hook, outbox, quiet, rules, texts
from kenshin.server.alerts.ways import NotSent
from kenshin.server.people import Person
from kenshin.server.problems import Problem
from kenshin.server.service import Served, Service

router = APIRouter(prefix="/alerts", include_in_schema=False)

_PAGE = 50  # ended alerts on a page
_OPEN = 200
_LOST = 7 * 86_400  # seconds that messages given up are shown
# Fields of the form that are settings; a secret one that is left empty stays as it is.
_DELIVERY = {
    "mail_host": "mail.host",
    "mail_port": "mail.port",
    "mail_security": "mail.security",
    "mail_user": "mail.user",
    "mail_password": "mail.password",
    "mail_from": "mail.from",
    "mail_to": "alerts.mail_to",
    "language": "alerts.language",
    "hook_url": "alerts.hook_url",
}


@router.get("")
async def page(
    request: Request,
    service: Served,
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    edit: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """The page."""
    person = await web.visitor(request, service)
    return await _show(request, service, person, before=before, edit=edit)


async def _show(
    request: Request,
    service: Service,
    person: Person,
    *,
    before: int | None = None,
    edit: int | None = None,
    status: int = 200,
    **more: Any,
) -> Response:
    now, language = service.now(), web.language(request, person)

    def look() -> dict[str, Any]:
        with service.store.reading() as connection:
            ended = book.entries(connection, still=False, limit=_PAGE + 1, before=before)
            found = rules.listed(connection)
            return {
                "still": book.entries(connection, still=True, limit=_OPEN),
                "count": book.open_count(connection),
                "ended": ended[:_PAGE],
                "older": ended[_PAGE - 1].since if len(ended) > _PAGE else None,
                "rules": found,
                "edited": next((rule for rule in found if rule.id == edit), None),
                "troubles": outbox.troubles(connection, now - _LOST),
                "delivery": _delivery(connection) if person.may("owner") else None,
            }

    values = await run_in_threadpool(look)
    say = texts.WORDS[language]
    usual = "; ".join(
        f"{say['kinds'][name]}: {texts.limit(name, kind.threshold)}"
        for name, kind in rules.KINDS.items()
    )

    def sentence(what: Any, part: str = "so") -> str:
        return texts.sentence(language, what, part)

    values |= {
        **{"text": say, "here": "/alerts", "kinds": rules.KINDS, "usual": usual},
        **{"sentence": sentence, "clock": quiet.show},
        **{"result": None, "secret": None, "first": before is None, **more},
    }
    return web.render(request, "alerts.html", person, values, status)


def _delivery(connection: Connection) -> dict[str, Any]:
    """The settings, without what is secret: of that, only whether it is there."""
    wished = settings.read(connection)
    url = str(wished["alerts.hook_url"])
    shown = {field: wished[key] for field, key in _DELIVERY.items()}
    return {
        **shown,
        "mail_password": bool(wished["mail.password"]),
        "hook_url": (urlsplit(url).hostname or "?") if url else "",
    }


async def _change(
    request: Request,
    service: Service,
    role: str,
    change: Callable[[Connection, Mapping[str, str]], Any],
) -> Response:
    """A form that changes something; what is wrong with it is shown above the page."""
    person = await web.visitor(request, service, role)
    fields = await web.form(request, person)

    def run() -> Any:
        with service.store.writing() as connection:
            return change(connection, fields)

    try:
        made = await run_in_threadpool(run)
    except (rules.RuleError, settings.SettingError, NotSent) as error:
        return await _show(request, service, person, status=422, refused=str(error))
    if made is not None:
        return await _show(request, service, person, secret=made)
    return web.go("/alerts")


@router.post("/rules")
async def add(request: Request, service: Served) -> Response:
    """A new rule."""

    def change(connection: Connection, fields: Mapping[str, str]) -> None:
        rules.add(connection, fields)

    return await _change(request, service, "operator", change)


def _known(number: str) -> int:
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise Problem("not-found")
    return int(number)


@router.post("/rules/{number}")
async def change_rule(request: Request, service: Served, number: str) -> Response:
    """Change a rule."""

    def change(connection: Connection, fields: Mapping[str, str]) -> None:
        rules.edit(connection, _known(number), fields, service.now())

    return await _change(request, service, "operator", change)


@router.post("/rules/{number}/remove")
async def remove(request: Request, service: Served, number: str) -> Response:
    """Remove a rule."""

    def change(connection: Connection, _fields: Mapping[str, str]) -> None:
        rules.remove(connection, _known(number), service.now())

    return await _change(request, service, "operator", change)


@router.post("/delivery")
async def delivery(request: Request, service: Served) -> Response:
    """How messages are sent; a new secret of the web-hook is shown once."""
    return await _change(request, service, "owner", _deliver)


def _deliver(connection: Connection, fields: Mapping[str, str]) -> str | None:
    changes: dict[str, Any] = {}
    for field, key in _DELIVERY.items():
        value = fields.get(field, "").strip()
        if value or not settings.DEFINITIONS[key].secret:
            changes[key] = value or settings.DEFINITIONS[key].default
    changes["alerts.mail_to"] = ", ".join(rules.addresses(str(changes["alerts.mail_to"])))
    if "alerts.hook_url" in changes:
        hook.parse(changes["alerts.hook_url"])
    before = settings.read(connection)
    fresh: str | None = None
    if fields.get("hook_forget"):
        changes |= {"alerts.hook_url": "", "alerts.hook_secret": ""}
    elif fields.get("hook_secret") or (
        "alerts.hook_url" in changes and not before["alerts.hook_secret"]
    ):
        fresh = changes["alerts.hook_secret"] = secrets.token_hex(32)
    if not changes["mail.host"]:
        changes["mail.password"] = ""
    settings.write(connection, changes)
    return fresh


@router.post("/test")
async def test(request: Request, service: Served) -> Response:
    """Send a test message now, by each way, and say what became of it."""
    person = await web.visitor(request, service, "operator")
    await web.form(request, person)
    result = await run_in_threadpool(service.alarms.test)
    return await _show(request, service, person, result=result)
