"""The page people look at, and what it is made of: no other host is ever asked for anything."""

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles

from kenshin import __version__
from kenshin.server import problems
from kenshin.server.problems import Problem
from kenshin.server.service import Served

HERE = Path(__file__).parent
LANGUAGES = ("en", "ja")  # the first is the one for everybody else

router = APIRouter(include_in_schema=False)

_WORDS: dict[str, dict[str, Any]] = {
    language: json.loads((HERE / "static" / f"words.{language}.json").read_text("utf-8"))
    for language in LANGUAGES
}
_TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
)

# Everything comes from this server; nothing runs that stands in the page itself.
_SAFETY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


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


@router.get("/")
def page(request: Request) -> Response:
    """Newest values and a plot of one gateway; the script fetches them."""
    language = language_of(request.headers.get("accept-language"))
    html = _TEMPLATES.get_template("page.html").render(
        language=language, words=_WORDS[language], version=__version__
    )
    headers = {
        **_SAFETY,
        "Content-Language": language,
        "Vary": "Accept-Language",
        "Cache-Control": "no-cache",
    }
    return HTMLResponse(html, headers=headers)


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
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
