"""The application: routes, problems, safe headers."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.types import Receive, Scope, Send

from kenshin import __version__
from kenshin.server import pages, problems, routes_ingest, routes_read, wire
from kenshin.server.service import Service
from kenshin.server.store import Unavailable

_REF = "#/components/schemas/{model}"


class App(FastAPI):
    """FastAPI, but uploads take the short way: nine of ten requests are uploads."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["path"] != routes_ingest.PATH
            or scope["method"] != "POST"
        ):
            await super().__call__(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await routes_ingest.receive(request, self.state.service)
        except problems.Problem as problem:
            response = problem.response()
        except Unavailable as error:
            response = problems.not_now(request, error)
        except Exception:  # noqa: BLE001 - told as a problem, and in full in the log
            response = problems.mistake(request)
        await response(scope, receive, send)


def create_app(service: Service) -> FastAPI:
    """The ASGI application around `service`, which it closes when it ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
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
    pages.install(app)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description="Values are integers: W, 0.1 A, 0.1 Wh; times are UTC seconds.",
        routes=app.routes,
    )
    components = cast(dict[str, Any], document.setdefault("components", {}))
    schemas = cast(dict[str, Any], components.setdefault("schemas", {}))
    for model in (wire.Upload, problems.ProblemDetails):
        schema = model.model_json_schema(ref_template=_REF)
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    components["securitySchemes"] = {
        "uploadToken": {"type": "http", "scheme": "bearer", "description": "one per gateway"}
    }
    return document
