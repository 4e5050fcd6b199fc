"""The application: routes, problems, safe headers."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from kenshin import __version__
from kenshin.server import (
    metrics,
    pages,
    problems,
    routes_alerts_api,
    routes_energy,
    routes_external,
    routes_groups_api,
    routes_ingest,
    routes_read,
)
from kenshin.server.openapi import document
from kenshin.server.service import Service
from kenshin.server.store import Unavailable

# On every answer. A page's own policy is wider than this one.
_SAFETY = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # With "no-referrer" a browser sends a form with "Origin: null", which says nothing.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_HTTPS = {"Strict-Transport-Security": "max-age=31536000"}


def _safely(scope: Scope, send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _SAFETY.items():
                headers.setdefault(name, value)
            if scope["scheme"] == "https":
                headers.update(_HTTPS)
        await send(message)

    return sending


class App(FastAPI):
    """FastAPI, but uploads take the short way: nine of ten requests are uploads."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
        elif scope["path"] != routes_ingest.PATH or scope["method"] != "POST":
            await super().__call__(scope, receive, _safely(scope, send))
        else:
            response = await self._upload(Request(scope, receive))
            await response(scope, receive, send)

    async def _upload(self, request: Request) -> Response:
        try:
            return await routes_ingest.receive(request, self.state.service)
        except problems.Problem as problem:
            return problem.response()
        except Unavailable as error:
            return problems.not_now(request, error)
        except Exception:  # noqa: BLE001 - told as a problem, and in full in the log
            return problems.mistake(request)


def create_app(service: Service) -> FastAPI:
    """The ASGI application around `service`, which it closes when it ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        service.start()
        try:
            yield
        finally:
            service.close()

    # The usual documentation pages load scripts from elsewhere, so they are off.
    app = App(
        title="Kenshin power metering server",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    problems.install(app)
    app.include_router(routes_ingest.router)
    app.include_router(routes_read.router)
    app.include_router(routes_energy.router)
    app.include_router(routes_groups_api.router)
    app.include_router(routes_external.router)
    app.include_router(routes_alerts_api.router)
    app.include_router(metrics.router)
    pages.install(app)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = openapi
    return app
