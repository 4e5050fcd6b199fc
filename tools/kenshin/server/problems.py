"""Errors as problem details (RFC 9457): JSON that a program and a person can read.

`type` is a stable path on this server, /problems/<name>, where its meaning can be read.
"""

import logging
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from kenshin.server.store import Unavailable

log = logging.getLogger("kenshin.server")

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 30  # seconds


class _Kind(NamedTuple):
    status: int
    title: str


KINDS = {
    "no-token": _Kind(401, "An upload token is needed"),
    "wrong-token": _Kind(401, "The upload token is not known here"),
    "token-expired": _Kind(403, "The upload token may not be used any more"),
    "no-key": _Kind(401, "An access key, or a login, is needed"),
    "wrong-key": _Kind(401, "The access key, secret or token is not known here"),
    "not-allowed": _Kind(403, "You may not do this"),
    "forged": _Kind(403, "The form did not come from this server, or is too old: load it again"),
    "too-many": _Kind(429, "Too many requests: wait a little"),
    "not-json": _Kind(400, "The body is not JSON"),
    "incomplete": _Kind(400, "The body ended early"),
    "not-found": _Kind(404, "There is no such thing here"),
    "too-slow": _Kind(408, "The body took too long"),
    "too-large": _Kind(413, "The body is too large"),
    "encoding": _Kind(415, "The body must not be compressed"),
    "invalid": _Kind(422, "Something in the request is not as documented"),
    "broken": _Kind(500, "The server made a mistake"),
    "unavailable": _Kind(503, "Not now; nothing was stored"),
    "clock": _Kind(503, "The server's clock is wrong, it seems; nothing was stored"),
}


class Fault(BaseModel):
    """One thing that is wrong, and where."""

    where: str
    why: str


class ProblemDetails(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(examples=["/problems/too-large"])
    title: str
    status: int
    detail: str | None = None
    errors: list[Fault] | None = None


class Problem(Exception):
    """A request ends with this problem. `name` is a key of KINDS."""

    def __init__(
        self,
        name: str,
        detail: str | None = None,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ):
        super().__init__(name)
        self.name = name
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}

    def response(self) -> Response:
        """The problem as an answer."""
        kind = KINDS[self.name]
        headers = dict(self.headers)
        if kind.status == 503:
            headers.setdefault("Retry-After", str(RETRY_AFTER))
        if kind.status == 401:
            headers.setdefault("WWW-Authenticate", 'Bearer realm="kenshin"')
        return _json(
            kind.status, f"/problems/{self.name}", kind.title, self.detail, self.errors, headers
        )


def documented(*names: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may end with these problems, for the OpenAPI document."""
    found: dict[int | str, dict[str, Any]] = {}
    if "wrong-key" in names:
        names = (*names, "token-expired")  # whoever may read with a key may with a token
    for name in dict.fromkeys(names):
        status, title = KINDS[name]
        example: dict[str, Any] = {"type": f"/problems/{name}", "title": title, "status": status}
        if name == "invalid":
            example["errors"] = [{"where": "query.from", "why": "not a time"}]
        one = found.setdefault(
            status,
            {
                "description": "",
                "content": {
                    MEDIA_TYPE: {
                        "schema": {"$ref": "#/components/schemas/ProblemDetails"},
                        "examples": {},
                    }
                },
            },
        )
        one["description"] += f", or: {title}" if one["description"] else title
        one["content"][MEDIA_TYPE]["examples"][name] = {"value": example}
    return found


def install(app: FastAPI) -> None:
    """Answer every error of `app` with problem details."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(Unavailable, _on_unavailable)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_mistake)


def _json(
    status: int,
    type_: str,
    title: str,
    detail: str | None = None,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    content: dict[str, Any] = {"type": type_, "title": title, "status": status}
    if detail is not None:
        content["detail"] = detail
    if errors is not None:
        content["errors"] = errors
    return JSONResponse(content, status, headers, MEDIA_TYPE)


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _on_unavailable(request: Request, error: Exception) -> Response:
    assert isinstance(error, Unavailable)
    return not_now(request, error)


def mistake(request: Request) -> Response:
    """The answer when the server made a mistake: the log has it in full."""
    log.exception("%s %s: a mistake", request.method, request.url.path)
    return Problem("broken").response()


def not_now(request: Request, error: Unavailable) -> Response:
    """The answer when the database cannot be had."""
    log.warning("%s %s: not now: %s", request.method, request.url.path, error.why)
    return Problem("unavailable", error.why).response()


async def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {
            "where": ".".join(str(part) for part in detail["loc"]),
            "why": str(detail["msg"]).replace("Input should", "must", 1)[:200],
        }
        for detail in error.errors()[:10]
    ]
    return Problem("invalid", errors=errors).response()


async def _on_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return Problem("not-found").response()
    phrase = HTTPStatus(error.status_code).phrase
    headers = dict(error.headers or {})
    return _json(error.status_code, "about:blank", phrase, headers=headers)


async def _on_mistake(_request: Request, _error: Exception) -> Response:
    # The web server logs the traceback; the other side learns nothing of our insides.
    return Problem("broken").response()
