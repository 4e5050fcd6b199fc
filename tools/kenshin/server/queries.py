"""Getting readings and the state of gateways out of the database."""

import heapq
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, or_, select

from kenshin.server import tokens
from kenshin.server.keys import Scope
from kenshin.server.schema import Conflict, Gateway, Group, Reading, Received, Rejection, State
from kenshin.server.slots import (
    INSTANT,
    KIND_CODES,
    KINDS,
    QUALITIES,
    origins_of,
)

# How far back the newest value of a kind is looked for: it bounds the search in a long history.
NEWEST_WITHIN = 2 * 86_400
# Seconds without an upload after which a gateway counts as silent.
SILENT = 900
STATES = ("all", "well", "trouble", "silent", "never")


class GatewayRow(NamedTuple):
    """A gateway and what is known of it now."""

    id: int
    code: str
    name: str
    created: int
    last_seen: int | None
    status: dict[str, Any] | None
    status_t: int | None
    stored: int
    conflicts: int
    rejected: int
    group: str | None
    zone: str
    contract: int | None  # A
    word: str | None
    meter: dict[str, Any] | None


class ReadingRow(NamedTuple):
    """A row of the readings, in the table's units."""

    kind: str
    t: int
    quality: str
    power: int | None
    current_r: int | None
    current_t: int | None
    normal: int | None
    reverse: int | None
    origins: tuple[str, ...]


class ConflictRow(NamedTuple):
    """A value beside a row."""

    kind: str
    t: int
    field: str
    value: int
    quality: str
    origins: tuple[str, ...]


class Newest(NamedTuple):
    """The newest value of a field that was measured."""

    t: int
    value: int


class RejectionRow(NamedTuple):
    """A reading that was refused."""

    stream: int
    seq: int
    why: str
    row: str
    received: int


class Page(NamedTuple):
    """Some readings in time order, and where the next ones begin."""

    readings: list[ReadingRow]
    conflicts: list[ConflictRow]
    more: tuple[int, str] | None  # (t, kind) of the last one, when there are more


_GATEWAY = (
    select(
        Gateway.id,
        Gateway.code,
        Gateway.name,
        Gateway.created,
        State.last_seen,
        State.status,
        State.status_t,
        State.stored,
        State.conflicts,
        State.rejected,
        Group.name,
        Gateway.zone,
        Gateway.contract,
        State.word,
        State.meter,
    )
    .join(State, State.gateway_id == Gateway.id)
    .outerjoin(Group, Group.id == Gateway.group_id)
    .order_by(Gateway.code)
)
_READING = select(
    Reading.kind,
    Reading.t,
    Reading.quality,
    Reading.power,
    Reading.current_r,
    Reading.current_t,
    Reading.normal,
    Reading.reverse,
    Reading.origins,
)


def _gateway(row: Any) -> GatewayRow:
    found = GatewayRow(*row)
    return found._replace(
        status=None if row.status is None else json.loads(row.status),
        meter=None if row.meter is None else json.loads(row.meter),
    )


def _reading(row: Any) -> ReadingRow:
    kind, t, quality, power, current_r, current_t, normal, reverse, origins = row
    values = (power, current_r, current_t, normal, reverse)
    return ReadingRow(KINDS[kind], t, QUALITIES[quality], *values, origins_of(origins))


def gateways(
    connection: Connection, after: str, limit: int, scope: Scope | None = None
) -> list[GatewayRow]:
    """Up to `limit` gateways in the order of their codes, from the one after `after`."""
    statement = _GATEWAY.where(Gateway.code > after).limit(limit)
    if scope is not None and scope.gateway_id is not None:
        statement = statement.where(Gateway.id == scope.gateway_id)
    if scope is not None and scope.group_id is not None:
        statement = statement.where(Gateway.group_id == scope.group_id)
    rows = connection.execute(statement)
    return [_gateway(row) for row in rows]


class Listed(NamedTuple):
    """A gateway in a list of many."""

    code: str
    name: str
    group: str | None
    last_seen: int | None
    word: str | None
    fw: str | None
    rssi: int | None


def search(
    connection: Connection,
    q: str = "",
    state: str = "all",
    group: str = "",
    *,
    now: int,
    after: str = "",
    limit: int,
) -> list[Listed]:
    """Gateways whose name, code or group holds `q`, in a state (see STATES), by name."""
    statement = (
        select(
            Gateway.code,
            Gateway.name,
            Group.name,
            State.last_seen,
            State.word,
            State.fw,
            State.rssi,
        )
        .join(State, State.gateway_id == Gateway.id)
        .outerjoin(Group, Group.id == Gateway.group_id)
        .where(Gateway.name > after)
        .order_by(Gateway.name)
        .limit(limit)
    )
    if group:
        statement = statement.where(Group.name == group)
    if q.strip():
        held = [
            column.icontains(q.strip(), autoescape=True)
            for column in (Gateway.name, Gateway.code, Group.name)
        ]
        statement = statement.where(or_(*held))
    heard = State.last_seen >= now - SILENT
    filters = {
        "well": and_(heard, State.word.is_(None)),
        "trouble": and_(heard, State.word.is_not(None)),
        "silent": State.last_seen < now - SILENT,
        "never": State.last_seen.is_(None),
    }
    if state in filters:
        statement = statement.where(filters[state])
    return [Listed(*row) for row in connection.execute(statement)]


def named(connection: Connection, code: str) -> tuple[int, str, str] | None:
    """Number, name and time zone of a gateway, by its service code."""
    if not tokens.is_code(code):
        return None
    row = connection.execute(
        select(Gateway.id, Gateway.name, Gateway.zone).where(Gateway.code == code)
    ).one_or_none()
    return None if row is None else (row[0], row[1], row[2])


def gateway(connection: Connection, code: str) -> GatewayRow | None:
    """One gateway by its service code."""
    if not tokens.is_code(code):
        return None
    row = connection.execute(_GATEWAY.where(Gateway.code == code)).one_or_none()
    return None if row is None else _gateway(row)


def readings(
    connection: Connection,
    gateway_id: int,
    kinds: Iterable[str],
    start: int,
    end: int,
    limit: int,
    after: str = "",
) -> Page:
    """Up to `limit` readings with start <= t < end, in the order of (t, kind).

    Of those at `start` itself only the kinds after `after`: the place where a page ended.
    """
    # Per kind the key gives time order for nothing; together they are merged, not sorted.
    found: list[list[ReadingRow]] = []
    for kind in kinds:
        code = KIND_CODES[kind]
        first = start if kind > after else start + 1
        rows = connection.execute(
            _READING.where(
                Reading.gateway_id == gateway_id,
                Reading.kind == code,
                Reading.t >= first,
                Reading.t < end,
            )
            .order_by(Reading.t)
            .limit(limit + 1)
        )
        found.append([_reading(row) for row in rows])
    ordered = list(heapq.merge(*found, key=lambda row: (row.t, row.kind)))
    page = ordered[:limit]
    more = (page[-1].t, page[-1].kind) if len(ordered) > limit else None
    return Page(page, _conflicts(connection, gateway_id, page), more)


def _conflicts(
    connection: Connection, gateway_id: int, page: Sequence[ReadingRow]
) -> list[ConflictRow]:
    if not page:
        return []
    rows = connection.execute(
        select(
            Conflict.kind,
            Conflict.t,
            Conflict.field,
            Conflict.value,
            Conflict.quality,
            Conflict.origins,
        )
        .where(
            Conflict.gateway_id == gateway_id,
            Conflict.kind.in_({KIND_CODES[row.kind] for row in page}),
            Conflict.t >= page[0].t,
            Conflict.t <= page[-1].t,
        )
        .order_by(Conflict.t, Conflict.kind, Conflict.field, Conflict.value)
    )
    there = {(row.kind, row.t) for row in page}
    found = [
        ConflictRow(KINDS[kind], t, field, value, QUALITIES[quality], origins_of(origins))
        for kind, t, field, value, quality, origins in rows
    ]
    return [row for row in found if (row.kind, row.t) in there]


def newest(connection: Connection, gateway_id: int) -> dict[str, Newest]:
    """The newest measured value of each field; fields never measured are left out."""
    found: dict[str, Newest] = {}
    for field, kinds in (
        ("power", KINDS[:1]),
        ("current_r", KINDS[:1]),
        ("current_t", KINDS[:1]),
        ("normal", KINDS),
        ("reverse", KINDS),
    ):
        candidates = [
            value
            for kind in kinds
            if (value := _newest(connection, gateway_id, kind, field)) is not None
        ]
        if candidates:
            found[field] = max(candidates)
    return found


def _newest(connection: Connection, gateway_id: int, kind: str, field: str) -> Newest | None:
    here = (Reading.gateway_id == gateway_id, Reading.kind == KIND_CODES[kind])
    last = connection.scalar(select(func.max(Reading.t)).where(*here))
    if last is None:
        return None
    column = getattr(Reading, field)
    row = connection.execute(
        select(Reading.t, column)
        .where(*here, Reading.t > last - NEWEST_WITHIN, column.is_not(None))
        .order_by(Reading.t.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Newest(*row)


def streams(connection: Connection, gateway_id: int) -> dict[int, list[tuple[int, int]]]:
    """The sequence numbers received, as ranges by stream."""
    found: dict[int, list[tuple[int, int]]] = {}
    rows = connection.execute(
        select(Received.stream, Received.first, Received.last)
        .where(Received.gateway_id == gateway_id)
        .order_by(Received.stream, Received.first)
    )
    for stream, first, last in rows:
        found.setdefault(stream, []).append((first, last))
    return found


def rejections(connection: Connection, gateway_id: int, limit: int) -> list[RejectionRow]:
    """The rejected readings kept, newest first."""
    rows = connection.execute(
        select(
            Rejection.stream,
            Rejection.seq,
            Rejection.why,
            Rejection.row,
            Rejection.received,
        )
        .where(Rejection.gateway_id == gateway_id)
        .order_by(Rejection.received.desc(), Rejection.stream, Rejection.seq.desc())
        .limit(limit)
    )
    return [RejectionRow(*row) for row in rows]


def powers(
    connection: Connection, gateway_id: int, start: int, end: int, limit: int
) -> list[tuple[int, int]]:
    """(t, W) where power was measured, start <= t < end, in time order; the newest `limit`."""
    rows = connection.execute(
        select(Reading.t, Reading.power)
        .where(
            Reading.gateway_id == gateway_id,
            Reading.kind == INSTANT,
            Reading.t >= start,
            Reading.t < end,
            Reading.power.is_not(None),
        )
        .order_by(Reading.t.desc())
        .limit(limit)
    )
    return [(t, power) for t, power in rows if power is not None][::-1]
