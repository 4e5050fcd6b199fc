"""What the routes share: the database, the clock, the limits; and who is asking."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from kenshin.server import gateways, tokens
from kenshin.server.problems import Problem
from kenshin.server.store import Store, Writer


def utc() -> int:
    """Now, in UTC seconds."""
    return int(time.time())


@dataclass(frozen=True)
class Limits:
    """Bounds on what a request may cost."""

    body: int = 256 * 1024  # bytes of an upload: 2,000 readings have about 150,000
    body_seconds: float = 30.0
    readings: int = 10_000  # per page of the API


@dataclass
class Service:
    """One running server."""

    store: Store
    now: Callable[[], int] = utc
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.writer = Writer(self.store)

    def close(self) -> None:
        """Finish the write under way and close the database."""
        self.writer.close()
        self.store.close()


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


Served = Annotated[Service, Depends(_service)]


async def uploader(request: Request, service: Service) -> gateways.Known:
    """The gateway whose token the request carries. Raises Problem: no-token, wrong-token, ..."""
    token = tokens.bearer(request.headers.get("authorization"))
    if token is None:
        raise Problem("no-token", "send the header Authorization: Bearer <token>")

    def look() -> gateways.Known | None:
        with service.store.reading() as connection:
            return gateways.holder(connection, token, service.now())

    try:
        known = await run_in_threadpool(look)
    except gateways.NotAllowed:
        raise Problem("token-expired") from None
    if known is None:
        raise Problem("wrong-token")
    return known
