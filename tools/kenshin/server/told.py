"""What a gateway's status changes: its state, the history of its health, events."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection

from kenshin.server import meters
from kenshin.server.hot import HealthRow, Hot, StateRow, Told
from kenshin.server.schema import Event
from kenshin.server.upserts import insert_new

# At most one row of health in so many seconds, per gateway.
HEALTH_EVERY = 300


def tell(
    connection: Connection, hot: Hot, telling: Sequence[tuple[StateRow, dict[str, Any], int]]
) -> None:
    """Store statuses: (state before, status, now)."""
    changes: list[Told] = []
    health: list[HealthRow] = []
    events: list[dict[str, Any]] = []
    for state, status, now in telling:
        get = status.get
        bucket = now // HEALTH_EVERY * HEALTH_EVERY
        if bucket != state.health_t:  # earlier, when a clock was ahead before
            health.append(
                HealthRow(
                    state.gateway_id,
                    bucket,
                    get("word"),
                    get("rssi"),
                    get("net_rssi"),
                    get("queue"),
                    get("uptime"),
                )
            )
        meter = to_json(get("meter")).decode() if get("meter") else None
        if meter is not None and meter != state.meter:
            read = max(filter(None, (state.normal_t, state.reverse_t)), default=None)
            meters.note(connection, state.gateway_id, status["meter"], read, now)
        changes.append(
            Told(
                to_json(status).decode(),
                now,
                meter,
                get("word"),
                _short(get("code"), 40),
                _short(get("fw"), 40),
                get("rssi"),
                get("queue"),
                get("uptime"),
                bucket,
                state.gateway_id,
            )
        )
        events += _events(state, status, now)
    if events:
        insert_new(connection, Event, events)
    if health:
        hot.health(health)
    hot.told(changes)


def _short(text: str | None, length: int) -> str | None:
    return text[:length] if text else None


def _events(state: StateRow, status: dict[str, Any], now: int) -> list[dict[str, Any]]:
    found: list[tuple[str, str]] = []
    word, fw, uptime = status.get("word"), status.get("fw"), status.get("uptime")
    if word != state.word:
        found.append(("word", " ".join(filter(None, (word, status.get("code")))) or "well"))
    if fw and fw[:40] != state.fw:
        found.append(("fw", fw))
    if uptime is not None and state.uptime is not None and uptime < state.uptime:
        found.append(("reset", status.get("reset") or "?"))
    return [
        {"gateway_id": state.gateway_id, "t": now, "what": what, "detail": detail[:200]}
        for what, detail in found
    ]
