"""The page people look at, and what it is made of: no other host is ever asked for anything."""

from datetime import date, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles

from kenshin.server import (
    meters,
    problems,
    queries,
    routes_admin,
    routes_alerts,
    routes_energy,
    routes_exports,
    routes_gateways,
    routes_groups,
    routes_people,
    routes_settings,
    web,
)
from kenshin.server.problems import Problem
from kenshin.server.service import Served

router = APIRouter(include_in_schema=False)


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
            rows = queries.search(connection, now=service.now(), limit=1)
        return rows[0].code if rows else None

    code = await run_in_threadpool(first)
    return web.go("/gateways" if code is None else f"/energy/{code}")


@router.get("/energy/{code}")
async def energy_page(
    request: Request, service: Served, code: str, period: str = "month", on: str = ""
) -> Response:
    """Bars of a day, a month or a year; the script fetches them."""
    person = await web.visitor(request, service)

    if period not in ("day", "month", "year"):
        raise Problem("not-found")
    try:
        day = date.fromisoformat(on) if on else None
    except ValueError:
        raise Problem("not-found") from None

    def look() -> tuple[str, str, date, list[meters.Shown]] | None:
        with service.store.reading() as connection:
            found = queries.named(connection, code)
            if found is None:
                return None
            number, name, zone = found
            shown = day or datetime.fromtimestamp(service.now(), ZoneInfo(zone)).date()
            span = routes_energy.span(period, shown, zone)
            return name, zone, shown, meters.shown(connection, number, *span)

    found = await run_in_threadpool(look)
    if found is None:
        raise Problem("not-found")
    name, zone, shown, changes = found
    values = {
        "changes": changes[::-1],
        **{"code": code, "name": name, "zone": zone, "period": period, "here": "/energy"},
        **{"on": day.isoformat() if day else "", "month": shown.isoformat()[:7]},
    }
    return web.render(request, "energy.html", person, values)


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
    for routes in (routes_people, routes_gateways, routes_groups, routes_exports):
        app.include_router(routes.router)
    for routes in (routes_settings, routes_admin, routes_alerts):
        app.include_router(routes.router)
    app.mount("/static", StaticFiles(directory=web.HERE / "static"), name="static")
    app.add_exception_handler(web.LoginNeeded, _to_login)
    app.add_exception_handler(Problem, _told)
    app.add_exception_handler(404, _nowhere)


async def _to_login(request: Request, _error: Exception) -> Response:
    there = request.url.path if request.method == "GET" else "/"
    if request.method == "GET" and request.url.query:
        there += "?" + request.url.query
    return web.go("/login?" + urlencode({"to": there}))


# Below these, programs ask; elsewhere a browser gets a page.
_PROGRAMS = ("/api/", "/external_api/", "/metrics", "/healthz", "/static/")


async def _told(request: Request, error: Exception) -> Response:
    """A problem, for people as a page."""
    assert isinstance(error, Problem)
    answer = error.response()
    path, wished = request.url.path, request.headers.get("accept", "")
    if path.startswith(_PROGRAMS) or "text/html" not in wished:
        return answer
    try:
        person = await web.visitor(request, request.app.state.service)
    except web.LoginNeeded:
        person = None
    values = {"name": error.name, "detail": error.detail or ""}
    page = web.render(request, "problem.html", person, values, answer.status_code)
    for name, value in error.headers.items():
        page.headers[name] = value
    return page


async def _nowhere(request: Request, _error: Exception) -> Response:
    return await _told(request, Problem("not-found"))
