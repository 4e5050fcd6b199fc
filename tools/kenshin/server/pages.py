"""The page people look at, and what it is made of: no other host is ever asked for anything."""

from datetime import date, datetime
from typing import Annotated, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles

from kenshin.server import problems, queries, routes_people, units, web
from kenshin.server.problems import Problem
from kenshin.server.service import Served

router = APIRouter(include_in_schema=False)

_PAGE = 100  # gateways on a page


@router.get("/")
async def page(request: Request, service: Served) -> Response:
    """Newest values and a plot of one gateway; the script fetches them."""
    person = await web.visitor(request, service)
    return web.render(request, "page.html", person, {"here": "/"})


@router.get("/energy")
async def any_energy(request: Request, service: Served) -> Response:
    """The energy of the first gateway."""
    await web.visitor(request, service)

    def first() -> str | None:
        with service.store.reading() as connection:
            rows = queries.search(connection, "", "all", service.now(), "", 1)
        return rows[0].code if rows else None

    code = await run_in_threadpool(first)
    return web.go("/gateways" if code is None else f"/energy/{code}")


@router.get("/energy/{code}")
async def energy_page(
    request: Request, service: Served, code: str, period: str = "month", on: str = ""
) -> Response:
    """Bars of a day, a month or a year; the script fetches them."""
    person = await web.visitor(request, service)

    def look() -> tuple[str, str] | None:
        with service.store.reading() as connection:
            return queries.name_and_zone(connection, code)

    found = await run_in_threadpool(look)
    if found is None or period not in ("day", "month", "year"):
        raise Problem("not-found")
    try:
        day = date.fromisoformat(on) if on else None
    except ValueError:
        raise Problem("not-found") from None
    name, zone = found
    shown = day or datetime.fromtimestamp(service.now(), ZoneInfo(zone)).date()
    values = {
        **{"code": code, "name": name, "zone": zone, "period": period, "here": "/energy"},
        **{"on": day.isoformat() if day else "", "month": shown.isoformat()[:7]},
    }
    return web.render(request, "energy.html", person, values)


@router.get("/gateways")
async def gateways_page(
    request: Request,
    service: Served,
    q: Annotated[str, Query(max_length=60)] = "",
    state: Annotated[Literal["all", "well", "trouble", "silent", "never"], Query()] = "all",
    after: Annotated[str, Query(max_length=60)] = "",
) -> Response:
    """All gateways, with search and filter; by name."""
    person = await web.visitor(request, service)
    if "\0" in q + after:
        raise Problem("invalid", "a zero byte is in no name")
    now = service.now()

    def look() -> list[queries.Listed]:
        with service.store.reading() as connection:
            return queries.search(connection, q, state, now, after, _PAGE + 1)

    rows = await run_in_threadpool(look)
    following = ""
    if len(rows) > _PAGE:
        following = urlencode({"q": q, "state": state, "after": rows[_PAGE - 1].name})
    values = {
        **{"q": q, "state": state, "states": queries.STATES, "here": "/gateways"},
        **{"rows": [_listed(row, now) for row in rows[:_PAGE]], "following": following},
    }
    return web.render(request, "gateways.html", person, values)


def _listed(row: queries.Listed, now: int) -> dict[str, object]:
    if row.last_seen is None:
        state, light = "never", ""
    elif now - row.last_seen > queries.SILENT:
        state, light = "silent", "bad"
    elif row.word is not None:
        state, light = row.word, "warn"
    else:
        state, light = "well", "good"
    seen = "–"
    if row.last_seen is not None:
        seen = units.rfc3339(row.last_seen)[:16].replace("T", " ")
    return {**row._asdict(), "state": state, "light": light, "seen": seen}


@router.get("/problems/{name}")
def explain(name: str) -> Response:
    """What the `type` of a problem leads to."""
    kind = problems.KINDS.get(name)
    if kind is None:
        raise Problem("not-found")
    return PlainTextResponse(f"{kind.status} {kind.title}.\n")


@router.get("/healthz")
async def healthz(service: Served) -> Response:
    """200 when the server answers and its database can be read; else 503."""

    def look() -> None:
        with service.store.reading() as connection:
            connection.execute(select(1))

    await run_in_threadpool(look)
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})


def install(app: FastAPI) -> None:
    """Add the page and its files to `app`."""
    app.include_router(router)
    app.include_router(routes_people.router)
    app.mount("/static", StaticFiles(directory=web.HERE / "static"), name="static")
    app.add_exception_handler(web.LoginNeeded, _to_login)


async def _to_login(request: Request, _error: Exception) -> Response:
    there = request.url.path if request.method == "GET" else "/"
    if request.method == "GET" and request.url.query:
        there += "?" + request.url.query
    return web.go("/login?" + urlencode({"to": there}))
