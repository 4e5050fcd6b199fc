"""POST /api/v1/readings: gateways upload here.

The one route that is asked again and again by every gateway, so it goes straight from the web
server to `receive` (see `app`); FastAPI knows it for its documentation.
"""

import logging
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from kenshin.server import body, problems, tokens, units, want, wire
from kenshin.server.doors import Passed, admit
from kenshin.server.gateways import Known
from kenshin.server.ingest import Gone, Upload
from kenshin.server.problems import Problem
from kenshin.server.service import Incoming, Served, Service
from kenshin.server.store import Unavailable

log = logging.getLogger("kenshin.server")
router = APIRouter()

PATH = "/api/v1/readings"
# A clock before this was never set: a small computer without one starts in the past. To judge
# readings by it would throw good ones away for ever.
CLOCK_FLOOR = 1_767_225_600  # 2026-01-01
# Up to here a body is read and parsed in less time than handing it to a thread takes.
_SMALL = 32 * 1024

_DOCUMENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Upload"}}},
    },
    "security": [{"uploadToken": []}],
}


@router.post(
    PATH,
    summary="Upload readings and the gateway's status",
    openapi_extra=_DOCUMENT,
    response_model=wire.Receipt,
    responses=problems.documented(
        "no-token",
        "token-expired",
        "not-json",
        "too-slow",
        "too-large",
        "encoding",
        "invalid",
        "unavailable",
        "clock",
    ),
)
async def upload(request: Request, service: Served) -> Response:
    """Store readings. May be sent again, in any order and split, with the same result.

    Readings are acknowledged only when they are safe on the disk. A reading that is wrong is
    named in `rejected`, with its reason, and does not hold up the others.
    """
    return await receive(request, service)


async def receive(request: Request, service: Service) -> Response:
    """Answer one upload. Raises Problem, Unavailable."""
    limits = service.limits
    try:
        gateway, passed = await _uploader(request, service)
    except Problem:
        await body.drop(request, limits.body, limits.body_seconds)
        raise
    content = await body.read(request, limits.body, limits.body_seconds)
    if len(content) > _SMALL:
        batch = await run_in_threadpool(_parse, content)
    else:
        batch = _parse(content)
    now = service.now()
    if now < CLOCK_FLOOR:
        raise Problem("clock")
    ahead = service.clocks.ahead(gateway.id, batch, now)
    if ahead is not None:
        there, here = units.rfc3339(ahead), units.rfc3339(now)
        log.warning(
            "%s: a reading is from %s, but here it is %s: if that is wrong, set this machine's "
            "clock; its readings are not taken, and wait on the board",
            *(gateway.code, there, here),
        )
        raise Problem("clock", f"here it is {here}")
    try:
        outcome = await service.writer.put(
            Incoming(passed, Upload(gateway.id, batch, now)), len(batch.rows)
        )
    except Gone:
        raise Problem("wrong-token") from None
    if outcome.rejected:
        seq, why = outcome.rejected[0]
        log.warning(
            "%s: %d readings rejected, such as %d: %s",
            gateway.code,
            len(outcome.rejected),
            seq,
            why,
        )
    if batch.status_faults:
        log.warning("%s: status ignored: %s", gateway.code, ", ".join(batch.status_faults))
    days: list[str] = []
    if now - service.looked.get(gateway.id, 0) >= want.EVERY:
        days = await _missing(service, gateway, batch.status, now)
    answer = wire.receipt(now, outcome.ack, outcome.rejected, days, service.interval or None)
    return Response(answer, media_type="application/json", headers={"Cache-Control": "no-store"})


async def _missing(
    service: Service, gateway: Known, status: dict[str, Any] | None, now: int
) -> list[str]:
    """Days that are not whole here, of a gateway that has sent all that it can by itself."""
    reach = want.rests(status)
    if reach is None:
        return []
    service.looked[gateway.id] = now

    def look() -> list[str]:
        with service.store.reading() as connection:
            return want.missing(connection, gateway.id, reach, now)

    try:
        return await run_in_threadpool(look)
    except Unavailable as error:  # the readings are stored: that is for another time
        log.warning("%s: not looked for missing days: %s", gateway.code, error)
        return []


def _parse(content: bytes) -> wire.Batch:
    try:
        return wire.parse(content)
    except wire.NotJson as error:
        raise Problem("not-json", str(error)) from None
    except wire.Malformed as error:
        raise Problem("invalid", errors=error.errors) from None


async def _uploader(request: Request, service: Service) -> tuple[Known, Passed]:
    """The gateway whose token the request carries. Raises Problem: no-token, wrong-token, ..."""
    token = tokens.bearer(request.headers.get("authorization"))
    if token is None:
        raise Problem("no-token", "send the header Authorization: Bearer <token>")
    now = service.now()
    hashed = tokens.sha256(token)
    version = service.doors.version
    found = service.doors.remembered(hashed)
    if found is None:
        found, version = await run_in_threadpool(service.doors.look, service.store, hashed)
    return admit(found, now), Passed(hashed, version, now)
