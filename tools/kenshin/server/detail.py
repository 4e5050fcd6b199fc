"""What the page of one gateway shows beside its readings: events, gaps, conflicts, link events."""

import binascii
from base64 import b64decode
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from kenshin.server.schema import Conflict, Event, Health, Reading
from kenshin.server.slots import FIELDS, HALF_HOUR, KINDS, origins_of

SLOT = 1800
# Days that are searched for gaps: as far as a meter's own history reaches.
GAP_DAYS = 99
# Names of the codes of link events, from 0x20 on, as in the firmware's `gateway.track`.
LINKS = (
    *("beacon", "sent", "unsent", "queued", "join-failed", "joined", "peer-closed", "ended"),
    *("end-timeout", "expired", "", "", "", "", "", "", "", "", "limited", "unlimited", "lost"),
    *("receive-failed", "garbage", "reboot", "setup", "join", "scan", "reset", "pin", "power"),
    *("board", "retry"),
)
_TURN = 1 << 24  # seconds after which the board's count of seconds begins anew


class Gap(NamedTuple):
    """Half-hourly values that are not there: first <= t <= last, `n` of them."""

    first: int
    last: int
    n: int


class Disagreement(NamedTuple):
    """A value that came later, beside the one that stands."""

    kind: str
    t: int
    field: str
    stands: int | None
    value: int
    origins: tuple[str, ...]


class LinkEvent(NamedTuple):
    """Something on the radio link. `t` = UTC seconds, as near as the uptime tells."""

    t: int
    name: str
    value: int


class HealthPoint(NamedTuple):
    """How a gateway was in one bucket of five minutes."""

    t: int
    word: str | None
    rssi: int | None
    net_rssi: int | None
    queue: int | None
    uptime: int | None


def health(
    connection: Connection, gateway_id: int, start: int, end: int, limit: int
) -> list[HealthPoint]:
    """The newest `limit` rows with start <= t < end, in time order."""
    rows = connection.execute(
        select(Health.t, Health.word, Health.rssi, Health.net_rssi, Health.queue, Health.uptime)
        .where(Health.gateway_id == gateway_id, Health.t >= start, Health.t < end)
        .order_by(Health.t.desc())
        .limit(limit)
    )
    return [HealthPoint(*row) for row in rows][::-1]


def events(connection: Connection, gateway_id: int, limit: int) -> list[tuple[int, str, str]]:
    """(t, what, detail) of what changed, newest first."""
    rows = connection.execute(
        select(Event.t, Event.what, Event.detail)
        .where(Event.gateway_id == gateway_id)
        .order_by(Event.t.desc(), Event.what)
        .limit(limit)
    )
    return [(t, what, detail) for t, what, detail in rows]


def gaps(connection: Connection, gateway_id: int, now: int, limit: int) -> list[Gap]:
    """Where forward half-hourly values are missing, newest first; from the first one on."""
    end = (now - 600) // SLOT * SLOT  # the newest one may still be on its way
    begin = end - GAP_DAYS * 86_400
    measured = select(Reading.t).where(
        Reading.gateway_id == gateway_id,
        Reading.kind == HALF_HOUR,
        Reading.normal.is_not(None),
    )
    within = measured.where(Reading.t >= begin, Reading.t <= end).order_by(Reading.t)
    times = list(connection.scalars(within))
    earlier = measured.where(Reading.t < begin).order_by(Reading.t.desc()).limit(1)
    if connection.scalar(earlier) is not None:
        times.insert(0, begin - SLOT)
    found: list[Gap] = []
    for before, after in zip(times, [*times[1:], end + SLOT], strict=False):
        if after - before > SLOT:
            found.append(Gap(before + SLOT, after - SLOT, (after - before) // SLOT - 1))
    return found[::-1][:limit]


def conflicts(connection: Connection, gateway_id: int, limit: int) -> list[Disagreement]:
    """Values that disagree with the ones that stand, the latest moments first."""
    columns = [getattr(Reading, name) for name in FIELDS]
    found: list[Any] = []
    for kind in range(len(KINDS)):
        found += connection.execute(
            select(
                Conflict.kind,
                Conflict.t,
                Conflict.field,
                Conflict.value,
                Conflict.origins,
                *columns,
            )
            .join(
                Reading,
                (Reading.gateway_id == Conflict.gateway_id)
                & (Reading.kind == Conflict.kind)
                & (Reading.t == Conflict.t),
                isouter=True,
            )
            .where(Conflict.gateway_id == gateway_id, Conflict.kind == kind)
            .order_by(Conflict.t.desc(), Conflict.field, Conflict.value)
            .limit(limit)
        )
    found.sort(key=lambda row: -row[1])
    return [
        Disagreement(
            KINDS[kind], t, field, stands[FIELDS.index(field)], value, origins_of(origins)
        )
        for kind, t, field, value, origins, *stands in found[:limit]
    ]


def link_events(status: dict[str, Any] | None, status_t: int | None) -> list[LinkEvent]:
    """The last events on the link that the status tells, newest first."""
    packed, uptime = (status or {}).get("events"), (status or {}).get("uptime")
    if not isinstance(packed, str) or not isinstance(uptime, int) or status_t is None:
        return []
    try:
        data = b64decode(packed, validate=True)
    except binascii.Error:
        return []
    found: list[LinkEvent] = []
    for at in range(0, len(data) - 4, 5):
        seconds = int.from_bytes(data[at : at + 3], "big")
        name = LINKS[data[at + 3] & 31]
        ago = (uptime - seconds) % _TURN
        found.append(LinkEvent(status_t - ago, name or f"{data[at + 3]:x}", data[at + 4]))
    return found[::-1]
