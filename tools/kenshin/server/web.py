"""What the pages share: who looks, in which language; forms that cannot be forged; templates."""

import json
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from kenshin import __version__
from kenshin.server import access, body, people, tokens, units
from kenshin.server.gateways import GatewayError
from kenshin.server.people import PeopleError, Person
from kenshin.server.problems import Problem
from kenshin.server.service import Service
from kenshin.server.settings import SettingError

HERE = Path(__file__).parent
LANGUAGES = ("en", "ja")  # the first is the one for everybody else
FORM_MAX = 32 * 1024
FORM_SECONDS = 10.0
# Before anybody is logged in, a form is known by a cookie that only this server could have set.
FORM_COOKIE = "kenshin-form"

WORDS: dict[str, dict[str, Any]] = {
    language: json.loads((HERE / "static" / f"words.{language}.json").read_text("utf-8"))
    for language in LANGUAGES
}
# The menu: path, its word, and who sees it.
MENU = (
    ("/", "now", "viewer"),
    ("/energy", "energy", "viewer"),
    ("/gateways", "gateways", "viewer"),
    ("/groups", "groups", "viewer"),
    ("/alerts", "alerts", "viewer"),
    ("/exports", "exports", "viewer"),
    ("/keys", "api_keys", "owner"),
    ("/people", "people", "owner"),
    ("/settings", "settings", "viewer"),
)
# What the text of a refusal is in other languages; {} stands for what it names.
REFUSED: dict[str, dict[str, str]] = {
    "en": {},
    "ja": json.loads((HERE / "static" / "refused.ja.json").read_text("utf-8")),
}
REFUSALS = (GatewayError, PeopleError, SettingError)

TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

# Everything comes from this server; nothing runs that stands in a page itself.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def language_of(header: str | None) -> str:
    """The best of LANGUAGES for an Accept-Language header."""
    best, best_weight = LANGUAGES[0], 0.0
    for item in (header or "").split(","):
        tag, _, parameter = item.strip().partition(";")
        language = tag.partition("-")[0].strip().lower()
        name, _, number = parameter.strip().partition("=")
        try:
            weight = float(number) if name == "q" else 1.0
        except ValueError:
            continue
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def language(request: Request, person: Person | None) -> str:
    """What the person chose, or else this server's language, or what the browser asks for."""
    if person is not None and person.language in LANGUAGES:
        return str(person.language)
    usual = _service(request).display().language
    return usual if usual in LANGUAGES else language_of(request.headers.get("accept-language"))


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


def grouped(decimal: str) -> str:
    """An exact decimal with its thousands apart and a real minus sign."""
    whole, point, part = decimal.partition(".")
    return f"{int(whole):,}".replace("-", "\u2212") + point + part


def _kwh(energy: int | None) -> str:
    return "–" if energy is None else grouped(units.decimal(energy, 4))


def _tenth(energy: int | None) -> str:
    """kWh to 0.1: sums, of which nobody needs the last digit."""
    return "–" if energy is None else grouped(units.decimal((energy + 500) // 1000, 1))


def _number(value: int | None) -> str:
    return "–" if value is None else grouped(str(value))


# For the templates: `{{ member.today | kwh }}`.
_FILTERS: dict[str, Any] = {"kwh": _kwh, "tenth": _tenth, "number": _number}
TEMPLATES.filters.update(_FILTERS)  # pyright: ignore[reportUnknownMemberType]


@cache
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    return [
        (re.compile(re.escape(english).replace(re.escape("{}"), "(.*)"), re.DOTALL), other)
        for english, other in REFUSED[language].items()
    ]


def say(language: str, refusal: str) -> str:
    """The text of a refusal in the reader's language; as it is when it is not known there."""
    for pattern, other in _patterns(language):
        found = pattern.fullmatch(refusal)
        if found is not None:
            return other.format(*found.groups())
    return refusal


class LoginNeeded(Exception):
    """The page is for people who are logged in."""


async def visitor(request: Request, service: Service, role: str = "viewer") -> Person:
    """The person who looks. Raises LoginNeeded, or Problem when the role does not suffice."""
    person = await run_in_threadpool(access.visitor, request, service)
    if person is None:
        raise LoginNeeded
    if not person.may(role):
        raise Problem("not-allowed", f"this is for people with the role {role}")
    return person


def _for(person: Person, path: str, role: str) -> bool:
    # A guest has no settings, and may change none.
    return person.may(role) and (person.id > 0 or path != "/settings")


def render(
    request: Request,
    template: str,
    person: Person | None,
    values: Mapping[str, Any] | None = None,
    status: int = 200,
) -> Response:
    """A page."""
    chosen = language(request, person)
    zone = _service(request).display().zone
    csrf = person.csrf if person is not None else request.cookies.get(FORM_COOKIE, "")
    fresh = person is None and not _sound(csrf)
    if fresh:
        csrf = secrets.token_urlsafe(32)

    def when(t: int | None, there: str = zone) -> str:
        return "–" if t is None else units.local(t, there)

    def duration(seconds: int | None) -> str:
        if seconds is None:
            return "–"
        for name, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
            if seconds >= 2 * size:
                return str(WORDS[chosen][name]).format(n=seconds // size)
        return str(WORDS[chosen]["second"]).format(n=seconds)

    def told(refusal: str) -> str:
        return say(chosen, refusal)

    shown: dict[str, Any] = {
        **{"language": chosen, "words": WORDS[chosen], "version": __version__},
        **{"person": person, "csrf": csrf, "zone": zone, "here": "", "refused": ""},
        "menu": [each for each in MENU if person is not None and _for(person, *each[::2])],
        "theme": person.theme if person is not None else None,
        "done": request.query_params.get("done", ""),
        **{"when": when, "say": told, "duration": duration},
        **(values or {}),
    }
    html = TEMPLATES.get_template(template).render(shown)
    headers = {
        "Content-Security-Policy": POLICY,
        "Content-Language": chosen,
        "Vary": "Accept-Language, Cookie",
        "Cache-Control": "no-store",
    }
    answer = HTMLResponse(html, status, headers)
    if fresh:
        set_cookie(request, answer, FORM_COOKIE, csrf, 3600)
    return answer


def _sound(token: str) -> bool:
    return 20 <= len(token) <= 64 and token.isascii() and token.isprintable()


def set_cookie(request: Request, answer: Response, name: str, value: str, age: int) -> None:
    """For this server only, out of reach of scripts and of other sites' forms."""
    answer.set_cookie(
        name,
        value,
        max_age=age,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        path="/",
    )


def same_site(request: Request) -> bool:
    """Whether a form came from a page of this server, as far as the browser tells."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host", "")


async def form(request: Request, person: Person | None) -> dict[str, str]:
    """A form's fields. Raises Problem: forged, too-large, invalid."""
    content = await body.read(request, FORM_MAX, FORM_SECONDS)
    try:
        fields = dict(
            parse_qsl(
                content.decode("utf-8"),
                keep_blank_values=True,
                strict_parsing=bool(content),
                errors="strict",
                max_num_fields=200,
            )
        )
    except ValueError:
        raise Problem("invalid", "this is not a form") from None
    expected = person.csrf if person is not None else request.cookies.get(FORM_COOKIE, "")
    given = fields.pop("csrf", "")
    if not _sound(expected) or not tokens.same(expected, given) or not same_site(request):
        raise Problem("forged")
    if any("\0" in value for value in fields.values()):
        raise Problem("invalid", "a field holds a zero byte")
    return fields


Work = Callable[[Connection, Person, dict[str, str]], str]
Again = Callable[[Person, dict[str, str], str], Awaitable[Response]]


async def change(
    request: Request, service: Service, role: str, work: Work, again: Again
) -> Response:
    """Do what a form asks, for a person with this role, and go where `work` says.

    What is refused is told on the page that `again` makes of (person, fields, why); so is, with
    why = "", what `work` made when it says "": a secret that is shown this once.
    """
    person = await visitor(request, service, role)
    fields = await form(request, person)

    def run() -> tuple[str, str]:
        try:
            with service.store.writing() as connection:
                return work(connection, person, fields), ""
        except REFUSALS as error:
            return "", str(error)

    path, why = await run_in_threadpool(run)
    return go(path) if path else await again(person, fields, why)


def go(path: str) -> Response:
    """To another page, after a form."""
    return RedirectResponse(path, 303, {"Cache-Control": "no-store"})


def local(path: str) -> str:
    """`path` if it lies on this server, else the first page."""
    parts = urlsplit(path)
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if safe and not parts.netloc and not parts.scheme else "/"


def login_person(request: Request, service: Service, answer: Response, user_id: int) -> None:
    """Begin a session, and end the one that the browser had."""
    now = service.now()
    old = request.cookies.get(access.COOKIE)
    with service.store.writing() as connection:
        if old is not None and len(old) <= 100:
            people.end(connection, old)
        cookie = people.begin(connection, user_id, now, request.headers.get("user-agent", ""))
        longest = people.longest(connection)
    set_cookie(request, answer, access.COOKIE, cookie, longest)
    answer.delete_cookie(FORM_COOKIE, path="/")
