"""The page people look at, and what it is made of: no other host is ever asked for anything."""

from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles

from kenshin.server import problems, routes_people, web
from kenshin.server.problems import Problem
from kenshin.server.service import Served

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page(request: Request, service: Served) -> Response:
    """Newest values and a plot of one gateway; the script fetches them."""
    person = await web.visitor(request, service)
    return web.render(request, "page.html", person)


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
