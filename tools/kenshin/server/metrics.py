"""GET /metrics: what Prometheus asks for."""

from collections.abc import Iterator

from fastapi import APIRouter, Response
from sqlalchemy import select

from kenshin.server import problems
from kenshin.server.access import Reading
from kenshin.server.problems import Problem
from kenshin.server.schema import Gateway, State
from kenshin.server.service import Served, Service

router = APIRouter()

_MEDIA = "text/plain; version=0.0.4; charset=utf-8"
# Of each gateway, up to so many.
_MOST = 2000
_GATEWAY = {
    "last_seen": "last upload, UTC seconds",
    "rssi": "radio to the meter, dBm",
    "queue": "readings that wait on the board",
    "stored": "readings stored",
    "conflicts": "values kept beside one that disagrees",
    "rejected": "readings refused",
}


@router.get(
    "/metrics",
    summary="For Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
    | problems.documented("no-key", "wrong-key", "not-allowed", "too-many", "unavailable"),
    openapi_extra={"security": [{"apiKey": []}, {"session": []}]},
)
def metrics(service: Served, reader: Reading) -> Response:
    """Counts of this server process, and the state of each gateway.

    Wants a key, or a person, that may see all gateways.
    """
    if reader.scope.gateway_id is not None or reader.scope.group_id is not None:
        raise Problem("not-allowed", "this wants a key for all gateways")
    lines = [*_process(service), *_gateways(service)]
    return Response("\n".join(lines) + "\n", media_type=_MEDIA, headers=reader.headers)


def _process(service: Service) -> Iterator[str]:
    counts = service.writer.counts
    for name, kind, words, value in (
        ("uploads_total", "counter", "uploads stored since the start", counts.items),
        ("uploads_failed_total", "counter", "uploads that could not be stored", counts.failed),
        ("commits_total", "counter", "commits of uploads", counts.groups),
        ("commit_seconds_total", "counter", "seconds spent in them", counts.seconds),
        ("uploads_waiting", "gauge", "uploads that wait for a commit", service.writer.waiting),
    ):
        yield f"# HELP kenshin_{name} {words}"
        yield f"# TYPE kenshin_{name} {kind}"
        yield f"kenshin_{name} {value}"


def _gateways(service: Service) -> Iterator[str]:
    columns = [getattr(State, name) for name in _GATEWAY]
    with service.store.reading() as connection:
        rows = connection.execute(
            select(Gateway.code, *columns)
            .join(State, State.gateway_id == Gateway.id)
            .order_by(Gateway.code)
            .limit(_MOST)
        ).all()
    for place, (name, words) in enumerate(_GATEWAY.items(), 1):
        yield f"# HELP kenshin_gateway_{name} {words}"
        yield f"# TYPE kenshin_gateway_{name} gauge"
        for row in rows:
            if row[place] is not None:
                yield f'kenshin_gateway_{name}{{code="{row[0]}"}} {row[place]}'
