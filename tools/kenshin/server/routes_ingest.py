"""POST /api/v1/readings: gateways upload here."""

import logging
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from kenshin.server import body, problems, wire
from kenshin.server.ingest import Outcome, ingest
from kenshin.server.problems import Problem
from kenshin.server.service import Served, uploader

log = logging.getLogger("kenshin.server")
router = APIRouter()

# A clock before this was never set: a small computer without one starts in the past. To judge
# readings by it would throw good ones away for ever.
CLOCK_FLOOR = 1_767_225_600  # 2026-01-01

_DOCUMENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Upload"}}},
    },
    "security": [{"uploadToken": []}],
}


@router.post(
    "/api/v1/readings",
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
    ),
)
async def upload(request: Request, service: Served) -> Response:
    """Store readings. May be sent again, in any order and split, with the same result.

    Readings are acknowledged only when they are safe on the disk. A reading that is wrong is
    named in `rejected`, with its reason, and does not hold up the others.
    """
    limits = service.limits
    gateway = await uploader(request, service)
    content = await body.read(request, limits.body, limits.body_seconds)
    try:
        batch = wire.parse(content)
    except wire.NotJson as error:
        raise Problem("not-json", str(error)) from None
    except wire.Malformed as error:
        raise Problem("invalid", errors=error.errors) from None
    now = service.now()
    if now < CLOCK_FLOOR:
        raise Problem("clock")

    def work(connection: Connection) -> Outcome:
        return ingest(connection, gateway.id, batch, now)

    outcome = await service.writer.run(work)
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
    answer = wire.receipt(now, outcome.ack, outcome.rejected)
    return Response(answer, media_type="application/json", headers={"Cache-Control": "no-store"})
